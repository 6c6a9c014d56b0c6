"""What the directional scan refuses, said by argument, shape and expectation."""

from collections.abc import Sequence

from torch import Tensor

from remamber.ops._checks import Checks

_CHECKS = Checks("directional_scan")
_WAYS = range(4)


def check_directional(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    delta_bias: Tensor | None,
    *,
    directions: Sequence[int],
) -> None:
    """Check shapes, dtypes, devices and directions of a directional scan's arguments.

    Raises:
        UserError: slug ``scan_shape``, naming the argument, what it is, and what was expected.
    """
    _CHECKS.kinds(
        {"u": u, "delta": delta, "A": A, "B": B, "C": C, "D": D, "delta_bias": delta_bias}
    )
    k = len(directions)
    if k == 0 or any(not isinstance(way, int) or way not in _WAYS for way in directions):
        raise _CHECKS.error(f"directions are {list(directions)}, expected one or more of 0 to 3")
    if u.ndim != 4:
        raise _CHECKS.shape_error("u", u, "(b, h, w, d)")
    b, h, w, d = u.shape
    if 0 in u.shape:
        raise _CHECKS.shape_error("u", u, "(b, h, w, d) with no empty axis")
    _CHECKS.shape("delta", delta, (b, k, h, w, d))
    if A.ndim != 2 or A.shape[0] != k * d or A.shape[1] == 0:
        raise _CHECKS.shape_error("A", A, f"(k d, n) = ({k * d}, n)")
    n = A.shape[1]
    _CHECKS.shape("B", B, (b, k, h, w, n))
    _CHECKS.shape("C", C, (b, k, h, w, n))
    _CHECKS.shape("D", D, (k * d,))
    _CHECKS.shape("delta_bias", delta_bias, (k * d,))
