"""The compiled kernels index bare addresses: what they may touch ends with the tensor."""

import math

import pytest
import torch

from remamber.ops import _cpu_directional, cpu
from remamber.ops._contract import ScanInputs
from remamber.ops._directional_contract import DirectionalInputs

MARGIN, MARK = 4096, 12345.0


def _walled(*shape):
    """The middle of a larger buffer; everything is NaN until it is written."""
    size = math.prod(shape)
    buffer = torch.full((size + 2 * MARGIN,), math.nan)
    return buffer, buffer[MARGIN : MARGIN + size].view(shape)


def _random(*shape):
    _, middle = _walled(*shape)
    return middle.copy_(torch.rand(shape))


@pytest.fixture
def outputs(monkeypatch):
    """Every tensor that a kernel is given to write, as its buffer with marks on both sides."""
    buffers = []

    def new_empty(like, *shape):
        buffer, middle = _walled(*(shape[0] if isinstance(shape[0], tuple) else shape))
        buffer[:MARGIN] = buffer[len(buffer) - MARGIN :] = MARK
        buffers.append(buffer)
        return middle

    monkeypatch.setattr(torch.Tensor, "new_empty", new_empty)
    return buffers


def _assert_whole(outputs, count):
    assert len(outputs) >= count
    for buffer in outputs:
        assert (buffer[:MARGIN] == MARK).all()
        assert (buffer[len(buffer) - MARGIN :] == MARK).all()
        assert buffer[MARGIN : len(buffer) - MARGIN].isfinite().all()


@pytest.mark.parametrize("length", [1, 17, 127, 128, 129])
@pytest.mark.parametrize("channels", [1, 15, 16, 17, 64, 65])
@pytest.mark.parametrize(("groups", "states"), [(1, 1), (2, 17)])
def test_a_scan_touches_its_own_memory_alone_and_all_of_it(
    outputs, length, channels, groups, states
):
    d = groups * channels
    matrices = [_random(2, groups, states, length) for _ in "BC"]
    sequences = [_random(2, d, length) for _ in "ud"]
    parameters = [_random(d), _random(d)]
    A = _random(d, states).neg_()
    inputs = ScanInputs(*sequences, A, *matrices, *parameters, True)
    y, kept = cpu.forward(inputs)
    dy, dstates = _random(*y.shape), _random(*kept.shape)
    grads = cpu.backward(inputs, states=kept, dy=dy, dstates=dstates)
    _assert_whole(outputs, 9)
    assert all(grad.isfinite().all() for grad in grads)


@pytest.mark.parametrize("size", [(1, 1), (1, 129), (16, 8), (11, 12)])
@pytest.mark.parametrize("channels", [1, 31, 32, 33, 64, 65, 130])
@pytest.mark.parametrize("states", [1, 17])
def test_a_directional_scan_touches_its_own_memory_alone_and_all_of_it(
    outputs, size, channels, states
):
    ways = (3, 0, 1, 2, 2)
    k = len(ways)
    u, delta = _random(2, *size, channels), _random(k, 2, *size, channels).transpose(0, 1)
    matrices = [_random(2, k, *size, states) for _ in "BC"]
    A = _random(k * channels, states).neg_()
    parameters = [_random(k * channels), _random(k * channels)]
    inputs = DirectionalInputs(u, delta, A, *matrices, *parameters, True, ways)
    y, kept = _cpu_directional.directional_forward(inputs)
    dy = _random(*y.shape)
    grads = _cpu_directional.directional_backward(inputs, states=kept, dy=dy)
    _assert_whole(outputs, 9)
    assert all(grad.isfinite().all() for grad in grads)
