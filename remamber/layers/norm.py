"""Layer normalisation over the channels of a feature map, at each pixel."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class LayerNorm2d(nn.LayerNorm):
    """LayerNorm over ``c`` of ``b c h w``, eps 1e-5, affine (the release's LN2d).

    In a model of half-precision weights a scan's output still comes in float32: it is normalised
    in that, and leaves in it.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-5)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Normalise each pixel's channels; a channels-last map is not copied."""
        last = x.permute(0, 2, 3, 1)
        weight: Tensor = self.weight
        bias: Tensor = self.bias
        if weight.dtype is not x.dtype and x.dtype is torch.promote_types(weight.dtype, x.dtype):
            weight, bias = weight.to(x.dtype), bias.to(x.dtype)
        last = F.layer_norm(last, self.normalized_shape, weight, bias, self.eps)
        return last.permute(0, 3, 1, 2)
