"""The selective scan of an image in several directions: SS2D's core, cross scan and merge fused.

One op for VMamba's SS2D (Liu et al. 2024), for ReMamber's channel scan and for plain one- and
bidirectional scans. Each direction finds its positions by arithmetic on the step's number, so
the image is never laid out once for each.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from remamber.ops import _directional_registration  # noqa: F401  (registers the operator)
from remamber.ops._directional_checks import check_directional
from remamber.ops.backends import AUTO, check_backend_name


def directional_scan(
    u: Float[Tensor, "b h w d"],
    delta: Float[Tensor, "b k h w d"],
    A: Float[Tensor, "kd n"],
    B: Float[Tensor, "b k h w n"],
    C: Float[Tensor, "b k h w n"],
    D: Float[Tensor, " kd"] | None = None,
    delta_bias: Float[Tensor, " kd"] | None = None,
    delta_softplus: bool = False,
    *,
    directions: Sequence[int],
    backend: str = AUTO,
) -> Float[Tensor, "b h w d"]:
    """Scan a channels-last image along k directions and sum what they give at each position.

    Along each direction it is ``selective_scan`` with that direction's own delta, B and C,
    which are indexed by position as u is, and its own rows i d .. (i + 1) d of A, D and
    delta_bias. Fast where d is the contiguous axis of u and delta.

    Args:
        u: the image; float32, bfloat16, float16 or float64, any strides.
        delta: step size before bias and softplus.
        A: diagonals of the state matrices, kd = k * d.
        B: input matrices.
        C: output matrices.
        D: skip connections.
        delta_bias: added to delta.
        delta_softplus: pass delta through softplus after the bias.
        directions: how each direction reads the image: bit 0 column by column instead of row
            by row, bit 1 from the end. ``FOUR_WAYS`` is SS2D, ``TWO_WAYS`` the channel scan.
        backend: ``auto`` or a name from ``available_backends()``.

    Returns:
        y in float32, or in float64 for float64: a sum over directions overflows in half
        precision.

    Raises:
        UserError: an argument has the wrong shape, dtype or device or a direction is not one
            of 0 to 3 (slug ``scan_shape``), or the backend is unknown or cannot run here (slug
            ``scan_backend``).
    """
    check_backend_name(backend)
    check_directional(u, delta, A, B, C, D, delta_bias, directions=directions)
    y: Tensor = torch.ops.remamber.directional_scan(
        u, delta, A, B, C, D, delta_bias, delta_softplus, list(directions), backend
    )[0]
    return y
