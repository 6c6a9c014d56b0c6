"""Convolution, BatchNorm, ReLU: in inference the first two are one convolution."""

from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

Convolve = Callable[[Tensor, Tensor | None], Tensor]
"""Convolves what it knows with a weight and a bias."""


def rectified(layers: Iterable[nn.Module], convolve: Convolve) -> Float[Tensor, "b o h w"]:
    """``relu(norm(convolution(...)))``, where ``convolve`` says what is convolved and how.

    Without gradients and with the norm's stored statistics its scale goes into the weight and its
    shift into the bias, so that the map is not read and written again for them.

    Args:
        layers: the convolution, its norm and a ReLU.
        convolve: see ``Convolve``.
    """
    convolution, norm = convolution_and_norm(layers)
    if not foldable(norm):
        return F.relu(norm(convolve(convolution.weight, convolution.bias)), inplace=True)
    weight, bias = folded(convolution, norm)
    return F.relu(convolve(weight, bias), inplace=True)


def convolution_and_norm(layers: Iterable[nn.Module]) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """The first two of some layers.

    Raises:
        TypeError: they are something else.
    """
    convolution, norm, *_ = layers
    if not isinstance(convolution, nn.Conv2d) or not isinstance(norm, nn.BatchNorm2d):
        raise TypeError(f"no convolution with its norm: {type(convolution)}, {type(norm)}")
    return convolution, norm


def foldable(norm: nn.BatchNorm2d) -> bool:
    """Whether the norm is a fixed map, nothing asks for a gradient, and there are numbers."""
    return (
        not norm.training
        and not torch.is_grad_enabled()
        and not torch._C._get_tracing_state()
        # What counts or traces a model is to meet its layers as they are written.
        and type(norm.running_mean) is Tensor
        and not norm.running_mean.is_meta
    )


def folded(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight and bias of the convolution that is both, with the norm's stored statistics."""
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        raise ValueError("a norm without stored statistics cannot be folded")
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    shift = -mean if convolution.bias is None else convolution.bias - mean
    return convolution.weight * scale.view(-1, 1, 1, 1), norm.bias + shift * scale
