import importlib.util
import sys
from types import SimpleNamespace

import pytest
import torch
from scan_cases import NAMES, relative_error, scan_arguments

from remamber.errors import UserError
from remamber.ops import mamba_ssm, reference
from remamber.ops._contract import CHUNK, ScanInputs, state_count

STRIDE = 2048


class Extension:
    """Stands in for ``selective_scan_cuda``: checks its call as the kernel does, and computes.

    The kernel asks for contiguous steps, one dtype for all that varies with them and float32 for
    the rest, B and C of four axes; its x has pairs of every 2048th and the last step's state.
    """

    def __init__(self):
        self.calls = []

    def fwd(self, u, delta, A, B, C, D, z, delta_bias, delta_softplus):
        inputs = self._checked(u, delta, A, B, C, D, z, delta_bias, delta_softplus)
        y, _ = reference.forward(inputs)
        states = [
            reference.forward(_until(inputs, stop))[1][:, :, -1]
            for stop in [*range(STRIDE, u.shape[-1], STRIDE), u.shape[-1]]
        ]
        x = torch.stack(states, 2).repeat_interleave(2, -1)
        x[..., 0::2] = float("nan")
        return [y, x]

    def bwd(self, u, delta, A, B, C, D, z, bias, dy, x, out, dz, softplus, recompute_out_z):
        inputs = self._checked(u, delta, A, B, C, D, z, bias, softplus)
        b, d, length = u.shape
        assert x.shape == (b, d, -(-length // STRIDE), 2 * A.shape[1])
        assert x.is_contiguous() and x.dtype == torch.float32
        assert dy.is_contiguous() and dy.dtype == u.dtype
        assert out is None and dz is None and recompute_out_z is False
        expected = self.fwd(u, delta, A, B, C, D, z, bias, softplus)[1]
        torch.testing.assert_close(x[..., 1::2], expected[..., 1::2])
        assert torch.isfinite(x).all()
        grads = reference.backward(inputs, states=expected, dy=dy, dstates=None)
        return [grad.float() if i > 1 else grad for i, grad in enumerate(grads)]

    def _checked(self, u, delta, A, B, C, D, z, delta_bias, delta_softplus):
        assert z is None
        for varying in (u, delta, B, C):
            assert varying.is_contiguous() and varying.dtype == u.dtype
        assert B.ndim == C.ndim == 4
        for fixed in (A, D, delta_bias):
            assert fixed is None or (fixed.is_contiguous() and fixed.dtype == torch.float32)
        assert type(delta_softplus) is bool
        self.calls.append(u.dtype)
        return ScanInputs(u, delta, A, B, C, D, delta_bias, delta_softplus)


def _until(inputs, stop):
    cut = {name: getattr(inputs, name)[..., :stop] for name in ("u", "delta", "B", "C")}
    return inputs._replace(**cut)


@pytest.fixture
def extension(monkeypatch):
    made = Extension()
    monkeypatch.setitem(sys.modules, "selective_scan_cuda", made)
    return made


def _inputs(*sizes, dtype=torch.float32):
    values = scan_arguments(*sizes, dtype=torch.float32)
    for name in ("u", "delta", "B", "C"):
        values[name] = values[name].to(dtype)
    return ScanInputs(*(values[name] for name in NAMES), True)


@pytest.mark.parametrize("length", [1, 130, STRIDE, STRIDE + 1, 2 * STRIDE + 200])
def test_states_lie_where_the_contract_has_them_and_serve_the_gradient(extension, length):
    inputs = _inputs(1, 2, length, 2, 1)
    y, states = mamba_ssm.forward(inputs)
    expected_y, expected = reference.forward(inputs)
    assert torch.equal(y, expected_y)
    assert states.shape == (1, 2, state_count(length), 2)
    ends = [i for i in range(state_count(length)) if (i + 1) * CHUNK % STRIDE == 0]
    for slot in {*ends, state_count(length) - 1}:
        torch.testing.assert_close(states[:, :, slot], expected[:, :, slot])
    dy = torch.randn_like(y)
    found = mamba_ssm.backward(inputs, states=states, dy=dy, dstates=None)
    wanted = reference.backward(inputs, states=expected, dy=dy, dstates=None)
    for name, mine, theirs in zip(NAMES, found, wanted, strict=True):
        assert torch.equal(mine, theirs), name


def test_any_strides_and_several_groups_reach_the_kernel_contiguous(extension):
    inputs = _inputs(2, 4, 9, 3, 2)
    strided = inputs._replace(
        u=inputs.u.transpose(1, 2).contiguous().transpose(1, 2),
        B=inputs.B.repeat_interleave(2, -1)[..., ::2],
        A=inputs.A.t().contiguous().t(),
    )
    assert not strided.u.is_contiguous()
    expected, states = mamba_ssm.forward(inputs)
    assert torch.equal(mamba_ssm.forward(strided)[0], expected)
    dy = torch.randn(2, 9, 4).transpose(1, 2)
    grads = mamba_ssm.backward(strided, states=states, dy=dy, dstates=None)
    assert grads.B.shape == inputs.B.shape


def test_one_low_precision_stays_and_mixed_ones_meet_in_float32(extension):
    low = _inputs(1, 2, 5, 1, 1, dtype=torch.bfloat16)
    mixed = low._replace(B=low.B.float(), D=None)
    for inputs, seen in ((low, torch.bfloat16), (mixed, torch.float32)):
        y, states = mamba_ssm.forward(inputs)
        assert extension.calls[-1] == seen
        assert (y.dtype, states.dtype) == (torch.bfloat16, torch.float32)
        grads = mamba_ssm.backward(inputs, states=states, dy=y, dstates=None)
        for name, grad, given in zip(NAMES, grads, inputs, strict=False):
            assert grad.numel() == 0 if given is None else grad.dtype == given.dtype, name
    assert relative_error(y, reference.forward(low._replace(D=None))[0]) < 0.01


def test_the_gradient_of_the_last_state_is_refused_with_a_way_out(extension):
    inputs = _inputs(1, 2, 5, 1, 1)
    y, states = mamba_ssm.forward(inputs)
    with pytest.raises(UserError, match="no gradient for the last state") as error:
        mamba_ssm.backward(inputs, states=states, dy=y, dstates=states)
    assert error.value.fix == ("--scan-backend triton",)


def test_more_states_than_the_kernel_takes_are_refused(extension):
    with pytest.raises(UserError, match="at most 256 states, these are 257"):
        mamba_ssm.forward(_inputs(1, 1, 1, 257, 1))


@pytest.mark.parametrize("package", [True, False])
def test_the_probe_tells_a_missing_package_from_a_missing_kernel(monkeypatch, package):
    monkeypatch.setitem(sys.modules, "selective_scan_cuda", None)
    spec = SimpleNamespace() if package else None
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    found = mamba_ssm.probe()
    assert not found.available
    words = "without its kernel" if package else "mamba-ssm is not installed (extra: gpu)"
    assert words in found.detail
    assert "MAMBA_KEEP_CUDA_BUILD=TRUE pip install mamba-ssm --no-build-isolation" in found.detail


@pytest.mark.parametrize("device", [True, False])
def test_the_kernel_alone_is_not_enough_without_a_device(monkeypatch, extension, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: device)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "A card")
    found = mamba_ssm.probe()
    assert found.available == device
    assert ("A card" if device else "no CUDA device") in found.detail


def test_it_takes_cuda_tensors_of_at_most_32_bits():
    assert mamba_ssm.takes(torch.device("cuda"), torch.float16)
    assert not mamba_ssm.takes(torch.device("cuda"), torch.float64)
    assert not mamba_ssm.takes(torch.device("cpu"), torch.float32)
