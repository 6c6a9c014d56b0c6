"""Learnable position embeddings of an image and of a text (paper 0.B.2)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

_STD = 0.02
"""Of the first embeddings, as in vision transformers."""


class ImagePositions(nn.Module):
    """Position embeddings of a feature map, learned on a square grid.

    The grid is the channel scan's, so that the number of parameters does not depend on the
    resolution; maps of another size read it by bilinear interpolation.

    Args:
        channels: C.
        grid: side of the grid.
    """

    def __init__(self, channels: int, *, grid: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, channels, grid, grid))
        nn.init.trunc_normal_(self.weight, std=_STD)

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """The image with the embedding of each position added."""
        size = (image.shape[2], image.shape[3])
        weight: Tensor = self.weight
        if weight.shape[2:] != size:
            weight = F.interpolate(weight, size=size, mode="bilinear", align_corners=False)
        return image + weight


class TextPositions(nn.Module):
    """Position embeddings of the tokens, counted from the start of the expression.

    Args:
        width: of a token.
        length: t.
    """

    def __init__(self, width: int, *, length: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(length, width))
        nn.init.trunc_normal_(self.weight, std=_STD)

    def forward(
        self, tokens: Float[Tensor, "b t d"], place: Int[Tensor, "b t"] | None = None
    ) -> Float[Tensor, "b t d"]:
        """The tokens with the embedding of each place added.

        Args:
            tokens: of an expression.
            place: of each token in the expression, where they are not in order.
        """
        return tokens + (self.weight if place is None else self.weight[place])
