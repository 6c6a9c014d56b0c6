"""What a fused directional scan is given and gives back.

The image is channels-last: delta, B and C are indexed by its positions, not by a direction's
steps. Direction i owns the rows i d .. (i + 1) d of A, D and delta_bias.
"""

from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from remamber.ops._contract import state_count, state_dtype

Sizes: TypeAlias = tuple[int, int, int, int, int, int]


class DirectionalInputs(NamedTuple):
    """The op's arguments after checks.

    Shapes: u (b, h, w, d); delta (b, k, h, w, d); A (k d, n); B, C (b, k, h, w, n); D,
    delta_bias (k d) or None. Any strides; those of the model keep d, or n, contiguous.
    """

    u: Tensor
    delta: Tensor
    A: Tensor
    B: Tensor
    C: Tensor
    D: Tensor | None
    delta_bias: Tensor | None
    delta_softplus: bool
    directions: tuple[int, ...]

    @property
    def sizes(self) -> Sizes:
        """The sizes b, k, h, w, d, n."""
        b, h, w, d = self.u.shape
        return b, len(self.directions), h, w, d, self.A.shape[1]


class DirectionalGradients(NamedTuple):
    """The loss's derivative by each tensor argument, in that argument's shape and dtype.

    Contiguous, but for delta's, which lies in memory as (k, b, h, w, d): ``empty_ddelta``.
    Where D or delta_bias was None its place holds an empty tensor.
    """

    u: Tensor
    delta: Tensor
    A: Tensor
    B: Tensor
    C: Tensor
    D: Tensor
    delta_bias: Tensor


def empty_results(u: Tensor, sizes: Sizes) -> tuple[Tensor, Tensor]:
    """Unwritten y (b, h, w, d) and states (b, k, ceil(h w / 128), n, d), float32 or float64.

    States are those after every 128th and the last step in each direction's own order; a
    backend may store in their place whatever its own backward wants.
    """
    b, k, h, w, d, n = sizes
    dtype = state_dtype(u.dtype)
    states = u.new_empty(b, k, state_count(h * w), n, d, dtype=dtype)
    return u.new_empty(b, h, w, d, dtype=dtype), states


def empty_ddelta(delta: Tensor, *, dtype: torch.dtype | None = None) -> Tensor:
    """Unwritten gradient of delta: each direction's, over all samples, is one block of memory.

    So it comes from, and goes into, one batched matrix product over the directions.
    """
    b, k, *rest = delta.shape
    return delta.new_empty(k, b, *rest, dtype=dtype).transpose(0, 1)
