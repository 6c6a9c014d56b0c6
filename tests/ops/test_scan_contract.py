"""What every implementation of the selective scan promises of its numbers.

A new one joins by being listed; its behaviour under torch's machinery, on odd layouts and on bad
input is in the neighbouring files, for both scans.
"""

import pytest
import torch
import torch.nn.functional as F
from scan_cases import relative_error, scan_arguments, scan_with_gradients
from torch.utils.flop_counter import FlopCounterMode

from remamber.ops import selective_scan
from remamber.ops._contract import CHUNK

# b, d, l, n, g
GRID = [
    (1, 1, 1, 1, 1),
    (2, 4, 1, 1, 4),
    (2, 12, 3, 1, 4),
    (1, 5, 2, 17, 5),
    (1, 36, 17, 4, 4),
    (2, 10, 64, 1, 2),
    (1, 17, CHUNK - 1, 1, 1),
    (1, 6, CHUNK, 16, 2),
    pytest.param((1, 7, CHUNK + 1, 4, 1), marks=pytest.mark.interpreted),
    (1, 6, CHUNK + 1, 17, 2),
    (2, 33, 2 * CHUNK, 1, 3),
    (2, 3, 1000, 1, 1),
    (1, 300, 65, 1, 4),
    (3, 131, 9, 1, 1),
    (3, 8, 4, 16, 4),
    # More samples and groups than tasks, so that a task has several vectors of channels.
    (8, 132, CHUNK + 2, 1, 4),
    (11, 60, 7, 3, 3),
]


@pytest.fixture
def arguments(scan):
    return scan.arguments(2, 8, 37, 1, 4)


@pytest.mark.parametrize("sizes", GRID, ids=str)
def test_values_and_gradients_agree_with_the_reference_in_float64(scan, sizes):
    sizes = scan.affordable(*sizes)
    values = scan.arguments(*sizes, dtype=torch.float64)
    expected = scan_with_gradients(values, backend="reference", dtype=torch.float64)
    found = scan_with_gradients(values, backend=scan.backend, dtype=torch.float32)
    for name, value in expected.items():
        limit = 1e-6 if name in ("y", "state") else 1e-5
        assert relative_error(found[name], value) < limit, name


@pytest.mark.parametrize(
    "length",
    [1, CHUNK, pytest.param(CHUNK + 5, marks=pytest.mark.interpreted)],
)
def test_the_last_state_and_its_gradient_are_the_references(scan, length):
    values = scan.arguments(2, 6, length, 3, 2, dtype=torch.float64)
    results = []
    for backend, dtype in (("reference", torch.float64), (scan.backend, torch.float32)):
        leaves = {n: v.to(dtype, copy=True).requires_grad_() for n, v in values.items()}
        _, state = selective_scan(
            **leaves, delta_softplus=True, return_last_state=True, backend=backend
        )
        # y itself takes no part: what its gradient would add is then not there at all.
        (
            state * torch.arange(36.0, dtype=dtype, device=state.device).view(2, 6, 3)
        ).sum().backward()
        results.append({"state": state} | {n: leaf.grad for n, leaf in leaves.items()})
    expected, found = results
    for name, value in expected.items():
        assert relative_error(found[name], value) < 1e-5, name
    assert found["C"].abs().max() == found["D"].abs().max() == 0


@pytest.mark.interpreted
def test_one_step_is_what_one_computes_by_hand(scan):
    u, delta, A = torch.tensor([[[3.0]]]), torch.tensor([[[0.5]]]), torch.tensor([[-2.0]])
    B, C, D = torch.tensor([[[[4.0]]]]), torch.tensor([[[[5.0]]]]), torch.tensor([7.0])
    y, state = selective_scan(u, delta, A, B, C, D, return_last_state=True, backend=scan.backend)
    assert state.item() == pytest.approx(0.5 * 3 * 4)
    assert y.item() == pytest.approx(5 * 6 + 7 * 3)


def test_two_steps_are_what_one_computes_by_hand(scan):
    u, delta = torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[1.0, 0.5]]])
    A, B, C = (
        torch.tensor([[-0.6]]),
        torch.tensor([[[[2.0, 3.0]]]]),
        torch.tensor([[[[1.0, 10.0]]]]),
    )
    y = selective_scan(u, delta, A, B, C, backend=scan.backend)
    second = torch.exp(torch.tensor(-0.3)).item() * 2 + 0.5 * 2 * 3
    assert y.flatten().tolist() == pytest.approx([2.0, 10 * second])


def test_optional_arguments_may_be_left_out(scan, arguments):
    bare = {name: arguments[name] for name in ("u", "delta", "A", "B", "C")}
    bare["delta"] = bare["delta"].abs()
    full = bare | {"D": torch.zeros(8), "delta_bias": torch.zeros(8)}
    torch.testing.assert_close(
        selective_scan(**bare, backend=scan.backend), selective_scan(**full, backend=scan.backend)
    )


def test_matrices_of_three_axes_mean_one_group(scan):
    values = scan_arguments(2, 6, 9, 4, 1, dtype=torch.float32)
    flat = values | {"B": values["B"][:, 0], "C": values["C"][:, 0]}
    assert torch.equal(
        selective_scan(**flat, backend=scan.backend), selective_scan(**values, backend=scan.backend)
    )


@pytest.mark.interpreted
def test_the_gate_multiplies_by_silu(scan, arguments):
    z = torch.randn(2, 8, 37)
    gated = selective_scan(**arguments, z=z, backend=scan.backend)
    torch.testing.assert_close(gated, selective_scan(**arguments, backend=scan.backend) * F.silu(z))


def test_later_steps_do_not_reach_earlier_outputs(scan, arguments):
    changed = arguments | {"u": arguments["u"].clone()}
    changed["u"][..., 20:] += 1
    before, after = (selective_scan(**v, backend=scan.backend) for v in (arguments, changed))
    assert torch.equal(before[..., :20], after[..., :20])
    assert not torch.equal(before[..., 20:], after[..., 20:])


@pytest.mark.interpreted
def test_extreme_step_sizes_are_followed(scan):
    values = scan_arguments(1, 4, 64, 1, 1, dtype=torch.float32)
    values["delta"] = torch.linspace(-100, 100, 256).view(1, 4, 64)
    expected = scan_with_gradients(values, backend="reference", dtype=torch.float64)
    found = scan_with_gradients(values, backend=scan.backend, dtype=torch.float32)
    assert max(relative_error(found[name], v) for name, v in expected.items()) < 1e-5


@pytest.mark.parametrize(
    "dtype", [pytest.param(torch.bfloat16, marks=pytest.mark.interpreted), torch.float16]
)
def test_low_precision_goes_in_and_out_around_a_float32_state(scan, arguments, dtype):
    low = {n: v.to(dtype) if n in ("u", "delta", "B", "C") else v for n, v in arguments.items()}
    for name in ("u", "B"):
        low[name] = low[name].requires_grad_()
    y, state = selective_scan(
        **low, delta_softplus=True, return_last_state=True, backend=scan.backend
    )
    y.float().sum().backward()
    exact = selective_scan(
        **{n: v.detach().float() for n, v in low.items()}, delta_softplus=True, backend="reference"
    )
    assert (y.dtype, state.dtype) == (dtype, torch.float32)
    assert low["u"].grad.dtype == low["B"].grad.dtype == dtype
    assert torch.equal(y, exact.to(dtype)) or relative_error(y, exact) < torch.finfo(dtype).eps


@pytest.mark.interpreted
def test_the_same_call_gives_the_same_bits(scan, arguments):
    runs = [scan_with_gradients(arguments, backend=scan.backend, dtype=torch.float32) for _ in "ab"]
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])


def test_flops_are_counted_forward_and_backward(scan):
    b, d, length, n = 2, 8, 11, 4
    values = scan_arguments(b, d, length, n, 2, dtype=torch.float32)
    leaves = {name: v.requires_grad_() for name, v in values.items()}
    with FlopCounterMode(display=False) as counter:
        y = selective_scan(**leaves, backend=scan.backend)
        assert counter.get_total_flops() == 7 * b * length * d * n + 3 * b * d * length
        y.sum().backward()
    assert counter.get_total_flops() == 26 * b * length * d * n + 13 * b * d * length
