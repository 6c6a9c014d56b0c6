"""The Mamba Twister: hybrid feature cube, channel scan and spatial scan (paper 3.3 and 3.5)."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from remamber.fusions import FusionShape
from remamber.fusions._interaction import GlobalInteraction, LocalInteraction
from remamber.fusions._options import with_options
from remamber.fusions._scan_order import parts_of
from remamber.layers.channel_scan import ChannelScan, GatedScan
from remamber.layers.dual_scan import dual_spatial_scan
from remamber.layers.mamba_channel_scan import MambaBlock
from remamber.layers.norm import LayerNorm2d
from remamber.layers.seeding import seeded
from remamber.layers.spatial_scan import SpatialScan
from remamber.registry import FUSIONS, SCAN_ORDERS

register = FUSIONS.register
CHANNEL_SCANS: dict[str, Callable[..., nn.Module]] = {"two-way": GatedScan, "causal": MambaBlock}
"""What reads the channels, by its name in the spec: the release's scan, or Mamba's own block."""
SPATIAL_SCANS: dict[str, Callable[..., nn.Module]] = {
    "selective": SpatialScan,
    "ssd": dual_spatial_scan,
}
"""What reads the image, by its name in the spec: the release's SS2D, or one of Mamba-2's kind."""


class TwistingLayer(nn.Module):
    """One Twisting layer: the cube's parts in, the cube's parts out.

    The parts (image first) are normalised by one shared LayerNorm and concatenated to the
    cube; the scan ordering's result is added to the image part. As in the release the other
    parts take part in the residual: they leave as ``c + LN(c)``.

    Args:
        shape: the stage.
        parts: number of parts in the cube, 3 with global and local text.
        name: seeds the initial weights.
    """

    def __init__(self, shape: FusionShape, *, parts: int, name: str) -> None:
        super().__init__()
        self.order = SCAN_ORDERS.get(shape.spec.scan_order)
        c, cube, grid = shape.channels, parts * shape.channels, shape.channel_grid
        channel_scan = CHANNEL_SCANS[shape.spec.channel_scan]
        spatial_scan = SPATIAL_SCANS[shape.spec.spatial_scan]
        build: dict[str, Callable[[], nn.Module]] = {
            "channel": lambda: ChannelScan(
                grid, scan=channel_scan(grid * grid, backend=shape.backend)
            ),
            "spatial": lambda: spatial_scan(
                cube, c, directions=shape.directions, backend=shape.backend
            ),
            "project": lambda: nn.Conv2d(cube, c, 1, bias=False),
        }
        self.norm = LayerNorm2d(c)
        self.scans = nn.ModuleDict()
        for part in parts_of(self.order):
            with seeded(f"{name}.{part}"):
                self.scans[part] = build[part]()

    def forward(self, parts: list[Float[Tensor, "b c h w"]]) -> list[Float[Tensor, "b c h w"]]:
        """Update every part; the first is the image."""
        normed = [self.norm(part) for part in parts]
        image = parts[0] + self.order(torch.cat(normed, dim=1), **self.scans)
        return [image, *(c + n for c, n in zip(parts[1:], normed[1:], strict=True))]


@register("twister")
class Twister(nn.Module):
    """Cube of image, global and local features through ``depth`` Twisting layers.

    The order of the parts is the release's: image, global, local; a row of Tab. 4 leaves one
    of the text parts out, and what it leaves out is not built.
    """

    def __init__(self, shape: FusionShape) -> None:
        super().__init__()
        shape = with_options(shape, {})
        c, cube = shape.channels, shape.spec.cube
        self.taps = {f"layer {i}": f"layers.{i}" for i in range(shape.spec.depth)}
        self.global_interaction: GlobalInteraction | None = None
        self.local_interaction: LocalInteraction | None = None
        if "global" in cube:
            with seeded(f"{shape.seed}.global"):
                self.global_interaction = GlobalInteraction(shape.text_width, c)
        if "local" in cube:
            with seeded(f"{shape.seed}.local"):
                self.local_interaction = LocalInteraction(
                    c,
                    text_width=shape.text_width,
                    text_length=shape.text_length,
                    width=shape.interaction_width,
                    release=shape.release,
                )
        parts = cube.count("-") + 1
        self.layers = nn.ModuleList(
            TwistingLayer(shape, parts=parts, name=f"{shape.seed}.layer{i}")
            for i in range(shape.spec.depth)
        )

    def forward(
        self,
        image: Float[Tensor, "b c h w"],
        text: Float[Tensor, "b t d"],
        text_mask: Bool[Tensor, "b t"],
        text_global: Float[Tensor, "b d"],
    ) -> Float[Tensor, "b c h w"]:
        """Fuse one stage's image features with the expression."""
        parts = [image]
        if self.global_interaction is not None:
            parts.append(self.global_interaction(image, text_global))
        if self.local_interaction is not None:
            parts.append(self.local_interaction(image, text, text_mask))
        for layer in self.layers:
            parts = layer(parts)
        return parts[0]
