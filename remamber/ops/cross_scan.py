"""Cross scan and cross merge: an image as several sequences, and the sequences as an image.

SS2D of VMamba (Liu et al. 2024, CSM) reads row by row, column by column, and the reverses of
both. The channel scan of ReMamber (Sec. 3.5, the release's ``scan2``/``merge2``) reads row by
row only: forward twice, backward twice. These are the explicit copies, which the fused
``directional_scan`` does without and is held to.
"""

import functools
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

COLUMNS, BACKWARD = 1, 2
"""The bits of a direction: column by column instead of row by row, and from the end."""
FOUR_WAYS = (0, COLUMNS, BACKWARD, COLUMNS | BACKWARD)
"""SS2D's directions in the release's order."""
TWO_WAYS = (0, 0, BACKWARD, BACKWARD)
"""The channel scan's: two sets of parameters each way."""
SPATIAL_DIRECTIONS = {"four": FOUR_WAYS, "two": (0, BACKWARD), "one": (0,)}
"""How the images of a model are read, by ``scan_directions`` in its spec: SS2D, row by row both
ways, row by row from the start."""


def cross_scan(image: Float[Tensor, "b h w d"], directions: Sequence[int]) -> Tensor:
    """Lay one channels-last image out along each direction: ``b k d l``, l = h * w."""
    each = image.unsqueeze(1).expand(-1, len(directions), -1, -1, -1)
    return cross_scan_each(each, directions)


def cross_scan_each(images: Float[Tensor, "b k h w d"], directions: Sequence[int]) -> Tensor:
    """Lay k channels-last images out, each along its own direction: ``b k d l``."""
    b, k, h, w, d = images.shape
    sequences = images.new_empty(b, k, d, h * w)
    for i, direction in enumerate(directions):
        lines = images[:, i].permute((0, 3, 2, 1) if direction & COLUMNS else (0, 3, 1, 2))
        if direction & BACKWARD:
            lines = lines.flip(2, 3)
        sequences[:, i].view(lines.shape).copy_(lines)
    return sequences


def cross_merge(
    sequences: Float[Tensor, "b k d l"], directions: Sequence[int], *, height: int
) -> Tensor:
    """Put the sequences back in the image's order and sum them: ``b h w d``.

    The adjoint of ``cross_scan``.
    """
    each = [_image(sequences[:, i], way, height) for i, way in enumerate(directions)]
    return functools.reduce(torch.add, each).contiguous()


def cross_merge_each(
    sequences: Float[Tensor, "b k d l"], directions: Sequence[int], *, height: int
) -> Tensor:
    """Put each sequence back in the image's order: ``b k h w d``, in memory ``k b h w d``."""
    b, k, d, length = sequences.shape
    images = sequences.new_empty(k, b, height, length // height, d)
    for i, direction in enumerate(directions):
        images[i].copy_(_image(sequences[:, i], direction, height))
    return images.transpose(0, 1)


def _image(sequence: Tensor, direction: int, height: int) -> Tensor:
    """One sequence ``b d l`` as a view, or reversed a copy, in the image's order ``b h w d``."""
    if direction & BACKWARD:
        sequence = sequence.flip(2)
    b, d, _ = sequence.shape
    if direction & COLUMNS:
        return sequence.reshape(b, d, -1, height).permute(0, 3, 2, 1)
    return sequence.reshape(b, d, height, -1).permute(0, 2, 3, 1)
