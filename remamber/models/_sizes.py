"""The sizes of ReMamber: the numbers in which tiny, small and the released base differ."""

from typing import Literal, NamedTuple


class Size(NamedTuple):
    """The numbers in which the sizes of ReMamber differ.

    Attributes:
        dims: C of the four stages.
        depths: VSS blocks of the four stages.
        decoder_width: hidden width of the convolutional decoder.
        decoder_depths: VSS layers of the Mamba decoder's four levels, deepest first.
        channel_grid: side of the map that the channel scan works on.
        interaction_width: inner width of the local interaction.
        text_width: width of a token from the text encoder.
        text_layers: layers of the ``word`` text encoder.
        drop_path: largest rate of stochastic depth.
    """

    dims: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    decoder_width: int
    decoder_depths: tuple[int, int, int, int]
    channel_grid: int
    interaction_width: int
    text_width: int
    text_layers: int
    drop_path: float


class ReleaseShape(NamedTuple):
    """What the shapes of a released checkpoint say about its model.

    Attributes:
        size: the numbers of the model; ``text_layers`` is 0, the text tower being apart.
        decoder: which decoder.
        depth: Twisting layers a stage.
        text_length: t, tokens of an expression.
    """

    size: Size
    decoder: Literal["conv", "mamba"]
    depth: int
    text_length: int


_LARGEST = 1 << 16
_DEEPEST = 1 << 10


def outlandish(numbers: Size | ReleaseShape) -> str:
    """Why no model has these numbers, which a file may claim; empty if one can."""
    size = numbers.size if isinstance(numbers, ReleaseShape) else numbers
    depths = [*size.depths, *size.decoder_depths]
    widths = {*size.dims, size.channel_grid, size.interaction_width, size.text_width}
    if isinstance(numbers, ReleaseShape):
        depths.append(numbers.depth)
        widths |= {numbers.text_length}
    if min(widths) < 1 or max(*widths, size.decoder_width) > _LARGEST or size.decoder_width < 0:
        return f"a width or length is not between 1 and {_LARGEST:,}"
    if min(*depths, size.text_layers) < 0 or max(*depths, size.text_layers) > _DEEPEST:
        return f"a depth is not between 0 and {_DEEPEST:,}"
    return ""


SIZES = {
    "tiny": Size(
        dims=(32, 64, 96, 128),
        depths=(1, 1, 1, 1),
        decoder_width=48,
        decoder_depths=(1, 1, 1, 1),
        channel_grid=4,
        interaction_width=64,
        text_width=128,
        text_layers=2,
        drop_path=0.0,
    ),
    "small": Size(
        dims=(64, 128, 256, 512),
        depths=(2, 2, 4, 2),
        decoder_width=256,
        decoder_depths=(2, 2, 2, 2),
        channel_grid=16,
        interaction_width=256,
        text_width=256,
        text_layers=4,
        drop_path=0.05,
    ),
    "base": Size(
        dims=(128, 256, 512, 1024),
        depths=(2, 2, 15, 2),
        decoder_width=512,
        decoder_depths=(2, 4, 2, 2),
        channel_grid=16,
        interaction_width=512,
        text_width=768,
        text_layers=12,
        drop_path=0.1,
    ),
}
"""base is the release's; tiny fits a CPU and minutes, small one GPU and hours.

The channel grid of tiny is to its 64 px what the release's 16 is to 256: the map at stride 16.
"""
