"""How LAVT brings words into an image: pixel-word attention and the language gate.

Yang et al. 2022, sections 3.2 and 3.3.
"""

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from remamber.fusions import Tap
from remamber.layers.linear import Linear
from remamber.layers.spatial_scan import pointwise


class InstanceNorm(nn.Module):
    """Every channel of every map to mean 0 and variance 1, eps 1e-5, without parameters.

    Differs from torch's in that a map of a single position, which gives 0, is no error.
    """

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Normalise over positions."""
        normed: Tensor = torch.group_norm(x, x.shape[1], eps=1e-5)
        return normed


class GatedWords(nn.Module):
    """What PWAM ends in: the words that a position found times the position, and a 1x1 map.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = Linear(channels, channels)

    def forward(
        self, image: Float[Tensor, "b c h w"], words: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, "b c h w"]:
        """The multi-modal feature F of every position."""
        return F.gelu(pointwise(self.linear, image * words))


class PixelWordAttention(nn.Module):
    """PWAM: every position gathers the words by one head of attention, and is gated by them.

    With V the image, L the words and n the instance norm:

        G = n(1x1(softmax(n(1x1(V)) K(L)^T / sqrt(C)) . values(L)))
        F = GELU(1x1(GELU(1x1(V)) . G))

    Padding is left out of the softmax altogether; the published model subtracts 10,000 from its
    scores, which comes to the same in float32.

    Attributes:
        shares: whether a position's values are shares over the tokens: they add up to one.
        taps: display name -> the place: image and words before one gates the other, and after.

    Args:
        channels: C of the stage.
        text_width: d, width of a word's feature.
    """

    shares: ClassVar[bool] = True

    def __init__(self, channels: int, *, text_width: int) -> None:
        super().__init__()
        self.taps = {
            "before gating": Tap("gated", groups=("image", "local"), reads="input"),
            "output": Tap("gated"),
        }
        self.visual = Linear(channels, channels)
        self.query = Linear(channels, channels)
        self.query_norm = InstanceNorm()
        self.key = Linear(text_width, channels)
        self.value = Linear(text_width, channels)
        self.out = Linear(channels, channels)
        self.out_norm = InstanceNorm()
        self.gated = GatedWords(channels)

    def forward(
        self,
        image: Float[Tensor, "b c h w"],
        text: Float[Tensor, "b t d"],
        text_mask: Bool[Tensor, "b t"],
    ) -> Float[Tensor, "b c h w"]:
        """Multi-modal features of the image's shape."""
        words = self.out_norm(pointwise(self.out, self._gathered(image, text, text_mask)))
        fused: Tensor = self.gated(F.gelu(pointwise(self.visual, image)), words)
        return fused

    def interaction_map(
        self,
        image: Float[Tensor, "b c h w"],
        text: Float[Tensor, "b t d"],
        text_mask: Bool[Tensor, "b t"],
    ) -> Float[Tensor, "b t h w"]:
        """What every position attends to; zero where there is no token."""
        weights = self._weights(image, text, text_mask).masked_fill(~text_mask.unsqueeze(1), 0.0)
        return torch.unflatten(weights.transpose(1, 2), 2, image.shape[2:])

    def _gathered(
        self,
        image: Float[Tensor, "b c h w"],
        text: Float[Tensor, "b t d"],
        text_mask: Bool[Tensor, "b t"],
    ) -> Float[Tensor, "b c h w"]:
        """Values of the words, weighted by how well a position's query meets their keys."""
        value = self.value(text) * text_mask.unsqueeze(2)
        gathered = self._weights(image, text, text_mask).to(value.dtype) @ value
        return torch.unflatten(gathered, 1, image.shape[2:]).permute(0, 3, 1, 2)

    def _weights(
        self,
        image: Float[Tensor, "b c h w"],
        text: Float[Tensor, "b t d"],
        text_mask: Bool[Tensor, "b t"],
    ) -> Float[Tensor, "b l t"]:
        query, key = self.query_norm(pointwise(self.query, image)), self.key(text)
        positions = query.permute(0, 2, 3, 1).flatten(1, 2).to(key.dtype)
        scores = positions @ key.transpose(1, 2) * query.shape[1] ** -0.5
        # Not minus infinity, whose softmax over an expression without a word would be NaN.
        scores = scores.masked_fill(~text_mask.unsqueeze(1), torch.finfo(scores.dtype).min)
        weights: Tensor = scores.softmax(dim=2)
        return weights


class LanguageGate(nn.Module):
    """How much of the multi-modal features enters the image's path: two linear maps, then tanh.

    Args:
        channels: C of the stage.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = Linear(channels, channels, bias=False)
        self.second = Linear(channels, channels, bias=False)

    def forward(self, fused: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """What is added to the image: ``tanh(W2 relu(W1 F)) . F``."""
        gate = pointwise(self.second, F.relu(pointwise(self.first, fused))).tanh()
        return gate * fused
