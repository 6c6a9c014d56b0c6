"""The shapes of selective scans that kernels are measured on: ReMamber's base model and Mamba's.

Names are those of the study ``scan_kernels``: ``s1`` to ``s4`` are the VSS layers and spatial
scans of the base model's four stages at an image size, ``ch1`` to ``ch4`` its channel scans,
``tr1`` to ``tr4`` a small model's stages in training at 128 px and batch 16, ``mamba`` a layer of
Mamba itself.
"""

from typing import NamedTuple

from remamber.registry import unknown

START_UP = "start-up"
"""The case that measures no shape but what the first call in a process costs."""

FOUR_WAYS = (0, 1, 2, 3)
TWO_WAYS = (0, 0, 2, 2)


class ScanShape(NamedTuple):
    """An image that is scanned along ``directions``, each a group of d channels.

    Attributes:
        b: batch.
        d: channels of one direction.
        n: state size.
        h: rows of the image.
        w: columns of the image.
        directions: how each direction reads the image, as in ``remamber.ops.directional_scan``.
        image: whether it is an image in the model; a text's sequence has nothing to fuse.
    """

    b: int
    d: int
    n: int
    h: int
    w: int
    directions: tuple[int, ...] = FOUR_WAYS
    image: bool = True

    @property
    def length(self) -> int:
        """Steps of a sequence, l."""
        return self.h * self.w

    @property
    def groups(self) -> int:
        """Directions, each a group with its own B and C."""
        return len(self.directions)

    @property
    def channels(self) -> int:
        """Channels of all sequences together, d in ``selective_scan``."""
        return self.d * self.groups

    @property
    def elements(self) -> int:
        """Elements of u, b d l."""
        return self.b * self.channels * self.length

    def words(self) -> str:
        """``(b, d, l, n, g)`` as the selective scan counts them."""
        return str((self.b, self.channels, self.length, self.n, self.groups))


def _stages(name: str, side: int, *, channels: int = 256, batch: int = 1) -> dict[str, ScanShape]:
    """Four stages at strides 4 to 32, each with twice the channels of the one before."""
    sides = [side // 4 // 2**stage for stage in range(4)]
    return {
        name.format(stage + 1): ScanShape(batch, channels * 2**stage, 1, s, s)
        for stage, s in enumerate(sides)
    }


SHAPES: dict[str, ScanShape] = {
    **_stages("s{}_256", 256),
    **_stages("s{}_480", 480),
    **_stages("s{}_1024", 1024),
    **{f"ch{i + 1}": ScanShape(1, 512, 1, 1, 384 * 2**i, TWO_WAYS) for i in range(4)},
    **_stages("tr{}", 128, channels=64, batch=16),
    "mamba": ScanShape(1, 1536, 16, 1, 2048, (0,), image=False),
}


def require_case(name: str) -> None:
    """Raise a UserError that names the nearest unless it is a shape or ``start-up``."""
    if name != START_UP and name not in SHAPES:
        raise unknown("kernel case", name, (*SHAPES, START_UP))
