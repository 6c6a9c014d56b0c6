"""The causal depthwise convolution before Mamba's scan (Gu and Dao 2023, Fig. 3).

The torch form is the oracle and the CPU path; on CUDA the kernel of the package causal-conv1d is
used where it is really there.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from remamber.errors import ExitCode, UserError
from remamber.ops import _causal_conv1d_cuda as kernel
from remamber.ops._checks import Checks

_CHECKS = Checks("causal_conv1d", slug="conv_shape")
_BACKENDS = ("auto", "torch", kernel.NAME)
_INTEGERS = (torch.int32, torch.int64)


def causal_conv1d(
    x: Float[Tensor, "b d l"],
    weight: Float[Tensor, "d width"],
    bias: Float[Tensor, " d"] | None = None,
    seq_idx: Int[Tensor, "b l"] | None = None,
    *,
    activation: Literal["silu", "swish"] | None = None,
    backend: str = "auto",
) -> Float[Tensor, "b d l"]:
    """Convolve each channel with its own kernel over the present and earlier steps.

    y_t = act(bias + sum over j of weight[width - 1 - j] x_{t - j}), x before the first step being
    zero. Mirrors ``causal_conv1d_fn`` of the package causal-conv1d. Differs in that any width
    and float64 are allowed, and that states to start from and to return are not offered.

    Args:
        x: the sequences; any strides.
        weight: one kernel a channel, the present step's tap last.
        bias: added before the activation.
        seq_idx: which of several packed sequences a step belongs to, 0 or more; steps of
            another one count as zero.
        activation: None or "silu" (also called "swish").
        backend: "auto", "torch" or "causal-conv1d".

    Returns:
        y in x's dtype. FLOP counters see the torch form's convolution, not the CUDA kernel.

    Raises:
        UserError: an argument has the wrong shape, dtype, device or value (slug ``conv_shape``),
            or the backend is unknown or cannot run here (slug ``conv_backend``).
    """
    _check(x, weight, bias, seq_idx, activation)
    silu = activation is not None
    if _by_kernel(backend, x, weight, seq_idx):
        return kernel.convolve(x, weight, bias, seq_idx, silu=silu)
    mixed = x.to(weight.dtype)
    bias = None if bias is None else bias.to(weight.dtype)
    y = (
        _packed(mixed, weight, bias, seq_idx)
        if seq_idx is not None
        else _plain(mixed, weight, bias)
    )
    return (F.silu(y) if silu else y).to(x.dtype)


def _plain(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    d, width = weight.shape
    return F.conv1d(F.pad(x, (width - 1, 0)), weight.unsqueeze(1), bias, groups=d)


def _packed(x: Tensor, weight: Tensor, bias: Tensor | None, seq_idx: Tensor) -> Tensor:
    length, width = x.shape[2], weight.shape[1]
    past, sequences = F.pad(x, (width - 1, 0)), F.pad(seq_idx, (width - 1, 0), value=-1)
    y = torch.zeros_like(x) if bias is None else bias[:, None].expand_as(x)
    for tap in range(width):
        same = sequences[:, None, tap : tap + length] == seq_idx[:, None]
        y = y + weight[:, tap, None] * past[..., tap : tap + length].where(same, 0)
    return y


def _by_kernel(backend: str, x: Tensor, weight: Tensor, seq_idx: Tensor | None) -> bool:
    if backend not in _BACKENDS:
        raise _unusable(f"no causal_conv1d backend is called '{backend}'")
    if backend == "torch":
        return False
    fits = kernel.takes(x, weight, seq_idx)
    if backend == "auto":
        return fits and kernel.probe().available
    if not kernel.probe().available:
        raise _unusable(f"'{backend}' cannot run here: {kernel.probe().detail}")
    if not fits:
        raise _unusable(f"'{backend}' does not compute {x.dtype} of width {weight.shape[1]} there")
    return True


def _unusable(what: str) -> UserError:
    return UserError(
        what,
        where=[f"known: {', '.join(_BACKENDS)}"],
        fix=['backend="auto"'],
        exit_code=ExitCode.MISSING,
        slug="conv_backend",
    )


def _check(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    seq_idx: Tensor | None,
    activation: str | None,
) -> None:
    _CHECKS.kinds({"x": x, "weight": weight, "bias": bias})
    if x.ndim != 3 or 0 in x.shape:
        raise _CHECKS.shape_error("x", x, "(b, d, l) with no empty axis")
    b, d, length = x.shape
    if weight.ndim != 2 or weight.shape[0] != d or weight.shape[1] == 0:
        raise _CHECKS.shape_error("weight", weight, f"(d, width) = ({d}, width)")
    _CHECKS.shape("bias", bias, (d,))
    _CHECKS.shape("seq_idx", seq_idx, (b, length))
    if seq_idx is not None and (seq_idx.dtype not in _INTEGERS or seq_idx.device != x.device):
        raise _CHECKS.error(
            f"seq_idx is {seq_idx.dtype} on {seq_idx.device}, expected int32 on {x.device}"
        )
    if activation not in (None, "silu", "swish"):
        raise _CHECKS.error(f"activation is '{activation}', expected None or 'silu'")
