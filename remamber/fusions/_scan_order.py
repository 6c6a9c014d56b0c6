"""The scan orderings of the Twisting layer (Eq. 7, Tab. 3), one short function each.

An ordering turns the cube (3C channels) into C channels. It declares the parts it uses by
naming them as arguments; a part that it does not name is never built:

- ``channel``: the residual channel scan, for any number of channels;
- ``spatial``: SS2D, cube to C;
- ``project``: a 1x1 convolution without bias, cube to C.
"""

import inspect
from collections.abc import Callable

from torch import Tensor, nn

from remamber.registry import SCAN_ORDERS

ScanOrder = Callable[..., Tensor]
register = SCAN_ORDERS.register


@register("channel")
def channel_only(cube: Tensor, *, channel: nn.Module, project: nn.Module) -> Tensor:
    """Channel only: the channels are scanned, positions mix through the projections alone."""
    result: Tensor = project(channel(cube))
    return result


@register("spatial")
def spatial_only(cube: Tensor, *, spatial: nn.Module) -> Tensor:
    """Spatial only: no channel scan."""
    result: Tensor = spatial(cube)
    return result


@register("parallel")
def parallel(cube: Tensor, *, channel: nn.Module, spatial: nn.Module, project: nn.Module) -> Tensor:
    """Parallel: both scans read the cube and their results are added."""
    result: Tensor = spatial(cube) + project(channel(cube))
    return result


@register("spatial-channel")
def spatial_channel(cube: Tensor, *, channel: nn.Module, spatial: nn.Module) -> Tensor:
    """Spatial-Channel: the channel scan reads the C channels that the spatial scan gives."""
    result: Tensor = channel(spatial(cube))
    return result


@register("channel-spatial")
def channel_spatial(cube: Tensor, *, channel: nn.Module, spatial: nn.Module) -> Tensor:
    """Channel-Spatial: the released layer."""
    result: Tensor = spatial(channel(cube))
    return result


def parts_of(order: ScanOrder) -> tuple[str, ...]:
    """Names of the parts that an ordering uses, in the order of its arguments."""
    return tuple(inspect.signature(order).parameters)[1:]
