"""The sizes of LAVT: tiny for a CPU and minutes, small on Swin-T, base on Swin-B as published."""

from typing import NamedTuple


class LavtSize(NamedTuple):
    """The numbers in which the sizes of LAVT differ.

    Attributes:
        dims: C of the four stages; heads are 32 wide.
        depths: Swin blocks of the four stages.
        window: side of an attention window.
        decoder_width: hidden channels of the decoder.
        drop_path: largest rate of stochastic depth.
    """

    dims: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    window: int
    decoder_width: int
    drop_path: float


LAVT_SIZES = {
    "tiny": LavtSize(
        dims=(32, 64, 96, 128), depths=(2, 2, 2, 2), window=4, decoder_width=48, drop_path=0.0
    ),
    "small": LavtSize(
        dims=(96, 192, 384, 768), depths=(2, 2, 6, 2), window=7, decoder_width=256, drop_path=0.2
    ),
    "base": LavtSize(
        dims=(128, 256, 512, 1024),
        depths=(2, 2, 18, 2),
        window=12,
        decoder_width=512,
        drop_path=0.3,
    ),
}
"""tiny has the widths of ReMamber's, and pairs of blocks, for a shifted window needs the second."""
