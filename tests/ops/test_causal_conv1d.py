"""The causal convolution: the torch form against a loop, and the CUDA adapter with a stand-in."""

import importlib.machinery
import sys
import types

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from remamber.errors import UserError
from remamber.ops import _causal_conv1d_cuda as kernel
from remamber.ops.causal_conv1d import causal_conv1d


def by_loop(x, weight, bias, seq_idx=None, *, silu=False):
    b, d, length = x.shape
    width = weight.shape[1]
    y = torch.zeros_like(x) if bias is None else bias[:, None].repeat(b, 1, length)
    for i in range(b):
        for t in range(length):
            for lag in range(min(width, t + 1)):
                if seq_idx is None or seq_idx[i, t] == seq_idx[i, t - lag]:
                    y[i, :, t] += weight[:, width - 1 - lag] * x[i, :, t - lag]
    return F.silu(y) if silu else y


def arguments(b=2, d=3, length=9, width=4, *, dtype=torch.float64):
    shapes = {"x": (b, d, length), "weight": (d, width), "bias": (d,)}
    return {name: torch.randn(shape, dtype=dtype) for name, shape in shapes.items()}


SIZES = [(2, 3, 9, 4), (1, 5, 1, 4), (2, 2, 3, 7), (1, 1, 12, 1), (3, 8, 33, 2)]


@pytest.mark.parametrize("activation", [None, "silu", "swish"])
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_it_is_the_sum_over_present_and_earlier_steps(sizes, with_bias, activation):
    values = arguments(*sizes)
    if not with_bias:
        values["bias"] = None
    found = causal_conv1d(**values, activation=activation)
    torch.testing.assert_close(found, by_loop(**values, silu=activation is not None))


def test_packed_sequences_are_convolved_apart():
    values = arguments(2, 4, 12, 4)
    seq_idx = torch.tensor([[0] * 5 + [1] * 2 + [2] * 5, [3] * 12], dtype=torch.int32)
    packed = causal_conv1d(**values, seq_idx=seq_idx, activation="silu")
    torch.testing.assert_close(packed, by_loop(**values, seq_idx=seq_idx, silu=True))
    x = values.pop("x")
    parts = [causal_conv1d(p, **values, activation="silu") for p in x.split([5, 2, 5], dim=2)]
    torch.testing.assert_close(packed[:1], torch.cat(parts, dim=2)[:1])


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_change_reaches_no_earlier_step_and_no_other_channel_or_sample(packed, dtype):
    values = arguments(2, 5, 40, 4, dtype=dtype)
    if packed:
        values["seq_idx"] = torch.zeros(2, 40, dtype=torch.int64)
    before = causal_conv1d(**values, activation="silu")
    for value in (1e4, float("nan"), float("inf")):
        changed = values | {"x": values["x"].clone()}
        changed["x"][1, 2, 17] = value
        after = causal_conv1d(**changed, activation="silu")
        differs = torch.zeros(2, 5, 40, dtype=torch.bool)
        differs[1, 2, 17:21] = True
        same = (after == before) & ~after.isnan()
        assert torch.equal(~same, differs), value


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("with_bias", [True, False])
def test_gradients_pass_gradcheck(packed, with_bias):
    values = arguments(2, 3, 6, 4)
    seq_idx = torch.tensor([[0, 0, 1, 1, 1, 2]] * 2) if packed else None
    names = ["x", "weight", "bias"][: 2 + with_bias]
    leaves = [values[name].requires_grad_() for name in names]

    def convolve(*tensors):
        named = dict(zip(names, tensors, strict=True))
        return causal_conv1d(**named, seq_idx=seq_idx, activation="silu")

    assert torch.autograd.gradcheck(convolve, leaves)


def test_any_strides_give_the_same_values():
    values = arguments(2, 6, 20, 4)
    strided = values | {
        "x": values["x"].transpose(1, 2).contiguous().transpose(1, 2),
        "weight": values["weight"].repeat_interleave(3, 1)[:, ::3],
    }
    assert not strided["x"].is_contiguous()
    torch.testing.assert_close(causal_conv1d(**strided), causal_conv1d(**values))
    one = values["x"][:1, :1]
    expanded = values | {"x": one.expand(2, 6, 20)}
    whole = values | {"x": one.expand(2, 6, 20).contiguous()}
    torch.testing.assert_close(causal_conv1d(**expanded), causal_conv1d(**whole))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_comes_out_as_it_went_in(dtype):
    values = arguments(dtype=torch.float32)
    low = values | {"x": values["x"].to(dtype)}
    found = causal_conv1d(**low, activation="silu")
    exact = by_loop(**{n: v.double() for n, v in low.items()}, silu=True)
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), exact, atol=1e-2, rtol=torch.finfo(dtype).eps)


def test_autocast_keeps_the_inputs_dtype():
    values = arguments(dtype=torch.float32)
    exact = causal_conv1d(**values)
    with torch.autocast("cpu", torch.bfloat16):
        found = causal_conv1d(**values)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, exact, atol=0.05, rtol=0.02)


def test_it_compiles_as_one_graph_and_its_flops_are_counted():
    values = arguments(2, 8, 10, 4, dtype=torch.float32)
    compiled = torch.compile(causal_conv1d, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(**values), causal_conv1d(**values))
    with FlopCounterMode(display=False) as counter:
        causal_conv1d(**values)
    assert counter.get_total_flops() == 2 * 2 * 8 * 10 * 4


WRONG = {
    "x has shape (3, 9), expected (b, d, l)": lambda v: {"x": v["x"][0]},
    "x has shape (2, 3, 0), expected": lambda v: {"x": v["x"][..., :0]},
    "x has dtype torch.int64": lambda v: {"x": v["x"].long()},
    "weight has shape (2, 4), expected (d, width) = (3, width)": lambda v: {
        "weight": v["weight"][:2]
    },
    "weight has shape (3, 1, 4), expected": lambda v: {"weight": v["weight"][:, None]},
    "weight has dtype torch.float32 but x has torch.float64": lambda v: {
        "weight": v["weight"].float()
    },
    "weight is on meta, expected x's device cpu": lambda v: {"weight": v["weight"].to("meta")},
    "bias has shape (2,), expected (3,)": lambda v: {"bias": v["bias"][:2]},
    "seq_idx has shape (2, 8), expected (2, 9)": lambda v: {
        "seq_idx": torch.zeros(2, 8, dtype=torch.int32)
    },
    "seq_idx is torch.float32 on cpu, expected int32": lambda v: {"seq_idx": torch.zeros(2, 9)},
    "activation is 'relu', expected None or 'silu'": lambda v: {"activation": "relu"},
}


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_argument_is_named_with_what_was_expected(words):
    values = arguments()
    with pytest.raises(UserError) as error:
        causal_conv1d(**(values | WRONG[words](values)))
    assert error.value.slug == "conv_shape"
    assert words in error.value.what


def test_an_unknown_backend_and_one_that_cannot_run_are_refused():
    with pytest.raises(UserError, match="no causal_conv1d backend is called 'cuda'"):
        causal_conv1d(**arguments(), backend="cuda")
    kernel.probe.cache_clear()
    if not kernel.probe().available:
        with pytest.raises(UserError, match="'causal-conv1d' cannot run here: .*causal-conv1d"):
            causal_conv1d(**arguments(), backend="causal-conv1d")


@pytest.fixture
def installed(monkeypatch):
    """Stand-ins for the package and its extension; the calls are kept."""
    calls = []

    def causal_conv1d_fn(x, weight, bias=None, seq_idx=None, activation=None):
        calls.append({"x": x, "weight": weight, "bias": bias, "seq_idx": seq_idx})
        return causal_conv1d(x, weight, bias, seq_idx, activation=activation, backend="torch")

    def install(name, **contents):
        module = types.ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)

    install("causal_conv1d", causal_conv1d_fn=causal_conv1d_fn)
    install("causal_conv1d_cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    kernel.probe.cache_clear()
    yield calls
    kernel.probe.cache_clear()


def test_the_probe_asks_for_the_extension_and_a_device(installed, monkeypatch):
    assert kernel.probe().available
    kernel.probe.cache_clear()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert kernel.probe().detail == "causal-conv1d is built, but there is no CUDA device"
    kernel.probe.cache_clear()
    monkeypatch.setitem(sys.modules, "causal_conv1d_cuda", None)
    found = kernel.probe()
    assert not found.available
    assert "no kernel in causal-conv1d" in found.detail
    assert "CAUSAL_CONV1D_FORCE_BUILD=TRUE pip install" in found.detail


def test_a_package_that_is_not_there_names_the_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    kernel.probe.cache_clear()
    assert "(extra: gpu)" in kernel.probe().detail
    kernel.probe.cache_clear()


def test_the_kernel_is_not_asked_for_what_it_cannot_do():
    x, weight = torch.empty(1, 12, 5), torch.empty(12, 4)
    assert not kernel.takes(x, weight, None)
    x, weight = (_on_cuda(t) for t in (x, weight))
    seq_idx = torch.zeros(1, 5, dtype=torch.int32)
    assert kernel.takes(x, weight, None)
    assert not kernel.takes(x, _on_cuda(torch.empty(12, 5)), None)
    assert not kernel.takes(x.double(), weight, None)
    assert not kernel.takes(x, weight, seq_idx)
    assert kernel.takes(_on_cuda(torch.empty(1, 16, 5)), weight, seq_idx)


def _on_cuda(tensor):
    """As much of a CUDA tensor as the question needs."""
    made = types.SimpleNamespace(
        device=torch.device("cuda"), dtype=tensor.dtype, shape=tensor.shape
    )
    made.double = lambda: _on_cuda(tensor.double())
    return made


def test_the_kernel_is_called_with_the_layouts_it_takes(installed):
    values = arguments(2, 8, 6, 4, dtype=torch.float32)
    values["x"] = values["x"].to(torch.bfloat16)
    strided = values["x"].repeat_interleave(2, 2)[..., ::2]
    y = kernel.convolve(strided, values["weight"], values["bias"].bfloat16(), None, silu=True)
    assert torch.equal(
        y, causal_conv1d(**values | {"bias": values["bias"].bfloat16()}, activation="silu")
    )
    assert installed[-1]["x"].stride(2) == 1
    assert installed[-1]["bias"].dtype == torch.float32
    seq_idx = torch.tensor([[0, 0, 0, 1, 1, 1]] * 2)
    y = kernel.convolve(values["x"], values["weight"], None, seq_idx, silu=False)
    assert torch.equal(y, causal_conv1d(values["x"], values["weight"], seq_idx=seq_idx))
    assert installed[-1]["x"].stride() == (48, 1, 8)
    assert installed[-1]["seq_idx"].dtype == torch.int32
