"""What a scan costs, run step by step: the formulas that both operators are counted by."""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import flop_registry, register_flop_formula


def scan_flops(elements: int, n: int) -> int:
    """(7 n + 3) for each element of u and direction, exp counted as one.

    For each state: delta A, exp, times B, A h (2), C h (2); for each element: delta u, D u (2).
    The softplus is not counted.
    """
    return elements * (7 * n + 3)


def scan_macs(elements: int, n: int) -> int:
    """(5 n + 2): as ``scan_flops``, a multiplication with its addition counted as one."""
    return elements * (5 * n + 2)


def scan_published(elements: int, n: int) -> int:
    """(9 n + 1): what VMamba and its descendants report, for tables that must match theirs.

    It is neither the MACs nor the FLOPs of the recurrence; papers add it to fvcore's MACs.
    """
    return elements * (9 * n + 1)


def scan_backward_flops(elements: int, n: int) -> int:
    """(19 n + 10): 5 to recompute the states, 3 for the reverse recurrence, 11 for sums."""
    return elements * (19 * n + 10)


def register_flops(
    name: str, forward: Callable[..., int], backward: Callable[..., int] | None = None
) -> None:
    """Have FlopCounterMode count an operator of ours and its backward.

    Args:
        name: the operator's, without the library's.
        forward: FLOPs from the shapes of the operator's arguments.
        backward: FLOPs from those of ``<name>_backward``, if there is such an operator.
    """
    for op, formula in ((name, forward), (f"{name}_backward", backward)):
        if formula is None:
            continue
        packet: Any = getattr(torch.ops.remamber, op)
        if packet not in flop_registry:
            register_flop_formula(packet)(formula)
