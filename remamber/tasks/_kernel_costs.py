"""What a perfect kernel would move and compute: the roofline's two axes."""

from typing import Literal, NamedTuple

from remamber.ops._costs import scan_backward_flops, scan_flops
from remamber.plan.scan_shapes import ScanShape

Op = Literal["scan", "ss2d"]
Pass = Literal["forward", "training"]
PASSES: tuple[Pass, ...] = ("forward", "training")
"""``training`` is forward and backward together."""
_FLOAT = 4


class Cost(NamedTuple):
    """Bytes that must cross the memory bus once, and floating-point operations."""

    bytes: int
    flops: int


def perfect_cost(shape: ScanShape, op: Op, which: Pass) -> Cost:
    """The least traffic and the arithmetic of a float32 scan, each tensor touched once a pass.

    Per element of a sequence (there are E = b k d l; B and C have S = b k n l each). Forward of
    the scan: u and delta read, y written, 12 E, and B and C read, 8 S. Backward: u, delta and dy
    read, du and ddelta written, 20 E, B, C read and dB, dC written, 16 S. The states that a
    backward pass may want are not counted: a perfect kernel recomputes them.

    The fused op reads and writes the image, not k copies of it: u and y are E / k each, so
    forward is 4 E + 8 E / k, backward delta and ddelta 8 E and u, dy, du 12 E / k. A, D and the
    bias are too small to count.

    Operations are those of the sequential form, as the operators themselves are counted.
    """
    elements = shape.elements
    matrices = shape.b * shape.groups * shape.n * shape.length
    shared = elements if op == "scan" else elements // shape.groups
    forward = _FLOAT * (elements + 2 * shared + 2 * matrices)
    backward = _FLOAT * (2 * elements + 3 * shared + 4 * matrices)
    forward_flops = scan_flops(elements, shape.n)
    if which == "forward":
        return Cost(forward, forward_flops)
    return Cost(forward + backward, forward_flops + scan_backward_flops(elements, shape.n))
