"""What every backend promises of the directional scan, fused or composed; listed is tested."""

import pytest
import torch
from directional_cases import NAMES, directional_arguments, fused, one_by_one, with_gradients
from scan_cases import relative_error
from torch.utils.flop_counter import FlopCounterMode

from remamber.errors import UserError
from remamber.ops import FOUR_WAYS, TWO_WAYS, directional_scan

# b, h, w, d, n and the directions
GRID = [
    (1, 1, 1, 9, 1, FOUR_WAYS),
    (2, 3, 5, 4, 1, FOUR_WAYS),
    (1, 1, 131, 6, 1, TWO_WAYS),
    (1, 13, 1, 5, 3, FOUR_WAYS),
    (1, 12, 13, 7, 1, FOUR_WAYS),
    (1, 7, 19, 36, 4, (3, 0, 2)),
    (2, 4, 4, 70, 1, FOUR_WAYS),
    (1, 2, 65, 17, 16, (1, 2)),
    (3, 2, 3, 4, 2, (0,)),
    (1, 3, 3, 3, 1, (1, 1, 3, 3, 0)),
    # Large enough for tasks of several vectors, and more than one chunk of steps.
    (8, 3, 45, 130, 1, (0, 3)),
]


@pytest.fixture
def arguments():
    return directional_arguments(2, 4, 5, 7, 6, 1, dtype=torch.float32)


@pytest.mark.parametrize("softplus", [True, False])
@pytest.mark.parametrize("case", GRID, ids=str)
def test_it_is_the_sum_of_each_directions_scan(backend, case, softplus):
    b, h, w, d, n, directions = case
    values = directional_arguments(b, len(directions), h, w, d, n)
    if not softplus:
        values["delta"] = values["delta"].abs() + values["delta_bias"].abs().max()
    expected = with_gradients(
        lambda v: one_by_one(v, directions=directions, softplus=softplus),
        values,
        dtype=torch.float64,
    )
    scan = fused(directions, backend, softplus=softplus)
    found = with_gradients(scan, values, dtype=torch.float32)
    for name, value in expected.items():
        limit = 1e-6 if name == "y" else 1e-5
        assert relative_error(found[name], value) < limit, name


def test_bit_zero_reads_columns_and_bit_one_from_the_end(backend):
    u = torch.arange(1.0, 7).view(1, 2, 3, 1)
    delta = torch.ones(1, 1, 2, 3, 1)
    ones = {"A": torch.zeros(1, 1), "B": torch.ones(1, 1, 2, 3, 1), "C": torch.ones(1, 1, 2, 3, 1)}
    sums = {
        0: [[1, 3, 6], [10, 15, 21]],
        1: [[1, 7, 15], [5, 12, 21]],
        2: [[21, 20, 18], [15, 11, 6]],
        3: [[21, 16, 9], [20, 14, 6]],
    }
    for way, expected in sums.items():
        y = directional_scan(u, delta, **ones, directions=[way], backend=backend)
        assert y.view(2, 3).tolist() == expected, way


def test_the_states_are_those_after_every_128th_and_the_last_step(backend):
    values = directional_arguments(1, 2, 10, 20, 3, 2, dtype=torch.float32)
    _, states = torch.ops.remamber.directional_scan(*values.values(), True, [0, 3], backend)
    assert states.shape == (1, 2, 2, 2, 3)
    assert states.dtype == torch.float32


def test_d_and_bias_may_be_left_out(backend, arguments):
    bare = {name: arguments[name] for name in NAMES[:5]}
    full = bare | {"D": torch.zeros(24), "delta_bias": torch.zeros(24)}
    scan = fused(FOUR_WAYS, backend)
    torch.testing.assert_close(scan(bare), scan(full))
    leaves = {name: v.requires_grad_() for name, v in bare.items()}
    scan(leaves).sum().backward()
    assert all(leaf.grad is not None for leaf in leaves.values())


def test_any_strides_give_the_same_bits(backend, arguments):
    scan = fused(FOUR_WAYS, backend)
    strided = {n: v.repeat_interleave(2, -1)[..., ::2] for n, v in arguments.items()}
    strided["u"] = arguments["u"].permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)
    strided["delta"] = arguments["delta"].transpose(0, 1).contiguous().transpose(0, 1)
    projected = torch.cat([arguments["B"], arguments["C"]], -1).permute(0, 2, 3, 1, 4).contiguous()
    strided["B"], strided["C"] = projected.permute(0, 3, 1, 2, 4).split([1, 1], dim=-1)
    expected = with_gradients(scan, arguments, dtype=torch.float32)
    leaves = [v.detach().requires_grad_() for v in strided.values()]
    y = scan(dict(zip(strided, leaves, strict=True)))
    assert torch.equal(y, expected["y"])
    weights = torch.randn(
        y.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    ).float()
    grads = torch.autograd.grad(y, leaves, weights.transpose(1, 2).contiguous().transpose(1, 2))
    for name, grad in zip(NAMES, grads, strict=True):
        assert torch.equal(grad, expected[f"d_{name}"]), name


def test_an_expanded_gradient_is_read_right(backend, arguments):
    leaves = {n: v.requires_grad_() for n, v in arguments.items()}
    scan = fused(FOUR_WAYS, backend)
    expanded = torch.autograd.grad(scan(leaves).sum(), list(leaves.values()))
    y = scan(leaves)
    dense = torch.autograd.grad(y, list(leaves.values()), torch.ones_like(y))
    assert all(torch.equal(a, b) for a, b in zip(expanded, dense, strict=True))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", NAMES[:6])
def test_nan_and_infinity_come_through(backend, arguments, name, value):
    arguments[name].view(-1)[5] = value
    y = fused(FOUR_WAYS, backend)(arguments)
    expected = one_by_one(arguments, directions=FOUR_WAYS)
    assert not torch.isfinite(expected).all()
    assert torch.equal(torch.isfinite(y), torch.isfinite(expected))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_goes_in_and_float32_comes_out(backend, arguments, dtype):
    low = {n: v.to(dtype) if n in ("u", "delta", "B", "C") else v for n, v in arguments.items()}
    for name in ("u", "B"):
        low[name] = low[name].requires_grad_()
    y = fused(FOUR_WAYS, backend)(low)
    y.sum().backward()
    exact = one_by_one({n: v.detach().double() for n, v in low.items()}, directions=FOUR_WAYS)
    assert y.dtype == torch.float32
    assert low["u"].grad.dtype == low["B"].grad.dtype == dtype
    assert relative_error(y.detach(), exact) < 1e-6


def test_a_sum_beyond_half_precision_stays_finite(backend):
    values = directional_arguments(1, 4, 4, 4, 2, 1, dtype=torch.float16)
    values["C"] = values["C"] * 0 + 60000
    assert fused(FOUR_WAYS, backend)(values).isfinite().all()


def test_the_same_call_gives_the_same_bits(backend, arguments):
    runs = [with_gradients(fused(FOUR_WAYS, backend), arguments, dtype=torch.float32) for _ in "ab"]
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])


def test_it_passes_gradcheck_in_float64():
    values = [v.requires_grad_() for v in directional_arguments(1, 4, 2, 3, 2, 2).values()]
    scan = fused(FOUR_WAYS, "auto")
    assert torch.autograd.gradcheck(lambda *v: scan(dict(zip(NAMES, v, strict=True))), values)


def test_it_compiles_as_one_graph(backend, arguments):
    scan = fused(FOUR_WAYS, backend)
    compiled = torch.compile(lambda v: scan(v).sin(), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(arguments), scan(arguments).sin())


@pytest.mark.parametrize("kind", ["inference", "autocast"])
def test_it_runs_in_inference_mode_and_autocast(backend, arguments, kind):
    scan = fused(FOUR_WAYS, backend)
    expected = scan(arguments)
    mode = torch.inference_mode() if kind == "inference" else torch.autocast("cpu", torch.bfloat16)
    with mode:
        assert torch.equal(scan(arguments), expected)


def test_torch_finds_the_operator_well_registered(backend):
    values = directional_arguments(2, 4, 3, 2, 5, 2, dtype=torch.float32)
    leaves = [v.requires_grad_() for v in values.values()]
    op = torch.ops.remamber.directional_scan.default
    torch.library.opcheck(op, (*leaves, True, [0, 1, 2, 3], backend))


def test_the_fake_results_lie_in_memory_as_the_real_ones_do(backend):
    values = directional_arguments(2, 4, 3, 2, 5, 2, dtype=torch.float32)
    y, states = torch.ops.remamber.directional_scan(*values.values(), True, [0, 1, 2, 3], backend)
    backward = torch.ops.remamber.directional_scan_backward
    real = [y, states, *backward(y, states, *values.values(), True, [0, 1, 2, 3], backend)]
    meta = [v.to("meta") for v in (y, states, *values.values())]
    fakes = [
        *torch.ops.remamber.directional_scan(*meta[2:], True, [0, 1, 2, 3], "auto"),
        *backward(*meta, True, [0, 1, 2, 3], "auto"),
    ]
    for ours, fake in zip(real, fakes, strict=True):
        assert (ours.shape, ours.stride(), ours.dtype) == (fake.shape, fake.stride(), fake.dtype)


def test_flops_are_counted_forward_and_backward(backend):
    b, k, h, w, d, n = 2, 4, 3, 5, 8, 4
    values = directional_arguments(b, k, h, w, d, n, dtype=torch.float32)
    leaves = {name: v.requires_grad_() for name, v in values.items()}
    size = b * k * h * w * d
    with FlopCounterMode(display=False) as counter:
        y = fused(FOUR_WAYS, backend)(leaves)
        assert counter.get_total_flops() == 7 * size * n + 3 * size
        y.sum().backward()
    assert counter.get_total_flops() == 26 * size * n + 13 * size


def _bad(name, change):
    return pytest.param(name, change, id=name)


@pytest.mark.parametrize(
    ("words", "change"),
    [
        _bad("u has shape (5, 7, 6), expected (b, h, w, d)", lambda v: v | {"u": v["u"][0]}),
        _bad("u has shape (2, 0, 7, 6), expected", lambda v: v | {"u": v["u"][:, :0]}),
        _bad("delta has shape (2, 3, 5, 7, 6)", lambda v: v | {"delta": v["delta"][:, 1:]}),
        _bad("A has shape (6, 1), expected (k d, n) = (24, n)", lambda v: v | {"A": v["A"][:6]}),
        _bad("B has shape (2, 4, 5, 6, 1)", lambda v: v | {"B": v["B"][:, :, :, 1:]}),
        _bad("C has shape (2, 4, 5, 7)", lambda v: v | {"C": v["C"][..., 0]}),
        _bad("D has shape (23,), expected (24,)", lambda v: v | {"D": v["D"][1:]}),
        _bad("delta_bias has shape (24, 1)", lambda v: v | {"delta_bias": v["D"][:, None]}),
        _bad("u has dtype torch.int64", lambda v: v | {"u": v["u"].long()}),
        _bad("A has dtype torch.float64 but u has", lambda v: v | {"A": v["A"].double()}),
        _bad("B is on meta, expected u's device cpu", lambda v: v | {"B": v["B"].to("meta")}),
        _bad("directions are [], expected", lambda v: v | {"directions": []}),
        _bad("directions are [0, 1.0, 2, 3]", lambda v: v | {"directions": [0, 1.0, 2, 3]}),
        _bad("directions are [0, 4, 1, 2]", lambda v: v | {"directions": [0, 4, 1, 2]}),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named_with_what_was_expected(arguments, words, change):
    with pytest.raises(UserError) as error:
        directional_scan(**({"directions": FOUR_WAYS} | change(arguments)))
    assert error.value.slug == "scan_shape"
    assert words in error.value.what


def test_an_unknown_backend_is_named(arguments):
    with pytest.raises(UserError, match="no scan backend is called 'cpus'"):
        directional_scan(**arguments, directions=FOUR_WAYS, backend="cpus")
