"""What fvcore's FlopCountAnalysis is to count for the scans, which it does not know.

fvcore is not imported here: a handler is a function of traced values.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

from remamber.ops._costs import scan_macs, scan_published

Handle: TypeAlias = Callable[[Sequence[Any], Sequence[Any]], int]
"""From an operator's traced inputs and outputs to its cost."""
Convention: TypeAlias = Literal["macs", "published"]
_FORMULAS: dict[Convention, Callable[[int, int], int]] = {
    "macs": scan_macs,
    "published": scan_published,
}


def fvcore_handles(convention: Convention = "macs") -> dict[str, Handle]:
    """Handlers for ``FlopCountAnalysis(...).set_op_handle(**fvcore_handles())``, by operator.

    In all, b samples, k directions, l steps, d channels and n states, K = 1 for
    ``selective_scan``. "macs" counts as fvcore does for matrix products and convolutions, a
    multiplication with its addition as one: 5 bkldn + 2 bkld (delta A, exp, times B, and the two
    multiply-adds of h and of C h; delta u, and the multiply-add of D u). That is what
    ``FlopCounterMode`` is told, 7 bkldn + 3 bkld, with the pairs counted once; so a total is
    comparable with other fvcore totals, which papers head "GFLOPs". "published" is the figure
    that VMamba and its descendants report, 9 bkldn + bkld, for tables that must match theirs; it
    is neither the MACs nor the FLOPs of the recurrence. The softplus, the gate and the sum over
    directions are not counted, as other elementwise operations are not in fvcore.
    """
    formula = _FORMULAS[convention]

    def cost(inputs: Sequence[Any], outputs: Sequence[Any]) -> int:
        # delta has an element for each direction, u of an image has not.
        steps = math.prod(inputs[1].type().sizes())
        return formula(steps, inputs[2].type().sizes()[1])

    return {"remamber::selective_scan": cost, "remamber::directional_scan": cost}
