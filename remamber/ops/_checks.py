"""What the selective scan refuses, said by argument, shape and expectation."""

import torch
from torch import Tensor

from remamber.errors import UserError

FLOATS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


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
    """Check shapes, dtypes and devices of a scan's arguments.

    Raises:
        UserError: slug ``scan_shape``, naming the argument, what it is, and what was expected.
    """
    _check_kinds(
        {"u": u, "delta": delta, "A": A, "B": B, "C": C, "D": D, "z": z, "delta_bias": delta_bias}
    )
    if u.ndim != 3:
        raise _wrong("u", u, "(b, d, l)")
    b, d, l = u.shape  # noqa: E741
    if b == 0 or d == 0 or l == 0:
        raise _wrong("u", u, "(b, d, l) with no empty axis")
    _check_shape("delta", delta, (b, d, l))
    if A.ndim != 2 or A.shape[0] != d or A.shape[1] == 0:
        raise _wrong("A", A, f"(d, n) = ({d}, n)")
    _check_matrix("B", B, (b, d, A.shape[1], l))
    _check_matrix("C", C, (b, d, A.shape[1], l))
    if B.shape != C.shape:
        raise _wrong("C", C, f"B's shape {tuple(B.shape)}")
    for name, tensor, shape in (
        ("D", D, (d,)),
        ("delta_bias", delta_bias, (d,)),
        ("z", z, u.shape),
    ):
        if tensor is not None:
            _check_shape(name, tensor, tuple(shape))


def _check_kinds(arguments: dict[str, Tensor | None]) -> None:
    u = arguments["u"]
    for name, tensor in arguments.items():
        if tensor is None or u is None:
            continue
        if tensor.dtype not in FLOATS:
            raise _refused(f"{name} has dtype {tensor.dtype}, expected a real floating point type")
        if (tensor.dtype == torch.float64) != (u.dtype == torch.float64):
            raise _refused(
                f"{name} has dtype {tensor.dtype} but u has {u.dtype}: "
                "in float64 every argument must be float64"
            )
        if tensor.device != u.device:
            raise _refused(f"{name} is on {tensor.device}, expected u's device {u.device}")


def _check_matrix(name: str, matrix: Tensor, sizes: tuple[int, int, int, int]) -> None:
    b, d, n, l = sizes  # noqa: E741
    expected = f"(b, g, n, l) = ({b}, g, {n}, {l}) or (b, n, l) = ({b}, {n}, {l})"
    if matrix.ndim not in (3, 4):
        raise _wrong(name, matrix, expected)
    if (matrix.shape[0], *matrix.shape[-2:]) != (b, n, l):
        raise _wrong(name, matrix, expected)
    g = matrix.shape[1] if matrix.ndim == 4 else 1
    if g == 0 or d % g:
        raise _wrong(name, matrix, f"{expected} with a g that divides d = {d}")


def _check_shape(name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(tensor.shape) != shape:
        raise _wrong(name, tensor, str(shape))


def _wrong(name: str, tensor: Tensor, expected: str) -> UserError:
    return _refused(f"{name} has shape {tuple(tensor.shape)}, expected {expected}")


def _refused(what: str) -> UserError:
    return UserError(f"selective_scan: {what}", slug="scan_shape")
