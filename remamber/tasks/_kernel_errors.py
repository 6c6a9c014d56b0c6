"""How far an implementation is from float64: the output and every gradient."""

from torch import Tensor

from remamber.ops import reference
from remamber.ops._contract import ScanInputs
from remamber.plan.scan_shapes import ScanShape
from remamber.tasks._kernel_calls import GRADIENTS, Implementation, Results
from remamber.tasks._kernel_costs import Op
from remamber.tasks._kernel_problem import Problem

MOST_UPDATES = 2**22
"""State updates, b k d l n, of a problem whose float64 result is waited for."""


def comparable_shape(shape: ScanShape) -> ScanShape:
    """The shape itself, or one of the same length with fewer channels in every direction.

    Channels do not act on each other, and the length is what errors add up over; only dB and dC
    are sums over fewer channels then.
    """
    each = shape.b * shape.groups * shape.length * shape.n
    return shape._replace(d=max(1, min(shape.d, MOST_UPDATES // each)))


class Oracle:
    """The step-by-step scan of a problem in float64, forward and backward.

    Args:
        problem: small enough; see ``comparable_shape``.
    """

    def __init__(self, problem: Problem) -> None:
        given = {name: t.double() for name, t in problem.sequences.items()}
        inputs = ScanInputs(**given, delta_softplus=True)
        y, states = reference.forward(inputs)
        dy = problem.sequences_dy.double()
        grads = reference.backward(inputs, states=states, dy=dy, dstates=None)
        self._problem = problem
        self._of: dict[Op, dict[str, Tensor]] = {
            "scan": dict(zip(("y", *GRADIENTS), (y, *grads), strict=True))
        }

    def errors(self, implementation: Implementation, results: Results) -> dict[str, float]:
        """Largest difference of every result, relative to the result's largest magnitude.

        Args:
            implementation: what was called.
            results: y, and the gradients if there are any.
        """
        named = dict(zip(("y", *GRADIENTS), results, strict=False))
        expected = self._expected(implementation.op)
        found = {}
        for name, value in named.items():
            value = _steps_last(name, value) if implementation.steps_first else value
            found[name] = relative_error(value, expected[name])
        return found

    def _expected(self, op: Op) -> dict[str, Tensor]:
        if op not in self._of:
            self._of[op] = _on_image(self._problem, self._of["scan"])
        return self._of[op]


def relative_error(found: Tensor, expected: Tensor) -> float:
    """Largest absolute difference over the largest expected magnitude; inf if any is NaN."""
    scale = expected.abs().max().clamp_min(1e-300)
    error = float((found.double() - expected).abs().max() / scale)
    return error if error == error else float("inf")


def _on_image(problem: Problem, sequences: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same results as the fused op gives them: y and du summed over directions."""
    k = problem.shape.groups

    def back(name: str) -> Tensor:
        return problem.put_back(sequences[name].view(problem.shape.b, k, -1, problem.shape.length))

    return {
        **sequences,
        "y": back("y").sum(1),
        "du": back("du").sum(1),
        "ddelta": back("ddelta"),
        "dB": problem.put_back(sequences["dB"]),
        "dC": problem.put_back(sequences["dC"]),
    }


def _steps_last(name: str, value: Tensor) -> Tensor:
    if name in ("y", "du", "ddelta"):
        return value.mT
    return value.permute(0, 2, 3, 1) if name in ("dB", "dC") else value
