"""The Mamba Twister: hybrid feature cube, channel scan and spatial scan (paper 3.3 and 3.5)."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from remamber.fusions import FusionShape, Tap
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
IMAGE = "image"
RELEASED = "image-global-local"


GROUPS = {"image": "image", "global": "text", "local": "local"}
"""What the parts of the cube are, by their names in the spec."""


class HybridCube(nn.Module):
    """Eq. 6: the parts side by side on the channels; a module, so that the cube can be tapped."""

    def forward(self, parts: list[Float[Tensor, "b c h w"]]) -> Float[Tensor, "b i h w"]:
        """The hybrid feature cube."""
        return torch.cat(parts, dim=1)


class TwistingLayer(nn.Module):
    """One Twisting layer: the cube's parts in, the cube's parts out.

    The parts (image first) are normalised by one shared LayerNorm and concatenated to the
    cube; the scan ordering's result is added to the image part. As in the release the other
    parts take part in the residual: they leave as ``c + LN(c)``.

    Args:
        shape: the stage; its spec names the parts in their order.
        name: seeds the initial weights, part by part of the cube: in another order they are the
            same weights in that order.
    """

    def __init__(self, shape: FusionShape, *, name: str) -> None:
        super().__init__()
        self.order = SCAN_ORDERS.get(shape.spec.scan_order)
        parts = parts_of_cube(shape.spec.cube)
        self.image = parts.index(IMAGE)
        c, cube, grid = shape.channels, len(parts) * shape.channels, shape.channel_grid
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
        self.cube = HybridCube()
        self.scans = nn.ModuleDict()
        for part in parts_of(self.order):
            with seeded(f"{name}.{part}"):
                self.scans[part] = build[part]()
        _in_order(self.scans, parts)

    def forward(self, parts: list[Float[Tensor, "b c h w"]]) -> list[Float[Tensor, "b c h w"]]:
        """Update every part of the cube, in its order."""
        normed = [self.norm(part) for part in parts]
        mixed = self.order(self.cube(normed), **self.scans)
        added = [mixed if i == self.image else n for i, n in enumerate(normed)]
        return [part + more for part, more in zip(parts, added, strict=True)]


@torch.no_grad()
def _in_order(scans: nn.ModuleDict, parts: Sequence[str]) -> None:
    """Give each part of the cube the weights that it has in the released order."""
    released = [part for part in parts_of_cube(RELEASED) if part in parts]
    places = [released.index(part) for part in parts]
    readers = [scan.in_proj if isinstance(scan, SpatialScan) else scan for scan in scans.values()]
    for reader in readers:
        if isinstance(reader, nn.Linear | nn.Conv2d) and places != sorted(places):
            blocks = reader.weight.chunk(len(parts), dim=1)
            reader.weight.copy_(torch.cat([blocks[place] for place in places], dim=1))


def parts_of_cube(cube: str) -> tuple[str, ...]:
    """Names of a cube's parts in their order, which is that of its channels."""
    return tuple(cube.split("-"))


@register("twister")
class Twister(nn.Module):
    """Cube of image, global and local features through ``depth`` Twisting layers.

    The release's order of the parts is image, global, local; the spec names any other. A row of
    Tab. 4 leaves one of the text parts out, and what it leaves out is not built.
    """

    def __init__(self, shape: FusionShape) -> None:
        super().__init__()
        shape = with_options(shape, {})
        c = shape.channels
        self.parts = parts_of_cube(shape.spec.cube)
        self.global_interaction: GlobalInteraction | None = None
        self.local_interaction: LocalInteraction | None = None
        if "global" in self.parts:
            with seeded(f"{shape.seed}.global"):
                self.global_interaction = GlobalInteraction(shape.text_width, c)
        if "local" in self.parts:
            with seeded(f"{shape.seed}.local"):
                self.local_interaction = LocalInteraction(
                    c,
                    text_width=shape.text_width,
                    text_length=shape.text_length,
                    width=shape.interaction_width,
                    release=shape.release,
                )
        self.layers = nn.ModuleList(
            TwistingLayer(shape, name=f"{shape.seed}.layer{i}") for i in range(shape.spec.depth)
        )
        self.taps = _taps(shape)

    def forward(
        self,
        image: Float[Tensor, "b c h w"],
        text: Float[Tensor, "b t d"],
        text_mask: Bool[Tensor, "b t"],
        text_global: Float[Tensor, "b d"],
    ) -> Float[Tensor, "b c h w"]:
        """Fuse one stage's image features with the expression."""
        features = {IMAGE: image}
        if self.global_interaction is not None:
            features["global"] = self.global_interaction(image, text_global)
        if self.local_interaction is not None:
            features["local"] = self.local_interaction(image, text, text_mask)
        parts = [features[part] for part in self.parts]
        for layer in self.layers:
            parts = layer(parts)
        return parts[self.parts.index(IMAGE)]


def _taps(shape: FusionShape) -> dict[str, Tap]:
    """The cube, what each scan makes of it in the ordering's turn, and the layer's parts."""
    groups = tuple(GROUPS[part] for part in parts_of_cube(shape.spec.cube))
    cube = Tap("cube", groups, channels=shape.channels)
    order = SCAN_ORDERS.get(shape.spec.scan_order)
    scans = {
        "channel": ("after channel scan", cube._replace(path="scans.channel")),
        "spatial": ("after spatial scan", cube._replace(path="scans.spatial", reads="inner")),
    }
    used = [scans[part] for part in parts_of(order) if part in scans]
    if shape.spec.scan_order == "spatial-channel":
        used.reverse()
    found: dict[str, Tap] = {}
    for i in range(shape.spec.depth):
        for place, tap in [("cube", cube), *used]:
            found[f"layer {i + 1} {place}"] = tap._replace(path=f"layers.{i}.{tap.path}")
        found[f"layer {i + 1} output"] = cube._replace(path=f"layers.{i}")
    return found
