"""What every implementation of the selective scan promises; a new one joins by being listed."""

import pytest
import torch
import torch.nn.functional as F
from scan_cases import relative_error, scan_arguments, scan_with_gradients
from torch.utils.flop_counter import FlopCounterMode

from remamber.errors import UserError
from remamber.ops import available_backends, backend_names, selective_scan

GRID = [
    (2, 4, 1, 1, 4),
    (2, 12, 3, 1, 4),
    (1, 36, 17, 4, 4),
    (2, 10, 64, 1, 2),
    (1, 7, 129, 4, 1),
    (1, 6, 129, 16, 2),
    (2, 3, 1000, 1, 1),
    (1, 300, 65, 1, 4),
    (3, 8, 4, 16, 4),
]


@pytest.fixture(params=backend_names())
def backend(request):
    if request.param not in available_backends():
        pytest.skip(f"{request.param} cannot run here")
    return request.param


@pytest.fixture
def arguments():
    return scan_arguments(2, 8, 37, 1, 4, dtype=torch.float32)


@pytest.mark.parametrize("sizes", GRID, ids=str)
def test_values_and_gradients_agree_with_the_reference_in_float64(backend, sizes):
    values = scan_arguments(*sizes)
    expected = scan_with_gradients(values, backend="reference", dtype=torch.float64)
    found = scan_with_gradients(values, backend=backend, dtype=torch.float32)
    for name, value in expected.items():
        limit = 1e-6 if name in ("y", "state") else 1e-5
        assert relative_error(found[name], value) < limit, name


def test_one_step_is_what_one_computes_by_hand(backend):
    u, delta, A = torch.tensor([[[3.0]]]), torch.tensor([[[0.5]]]), torch.tensor([[-2.0]])
    B, C, D = torch.tensor([[[[4.0]]]]), torch.tensor([[[[5.0]]]]), torch.tensor([7.0])
    y, state = selective_scan(u, delta, A, B, C, D, return_last_state=True, backend=backend)
    assert state.item() == pytest.approx(0.5 * 3 * 4)
    assert y.item() == pytest.approx(5 * 6 + 7 * 3)


def test_two_steps_are_what_one_computes_by_hand(backend):
    u, delta = torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[1.0, 0.5]]])
    A, B, C = (
        torch.tensor([[-0.6]]),
        torch.tensor([[[[2.0, 3.0]]]]),
        torch.tensor([[[[1.0, 10.0]]]]),
    )
    y = selective_scan(u, delta, A, B, C, backend=backend)
    second = torch.exp(torch.tensor(-0.3)).item() * 2 + 0.5 * 2 * 3
    assert y.flatten().tolist() == pytest.approx([2.0, 10 * second])


def test_optional_arguments_may_be_left_out(backend, arguments):
    bare = {name: arguments[name] for name in ("u", "delta", "A", "B", "C")}
    bare["delta"] = bare["delta"].abs()
    full = bare | {"D": torch.zeros(8), "delta_bias": torch.zeros(8)}
    torch.testing.assert_close(
        selective_scan(**bare, backend=backend), selective_scan(**full, backend=backend)
    )


def test_matrices_of_three_axes_mean_one_group(backend):
    values = scan_arguments(2, 6, 9, 4, 1, dtype=torch.float32)
    flat = values | {"B": values["B"][:, 0], "C": values["C"][:, 0]}
    assert torch.equal(
        selective_scan(**flat, backend=backend), selective_scan(**values, backend=backend)
    )


def test_the_gate_multiplies_by_silu(backend, arguments):
    z = torch.randn(2, 8, 37)
    gated = selective_scan(**arguments, z=z, backend=backend)
    torch.testing.assert_close(gated, selective_scan(**arguments, backend=backend) * F.silu(z))


def test_any_strides_give_the_same_bits(backend, arguments):
    strided = {n: v.repeat_interleave(2, -1)[..., ::2] for n, v in arguments.items()}
    strided["u"] = arguments["u"].transpose(1, 2).contiguous().transpose(1, 2)
    assert not strided["u"].is_contiguous() and not strided["B"].is_contiguous()
    expected = scan_with_gradients(arguments, backend=backend, dtype=torch.float32)
    found = scan_with_gradients(strided, backend=backend, dtype=torch.float32)
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_later_steps_do_not_reach_earlier_outputs(backend, arguments):
    changed = arguments | {"u": arguments["u"].clone()}
    changed["u"][..., 20:] += 1
    before, after = (selective_scan(**v, backend=backend) for v in (arguments, changed))
    assert torch.equal(before[..., :20], after[..., :20])
    assert not torch.equal(before[..., 20:], after[..., 20:])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["u", "delta", "B", "C", "D"])
def test_nan_and_infinity_come_through(backend, arguments, name, value):
    arguments[name].view(-1)[5] = value
    y = selective_scan(**arguments, delta_softplus=True, backend=backend)
    expected = selective_scan(**arguments, delta_softplus=True, backend="reference")
    assert not torch.isfinite(expected).all()
    assert torch.equal(torch.isfinite(y), torch.isfinite(expected))


def test_extreme_step_sizes_are_followed(backend):
    values = scan_arguments(1, 4, 64, 1, 1, dtype=torch.float32)
    values["delta"] = torch.linspace(-100, 100, 256).view(1, 4, 64)
    expected = scan_with_gradients(values, backend="reference", dtype=torch.float64)
    found = scan_with_gradients(values, backend=backend, dtype=torch.float32)
    assert max(relative_error(found[name], v) for name, v in expected.items()) < 1e-5


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_goes_in_and_out_around_a_float32_state(backend, arguments, dtype):
    low = {n: v.to(dtype) if n in ("u", "delta", "B", "C") else v for n, v in arguments.items()}
    for name in ("u", "B"):
        low[name] = low[name].requires_grad_()
    y, state = selective_scan(**low, delta_softplus=True, return_last_state=True, backend=backend)
    y.float().sum().backward()
    exact = selective_scan(
        **{n: v.detach().float() for n, v in low.items()}, delta_softplus=True, backend="reference"
    )
    assert (y.dtype, state.dtype) == (dtype, torch.float32)
    assert low["u"].grad.dtype == low["B"].grad.dtype == dtype
    assert torch.equal(y, exact.to(dtype)) or relative_error(y, exact) < torch.finfo(dtype).eps


def test_a_hundred_thousand_steps_keep_their_precision(backend):
    values = scan_arguments(1, 2, 100_000, 1, 1)
    if backend == "reference":
        values = {n: v[..., :2000] if v.ndim > 2 else v for n, v in values.items()}
    single = {name: v.float() for name, v in values.items()}
    expected = selective_scan(**values, delta_softplus=True, backend="reference")
    found = selective_scan(**single, delta_softplus=True, backend=backend)
    assert relative_error(found, expected) < 1e-6


def test_the_same_call_gives_the_same_bits(backend, arguments):
    runs = [scan_with_gradients(arguments, backend=backend, dtype=torch.float32) for _ in "ab"]
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])


def test_it_compiles_as_one_graph(backend, arguments):
    def scan(values):
        return selective_scan(**values, delta_softplus=True, backend=backend).sin()

    compiled = torch.compile(scan, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(arguments), scan(arguments))


@pytest.mark.parametrize("kind", ["inference", "autocast"])
def test_it_runs_in_inference_mode_and_autocast(backend, arguments, kind):
    expected = selective_scan(**arguments, backend=backend)
    mode = torch.inference_mode() if kind == "inference" else torch.autocast("cpu", torch.bfloat16)
    with mode:
        assert torch.equal(selective_scan(**arguments, backend=backend), expected)


def test_torch_finds_the_operator_well_registered(backend):
    values = scan_arguments(2, 4, 5, 2, 2, dtype=torch.float32)
    leaves = [v.requires_grad_() for v in values.values()]
    torch.library.opcheck(torch.ops.remamber.selective_scan.default, (*leaves, True, backend))


def test_flops_are_counted_forward_and_backward(backend):
    b, d, length, n = 2, 8, 11, 4
    values = scan_arguments(b, d, length, n, 2, dtype=torch.float32)
    leaves = {name: v.requires_grad_() for name, v in values.items()}
    with FlopCounterMode(display=False) as counter:
        y = selective_scan(**leaves, backend=backend)
        assert counter.get_total_flops() == 7 * b * length * d * n + 3 * b * d * length
        y.sum().backward()
    assert counter.get_total_flops() == 26 * b * length * d * n + 13 * b * d * length


def _bad(name, change):
    return pytest.param(name, change, id=name)


@pytest.mark.parametrize(
    ("words", "change"),
    [
        _bad("u has shape (8, 37), expected (b, d, l)", lambda v: v | {"u": v["u"][0]}),
        _bad("u has shape (2, 8, 0), expected", lambda v: v | {"u": v["u"][..., :0]}),
        _bad(
            "delta has shape (2, 8, 36), expected (2, 8, 37)",
            lambda v: v | {"delta": v["delta"][..., 1:]},
        ),
        _bad("A has shape (8,), expected (d, n) = (8, n)", lambda v: v | {"A": v["A"][:, 0]}),
        _bad("B has shape (2, 4, 1, 36)", lambda v: v | {"B": v["B"][..., 1:]}),
        _bad("B has shape (2,), expected", lambda v: v | {"B": v["B"][:, 0, 0, 0]}),
        _bad("a g that divides d = 8", lambda v: v | {"B": v["B"][:, :3]}),
        _bad("C has shape (2, 2, 1, 37), expected B's", lambda v: v | {"C": v["C"][:, :2]}),
        _bad("D has shape (7,), expected (8,)", lambda v: v | {"D": v["D"][1:]}),
        _bad("delta_bias has shape (8, 1)", lambda v: v | {"delta_bias": v["D"][:, None]}),
        _bad("z has shape (2, 8, 1)", lambda v: v | {"z": v["u"][..., :1]}),
        _bad("A has dtype torch.complex64", lambda v: v | {"A": v["A"].to(torch.complex64)}),
        _bad("u has dtype torch.int64", lambda v: v | {"u": v["u"].long()}),
        _bad("A has dtype torch.float64 but u has", lambda v: v | {"A": v["A"].double()}),
        _bad("B is on meta, expected u's device cpu", lambda v: v | {"B": v["B"].to("meta")}),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named_with_what_was_expected(backend, arguments, words, change):
    with pytest.raises(UserError) as error:
        selective_scan(**change(arguments), backend=backend)
    assert error.value.slug == "scan_shape"
    assert words in error.value.what
