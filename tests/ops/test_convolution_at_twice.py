"""The convolution of an enlarged map from products at its own size, against torch's in float64."""

import importlib

import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from remamber.errors import UserError
from remamber.ops import by_products, convolution_at_twice
from remamber.ops.backends import resolve_backend

OP = torch.ops.remamber.convolution_at_twice
SHAPES = [(2, 32, 48, 9, 13), (1, 5, 33, 4, 20), (1, 16, 100, 4, 4), (3, 64, 64, 17, 8)]
compiled = pytest.mark.skipif(
    resolve_backend("auto") != "cpu", reason="numba compiles no kernels on this machine"
)


def plain(x, weight, bias, align_corners):
    large = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=align_corners)
    return F.conv2d(large, weight, bias, padding=1)


def ours(x, weight, bias, align_corners):
    return OP(x.permute(0, 2, 3, 1), weight, bias, align_corners).permute(0, 3, 1, 2)


def drawn(shape, **options):
    b, i, o, h, w = shape
    generator = torch.Generator().manual_seed(0)
    sizes = [(b, i, h, w), (o, i, 3, 3), (o,)]
    values = [torch.randn(s, generator=generator, dtype=torch.float64) for s in sizes]
    return [value.to(**options).requires_grad_() for value in values]


def results(function, arguments, align_corners):
    y = function(*arguments, align_corners)
    generator = torch.Generator().manual_seed(1)
    cotangent = torch.randn(y.shape, generator=generator, dtype=torch.float64).to(y)
    return y.detach(), *torch.autograd.grad(y, arguments, cotangent)


@compiled
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("align_corners", [True, False])
def test_results_and_gradients_are_those_of_float64_to_float32s_rounding(shape, align_corners):
    exact = results(plain, drawn(shape, dtype=torch.float64), align_corners)
    close = results(ours, drawn(shape, dtype=torch.float32), align_corners)
    for actual, expected in zip(close, exact, strict=True):
        bound = 5e-6 * expected.abs().max().item()
        torch.testing.assert_close(actual.double(), expected, atol=bound, rtol=0)


@compiled
def test_neither_threads_nor_layout_change_the_result():
    x, weight, bias = (value.detach() for value in drawn((2, 64, 96, 24, 24), dtype=torch.float32))
    threads, expected = torch.get_num_threads(), ours(x, weight, bias, True)
    try:
        torch.set_num_threads(1)
        alone = ours(x, weight, bias, True)
    finally:
        torch.set_num_threads(threads)
    last = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(alone, expected, atol=2e-5, rtol=0)
    torch.testing.assert_close(ours(last, weight, bias, True), expected, atol=2e-5, rtol=0)


@compiled
def test_blocks_of_channels_give_what_all_together_give(monkeypatch):
    x, weight, bias = drawn((1, 16, 130, 8, 8), dtype=torch.float32)
    whole = results(ours, [x, weight, bias], True)
    module = importlib.import_module("remamber.ops.convolution_at_twice")
    monkeypatch.setattr(module, "_ROOM", 1)
    for few, all_at_once in zip(results(ours, [x, weight, bias], True), whole, strict=True):
        torch.testing.assert_close(few, all_at_once, atol=1e-4, rtol=1e-5)


@compiled
def test_a_missing_bias_and_frozen_parts_have_no_gradient():
    x, weight, _ = drawn((1, 16, 48, 8, 8), dtype=torch.float32)
    weight.requires_grad_(False)
    y = ours(x, weight, None, True)
    torch.testing.assert_close(y, plain(x, weight, None, True), atol=1e-4, rtol=0)
    y.sum().backward()
    assert weight.grad is None and x.grad is not None


@compiled
def test_large_float32_maps_on_a_cpu_take_products_and_nothing_else_does():
    x, weight = torch.randn(1, 64, 32, 32), torch.randn(64, 64, 3, 3)
    assert by_products(x, weight)
    assert not by_products(x.double(), weight.double())
    assert not by_products(x.bfloat16(), weight.bfloat16())
    assert not by_products(x[:, :, :3], weight)
    assert not by_products(x.to("meta"), weight.to("meta"))
    with torch.autocast("cpu", torch.bfloat16):
        assert not by_products(x, weight)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (3, 9)])
@pytest.mark.parametrize("align_corners", [True, False])
def test_maps_too_small_for_the_kernels_are_torchs(size, align_corners):
    x, weight, bias = torch.randn(1, 40, *size), torch.randn(48, 40, 3, 3), torch.randn(48)
    actual = convolution_at_twice(x, weight, bias, align_corners=align_corners)
    torch.testing.assert_close(actual, plain(x, weight, bias, align_corners), atol=1e-4, rtol=0)


@compiled
def test_its_flops_are_those_of_the_convolution_that_it_stands_for():
    x, weight, bias = drawn((2, 64, 64, 16, 16), dtype=torch.float32)
    with FlopCounterMode(display=False) as counter:
        convolution_at_twice(x, weight, bias).sum().backward()
    assert counter.get_total_flops() == 3 * (2 * 2 * 32 * 32 * 64 * 64 * 9)


@compiled
def test_second_derivatives_are_refused():
    x, weight, bias = drawn((1, 16, 48, 8, 8), dtype=torch.float32)
    y = ours(x, weight, bias, True).square().sum()
    with pytest.raises(UserError, match="convolution_at_twice"):
        torch.autograd.grad(y, x, create_graph=True)
