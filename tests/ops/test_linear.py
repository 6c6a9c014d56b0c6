"""Our linear map against torch's in float64, and where it leaves everything to torch."""

import logging
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from remamber.layers.linear import Linear
from remamber.ops import linear
from remamber.ops.linear import mkl_is_held_back

OP = torch.ops.remamber.linear
SHAPES = [((3, 700, 96), 96), ((2, 64, 64, 32), 64), ((1, 8, 8, 1024), 512), ((4, 5), 3)]
held_back = pytest.mark.skipif(
    not mkl_is_held_back(), reason="torch's own product is not slower on this processor"
)


def drawn(shape, out, **options):
    torch.manual_seed(0)
    x = torch.randn(*shape, dtype=torch.float64)
    weight = torch.randn(out, shape[-1], dtype=torch.float64) * shape[-1] ** -0.5
    bias = torch.randn(out, dtype=torch.float64)
    return [t.to(**options).requires_grad_() for t in (x, weight, bias)]


def results(function, arguments):
    y = function(*arguments)
    torch.manual_seed(1)
    cotangent = torch.randn(y.shape, dtype=torch.float64).to(y)
    return y.detach(), *torch.autograd.grad(y, arguments, cotangent)


def called(function, *arguments):
    """Whether the operator ran."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        function(*arguments)
    return any(event.name == "remamber::linear" for event in profile.events())


@pytest.mark.parametrize(("shape", "out"), SHAPES)
@pytest.mark.parametrize("function", [linear, OP])
def test_results_and_gradients_are_those_of_float64_to_float32s_rounding(function, shape, out):
    exact = results(F.linear, drawn(shape, out, dtype=torch.float64))
    for ours, expected in zip(
        results(function, drawn(shape, out, dtype=torch.float32)), exact, strict=True
    ):
        assert ours.shape == expected.shape and ours.dtype == torch.float32
        bound = 2e-6 * expected.abs().max().item()
        torch.testing.assert_close(ours.double(), expected, atol=bound, rtol=0)


@pytest.mark.parametrize("layout", ["channels last", "strided", "expanded"])
def test_any_layout_gives_the_same(layout):
    torch.manual_seed(0)
    x = {
        "channels last": torch.randn(2, 32, 40, 40).permute(0, 2, 3, 1),
        "strided": torch.randn(2, 40, 40, 64)[..., ::2],
        "expanded": torch.randn(1, 1, 1, 32).expand(2, 40, 40, 32),
    }[layout]
    weight = torch.randn(64, 32).t().contiguous().t()
    torch.testing.assert_close(linear(x, weight), F.linear(x, weight), atol=1e-4, rtol=1e-5)


def test_a_missing_bias_and_frozen_parts_have_no_gradient():
    x, weight, _ = drawn((3, 700, 96), 96, dtype=torch.float32)
    weight.requires_grad_(False)
    OP(x, weight, None).sum().backward()
    assert weight.grad is None
    torch.testing.assert_close(x.grad, weight.sum(0).expand_as(x), atol=1e-5, rtol=1e-5)


def test_second_derivatives_are_right():
    inputs = drawn((3, 2, 4), 5, dtype=torch.float64)
    assert torch.autograd.gradgradcheck(OP, inputs)


def test_it_passes_torchs_own_checks():
    torch.library.opcheck(OP.default, tuple(drawn((4, 5), 3, dtype=torch.float32)))


@held_back
def test_large_products_of_float32_are_taken_over():
    x, weight, bias = drawn((3, 700, 96), 96, dtype=torch.float32)
    assert called(linear, x, weight, bias)


def with_autocast(x, weight):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert linear(x, weight).dtype == torch.bfloat16


def switched_off(x, weight):
    # The switch warns of a flag for Intel's GPUs that it sets along the way.
    with warnings.catch_warnings(action="ignore"), torch.backends.mkldnn.flags(enabled=False):
        linear(x, weight)


LEFT_TO_TORCH = {
    "small": lambda x, weight: linear(x[:1, :2], weight),
    "double": lambda x, weight: linear(x.double(), weight.double()),
    "half": lambda x, weight: linear(x.bfloat16(), weight.bfloat16()),
    "autocast": with_autocast,
    "switched off": switched_off,
    "function transform": lambda x, weight: torch.func.grad(lambda x: linear(x, weight).sum())(x),
    "vmap": lambda x, weight: torch.vmap(lambda x: linear(x, weight))(x),
    "compiled": lambda x, weight: torch.compile(linear, backend="eager", fullgraph=True)(x, weight),
}


@pytest.mark.parametrize("case", LEFT_TO_TORCH)
def test_it_is_torchs_own_where_that_is_as_good_or_knows_better(case):
    x, weight, _ = drawn((3, 700, 96), 96, dtype=torch.float32)
    assert called(LEFT_TO_TORCH[case], x.detach(), weight.detach()) is False


def test_both_counters_see_its_cost():
    layer, x = Linear(96, 96), torch.randn(3, 700, 96)
    with FlopCounterMode(display=False) as counter:
        layer(x)
    assert counter.get_total_flops() == 2 * 3 * 700 * 96 * 96
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        from fvcore.nn import FlopCountAnalysis
    logging.getLogger("fvcore").setLevel(logging.ERROR)
    assert FlopCountAnalysis(layer, x).total() == 3 * 700 * 96 * 96


def test_a_layer_starts_as_torchs_does():
    layers = []
    for kind in (Linear, nn.Linear):
        torch.manual_seed(0)
        layers.append(kind(7, 5))
    assert isinstance(layers[0], nn.Linear)
    for one, two in zip(*(layer.parameters() for layer in layers), strict=True):
        assert torch.equal(one, two)
