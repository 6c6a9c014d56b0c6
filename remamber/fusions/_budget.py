"""The parameter budget of a fusion variant: what the Twisting layers hold.

The paper gives its variants nearly equal sizes (103, 113, 118 and 116 MB of float32 weights).
Here a variant has one free width, in proportion to C at every stage, and the proportion is
fitted so that all stages together have as many parameters as the released Twisting layers.
"""

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import nn

from remamber.fusions import FusionShape
from remamber.layers.channel_scan import ChannelScan, GatedScan
from remamber.layers.norm import LayerNorm2d
from remamber.layers.spatial_scan import SpatialScan

Build = Callable[[FusionShape, int], nn.Module]
"""Makes everything that a variant adds to a stage, from the stage and the free width there."""

CUBE_PARTS = 3
"""Image, global and local features: the cube of the released layer."""


def parameter_count(module: nn.Module) -> int:
    """Parameters of a module, frozen ones too."""
    return sum(p.numel() for p in module.parameters())


def twisting_budget(shape: FusionShape) -> int:
    """Parameters of a stage's released Twisting layers, ``depth`` of them; interactions apart.

    With fewer directions than the release's four they hold fewer, and so do all variants.
    """
    c, grid = shape.channels, shape.channel_grid
    with torch.device("meta"):
        layer = [
            LayerNorm2d(c),
            SpatialScan(CUBE_PARTS * c, c, directions=shape.directions),
            ChannelScan(grid, scan=GatedScan(grid * grid)),
        ]
    return shape.spec.depth * sum(map(parameter_count, layer))


def fitted_width(shape: FusionShape, build: Build, *, multiple: Callable[[int], int]) -> int:
    """The variant's free width at a stage: the fitted proportion of C, rounded.

    Args:
        shape: the stage, and the channels of all stages.
        build: its parameters must grow linearly with the width. Called on the meta device.
        multiple: of C; the width is a multiple of it, such as the number of heads.

    Returns:
        The width, at least one multiple: where the variant exceeds the budget whatever its
        width (a wide text encoder on a tiny model), it is larger than the Twister, and tables
        show it.
    """
    # Counts depend on no seed, and the fit is the same for all stages of a model.
    stages = [shape._replace(channels=c, seed="") for c in shape.dims or (shape.channels,)]
    steps = tuple(multiple(stage.channels) for stage in stages)
    step = multiple(shape.channels)
    return max(1, round(_proportion(build, tuple(stages), steps) * shape.channels / step)) * step


@lru_cache(maxsize=64)
def _proportion(build: Build, stages: tuple[FusionShape, ...], steps: tuple[int, ...]) -> float:
    """The width as a share of C with which all stages together meet the budget."""
    free, slope = 0.0, 0.0
    for stage, step in zip(stages, steps, strict=True):
        with torch.device("meta"):
            one, two = (parameter_count(build(stage, n * step)) for n in (1, 2))
        free += twisting_budget(stage) - (2 * one - two)
        slope += (two - one) / step * stage.channels
    return free / slope


def round_width(channels: int) -> int:
    """A sixteenth of C: widths in such steps suit vector units and still meet the budget."""
    return max(1, channels // 16)
