"""What the operators refuse, said by argument, shape and expectation."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd import forward_ad

from remamber.errors import UserError

FLOATS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


class Checks(NamedTuple):
    """The refusals of one operator; its name opens every message.

    Attributes:
        op: the public function's name.
        slug: the errors' stable name.
    """

    op: str
    slug: str = "scan_shape"

    def error(self, what: str) -> UserError:
        """The error to raise."""
        return UserError(f"{self.op}: {what}", slug=self.slug)

    def shape_error(self, name: str, tensor: Tensor, expected: str) -> UserError:
        """The error for a tensor of another shape than expected."""
        return self.error(f"{name} has shape {tuple(tensor.shape)}, expected {expected}")

    def shape(self, name: str, tensor: Tensor | None, shape: tuple[int, ...]) -> None:
        """Raise unless the tensor is left out or has exactly this shape."""
        if tensor is not None and tuple(tensor.shape) != shape:
            raise self.shape_error(name, tensor, str(shape))

    def kinds(self, arguments: dict[str, Tensor | None]) -> None:
        """Raise unless all are floating point, all or none float64, on the first one's device."""
        first, lead = next(iter(arguments.items()))
        if lead is None:
            return
        for name, tensor in arguments.items():
            if tensor is None:
                continue
            if tensor.dtype not in FLOATS:
                raise self.error(
                    f"{name} has dtype {tensor.dtype}, expected a real floating point type"
                )
            if (tensor.dtype == torch.float64) != (lead.dtype == torch.float64):
                raise self.error(
                    f"{name} has dtype {tensor.dtype} but {first} has {lead.dtype}: "
                    "in float64 every argument must be float64"
                )
            if tensor.device != lead.device:
                raise self.error(
                    f"{name} is on {tensor.device}, expected {first}'s device {lead.device}"
                )
            self._refuse_tangent(name, tensor)

    def _refuse_tangent(self, name: str, tensor: Tensor) -> None:
        # torch would drop the tangent of an operator that has no forward-mode formula.
        if forward_ad._current_level < 0:
            return
        if forward_ad.unpack_dual(tensor).tangent is not None:  # type: ignore[no-untyped-call]
            raise self.error(f"{name} has a tangent, but forward-mode gradients are not offered")


def refuse_second_derivative(op: str) -> None:
    """Raise where a gradient is computed to be differentiated itself: torch would give zero.

    Raises:
        UserError: slug ``scan_derivative``.
    """
    if torch.is_grad_enabled():
        raise UserError(
            f"{op} has no second derivative",
            fix=["compute its gradient with create_graph=False"],
            slug="scan_derivative",
        )


_SCAN = Checks("selective_scan")


def check_scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    z: Tensor | None,
    delta_bias: Tensor | None,
) -> None:
    """Check shapes, dtypes and devices of a selective scan's arguments.

    Raises:
        UserError: slug ``scan_shape``, naming the argument, what it is, and what was expected.
    """
    _SCAN.kinds(
        {"u": u, "delta": delta, "A": A, "B": B, "C": C, "D": D, "z": z, "delta_bias": delta_bias}
    )
    if u.ndim != 3:
        raise _SCAN.shape_error("u", u, "(b, d, l)")
    b, d, l = u.shape  # noqa: E741
    if b == 0 or d == 0 or l == 0:
        raise _SCAN.shape_error("u", u, "(b, d, l) with no empty axis")
    _SCAN.shape("delta", delta, (b, d, l))
    if A.ndim != 2 or A.shape[0] != d or A.shape[1] == 0:
        raise _SCAN.shape_error("A", A, f"(d, n) = ({d}, n)")
    _check_matrix("B", B, (b, d, A.shape[1], l))
    _check_matrix("C", C, (b, d, A.shape[1], l))
    if B.shape != C.shape:
        raise _SCAN.shape_error("C", C, f"B's shape {tuple(B.shape)}")
    _SCAN.shape("D", D, (d,))
    _SCAN.shape("delta_bias", delta_bias, (d,))
    _SCAN.shape("z", z, (b, d, l))


def _check_matrix(name: str, matrix: Tensor, sizes: tuple[int, int, int, int]) -> None:
    b, d, n, l = sizes  # noqa: E741
    grouped = matrix.ndim == 4
    if matrix.ndim not in (3, 4) or (matrix.shape[0], *matrix.shape[-2:]) != (b, n, l):
        raise _SCAN.shape_error(name, matrix, _matrix_shapes(sizes))
    if grouped and (matrix.shape[1] == 0 or d % matrix.shape[1]):
        expected = f"{_matrix_shapes(sizes)} with a g that divides d = {d}"
        raise _SCAN.shape_error(name, matrix, expected)


def _matrix_shapes(sizes: tuple[int, int, int, int]) -> str:
    # Only once there is an error: a size made text is a constant to torch.compile.
    b, _, n, l = sizes  # noqa: E741
    return f"(b, g, n, l) = ({b}, g, {n}, {l}) or (b, n, l) = ({b}, {n}, {l})"
