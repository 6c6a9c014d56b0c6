"""The parts of the hybrid feature cube: global and local interaction (Eq. 4 to 6)."""

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from remamber.layers.linear import Linear
from remamber.layers.spatial_scan import pointwise


class GlobalInteraction(nn.Module):
    """Eq. 4: the pooled text, projected to C channels, at every position.

    Differs from the paper as the release does: Linear and ReLU before the text is spread.
    """

    def __init__(self, text_width: int, channels: int) -> None:
        super().__init__()
        self.project = Linear(text_width, channels)

    def forward(
        self, image: Float[Tensor, "b c h w"], text_global: Float[Tensor, "b d"]
    ) -> Float[Tensor, "b c h w"]:
        """The global text feature, spread over the image's positions."""
        guidance = F.relu(self.project(text_global))
        return guidance[:, :, None, None].expand_as(image)


class LocalInteraction(nn.Module):
    """Eq. 5: similarity of every position with every token, then a convolution over the map.

    Differs from the paper as the release does: GELU after both projections and a last Linear.
    Outside ``release`` the maps of padding tokens are zero, so padding changes nothing.

    Attributes:
        shares: whether a position's values are shares over the tokens: they are not.

    Args:
        channels: C.
        text_width: d.
        text_length: t; the convolution reads one channel a token.
        width: width of the joint space, 512 in the release.
        release: let padding tokens into the map.
    """

    shares: ClassVar[bool] = False

    def __init__(
        self, channels: int, *, text_width: int, text_length: int, width: int, release: bool
    ) -> None:
        super().__init__()
        self.release = release
        self.image_proj = Linear(channels, width)
        self.text_proj = Linear(text_width, width)
        self.map_conv = nn.Conv2d(text_length, width, 3, padding=1)
        self.out_proj = Linear(width, channels)

    def interaction_map(
        self,
        image: Float[Tensor, "b c h w"],
        text: Float[Tensor, "b t d"],
        text_mask: Bool[Tensor, "b t"],
    ) -> Float[Tensor, "b t h w"]:
        """Plain dot products, no scale and no softmax: one map a token."""
        positions = F.gelu(self.image_proj(image.permute(0, 2, 3, 1)))
        tokens = F.gelu(self.text_proj(text))
        if not self.release:
            tokens = tokens * text_mask.unsqueeze(-1)
        return torch.einsum("b h w c, b t c -> b t h w", positions, tokens)

    def forward(
        self,
        image: Float[Tensor, "b c h w"],
        text: Float[Tensor, "b t d"],
        text_mask: Bool[Tensor, "b t"],
    ) -> Float[Tensor, "b c h w"]:
        """The local text feature of every position."""
        similarity = self.interaction_map(image, text, text_mask)
        return pointwise(self.out_proj, F.gelu(self.map_conv(similarity)))
