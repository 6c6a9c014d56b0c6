"""What a backbone is to the encoder, and VMamba, the release's."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import nn

from remamber.layers.patch import Downsample, PatchEmbed
from remamber.layers.vss import VSSBlock, initialise_vmamba
from remamber.models._sizes import Size


class Backbone(NamedTuple):
    """The parts of a backbone between which the encoder puts its fusions.

    Attributes:
        patch_embed: image ``b 3 h w`` to the first stage's map, stride 4.
        blocks: of each stage, a map to one of the same shape.
        downsamples: from each stage's map but the last's to the next stage's, half the size.
    """

    patch_embed: nn.Module
    blocks: nn.ModuleList
    downsamples: nn.ModuleList


def vmamba_backbone(size: Size, *, directions: Sequence[int], backend: str) -> Backbone:
    """VMamba with VSS blocks, drawn in the released order."""
    rates = drop_path_rates(size.drop_path, size.depths)
    patch_embed, blocks = PatchEmbed(size.dims[0]), nn.ModuleList()
    for dim, stage in zip(size.dims, rates, strict=True):
        made = [
            VSSBlock(dim, drop_path=rate, directions=directions, backend=backend) for rate in stage
        ]
        blocks.append(nn.Sequential(*made))
    downsamples = nn.ModuleList(map(Downsample, size.dims[:-1], size.dims[1:]))
    initialise_vmamba(blocks)
    return Backbone(patch_embed, blocks, downsamples)


def drop_path_rates(largest: float, depths: Sequence[int]) -> list[list[float]]:
    """Rates of stochastic depth, block by block of each stage: from 0 up to the largest."""
    blocks = sum(depths)
    rates = iter([largest * i / max(1, blocks - 1) for i in range(blocks)])
    return [[next(rates) for _ in range(depth)] for depth in depths]
