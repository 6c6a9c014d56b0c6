"""The selective scan, the recurrence at the heart of Mamba (Gu and Dao 2023, Algorithm 2)."""

from typing import Literal, overload

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from remamber.ops import _registration  # noqa: F401  (registers the operator)
from remamber.ops._checks import check_scan
from remamber.ops.backends import AUTO, check_backend_name

_Matrix = Float[Tensor, "b g n l"] | Float[Tensor, "b n l"]


@overload
def selective_scan(
    u: Float[Tensor, "b d l"],
    delta: Float[Tensor, "b d l"],
    A: Float[Tensor, "d n"],
    B: _Matrix,
    C: _Matrix,
    D: Float[Tensor, " d"] | None = ...,
    z: Float[Tensor, "b d l"] | None = ...,
    delta_bias: Float[Tensor, " d"] | None = ...,
    delta_softplus: bool = ...,
    return_last_state: Literal[False] = ...,
    *,
    backend: str = ...,
) -> Float[Tensor, "b d l"]: ...


@overload
def selective_scan(
    u: Float[Tensor, "b d l"],
    delta: Float[Tensor, "b d l"],
    A: Float[Tensor, "d n"],
    B: _Matrix,
    C: _Matrix,
    D: Float[Tensor, " d"] | None = ...,
    z: Float[Tensor, "b d l"] | None = ...,
    delta_bias: Float[Tensor, " d"] | None = ...,
    delta_softplus: bool = ...,
    *,
    return_last_state: Literal[True],
    backend: str = ...,
) -> tuple[Float[Tensor, "b d l"], Float[Tensor, "b d n"]]: ...


def selective_scan(
    u: Float[Tensor, "b d l"],
    delta: Float[Tensor, "b d l"],
    A: Float[Tensor, "d n"],
    B: _Matrix,
    C: _Matrix,
    D: Float[Tensor, " d"] | None = None,
    z: Float[Tensor, "b d l"] | None = None,
    delta_bias: Float[Tensor, " d"] | None = None,
    delta_softplus: bool = False,
    return_last_state: bool = False,
    *,
    backend: str = AUTO,
) -> Tensor | tuple[Tensor, Tensor]:
    """Scan h_t = exp(delta_t A) h_{t-1} + delta_t u_t B_t, y_t = C_t . h_t + D u_t over l.

    Mirrors mamba-ssm's ``selective_scan_fn``. Differs in that A must be real, that precisions
    may be mixed below float64, and that z gates y after y is rounded to u's dtype.

    Args:
        u: the input sequence; float32, bfloat16, float16 or float64, any strides.
        delta: step size before bias and softplus.
        A: diagonal of the state matrix.
        B: input matrix, shared by the d / g channels of a group; without g, by all.
        C: output matrix, shaped as B.
        D: skip connection.
        z: gate; y is multiplied by silu(z).
        delta_bias: added to delta.
        delta_softplus: pass delta through softplus after the bias.
        return_last_state: also return the state after the last step.
        backend: ``auto`` or a name from ``available_backends()``.

    Returns:
        y in u's dtype; on request also the state (b, d, n), in float32 or float64.

    Raises:
        UserError: an argument has the wrong shape, dtype or device (slug ``scan_shape``), or
            the backend is unknown or cannot run here (slug ``scan_backend``).
    """
    check_backend_name(backend)
    check_scan(u, delta, A, B, C, D, z, delta_bias)
    if B.ndim == 3:
        B, C = B.unsqueeze(1), C.unsqueeze(1)
    y, states = torch.ops.remamber.selective_scan(
        u, delta, A, B, C, D, delta_bias, delta_softplus, backend
    )
    if z is not None:
        y = y * F.silu(z).to(y.dtype)
    return (y, states[:, :, -1]) if return_last_state else y
