"""The causal convolution by the CUDA kernel of Dao-AILab's causal-conv1d package.

The package can be installed without its kernel, so what is asked for is the extension module
``causal_conv1d_cuda``. Held to the torch form only through a stand-in for the package: no GPU
was at hand when this was written.
"""

import importlib
import importlib.util
from functools import cache

import torch
from torch import Tensor

from remamber.ops._contract import Backend

NAME = "causal-conv1d"
_BUILD = "CAUSAL_CONV1D_FORCE_BUILD=TRUE pip install --no-build-isolation 'remamber-bench[gpu]'"
_WIDTHS = range(2, 5)
_DTYPES = (torch.float32, torch.bfloat16, torch.float16)


@cache
def probe() -> Backend:
    """Whether package, extension and a CUDA device are all there; never raises."""
    if importlib.util.find_spec("causal_conv1d") is None:
        return Backend(NAME, False, "the package causal-conv1d is not installed (extra: gpu)")
    try:
        importlib.import_module("causal_conv1d_cuda")
        importlib.import_module("causal_conv1d")
    except Exception as error:  # a kernel built for another torch fails as it likes
        return Backend(NAME, False, f"no kernel in causal-conv1d: {error!r}; build it: {_BUILD}")
    if not torch.cuda.is_available():
        return Backend(NAME, False, "causal-conv1d is built, but there is no CUDA device")
    return Backend(NAME, True, "CUDA kernel of causal-conv1d")


def takes(x: Tensor, weight: Tensor, seq_idx: Tensor | None) -> bool:
    """Whether the kernel computes such tensors: CUDA, width 2 to 4, not float64.

    Sequence indices need eight channels to a vector.
    """
    plain = x.device.type == "cuda" and x.dtype in _DTYPES and weight.dtype in _DTYPES
    return plain and weight.shape[1] in _WIDTHS and (seq_idx is None or x.shape[1] % 8 == 0)


def convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None, seq_idx: Tensor | None, *, silu: bool
) -> Tensor:
    """The convolution; differentiable through the package's own backward kernel."""
    package = importlib.import_module("causal_conv1d")
    if seq_idx is not None:
        x, seq_idx = _channels_last(x), seq_idx.to(torch.int32)
    elif x.stride(2) != 1:
        x = x.contiguous()
    if bias is not None:
        bias = bias.to(weight.dtype)
    activation = "silu" if silu else None
    y: Tensor = package.causal_conv1d_fn(x, weight, bias, seq_idx=seq_idx, activation=activation)
    return y


def _channels_last(x: Tensor) -> Tensor:
    return x.transpose(1, 2).contiguous().transpose(1, 2)
