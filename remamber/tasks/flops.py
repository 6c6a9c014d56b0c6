"""Parameters and operations of one image and one expression, counted without computing them."""

from functools import cache

from remamber.plan.spec import RunSpec
from remamber.record.schema import Measurement
from remamber.registry import TASKS
from remamber.tasks import Outcome, TaskContext
from remamber.tasks._flops_counts import TOTAL, Counts, count_costs
from remamber.tasks._flops_memo import Memo
from remamber.tasks._flops_operators import CONVENTION, Cost

register = TASKS.register


@register("flops")
def flops(spec: RunSpec, context: TaskContext) -> Outcome:
    """Count a model at ``data.image_size``; reads no data and no weights.

    Measured are ``flops``, ``macs``, ``flops_paper`` and ``parameters`` of every part and of
    all parts (``part``, of which ``total``), and the first three of every operator
    (``operator``). The text encoder is the part ``text``; ``word`` is without a vocabulary.

    Raises:
        UserError: unknown model, fusion, scan ordering or option.
    """
    (counts,) = count_costs(spec.model, [spec.data.image_size], memo=_memo())
    return Outcome(
        measurements=measurements(counts),
        data={"convention": CONVENTION, "tokens": counts.tokens},
        warnings=tuple(
            f"{calls} calls of {name}, whose cost is not known, count as nothing"
            for name, calls in counts.unknown().items()
        ),
    )


def measurements(counts: Counts) -> tuple[Measurement, ...]:
    """Everything counted, as a record has it."""
    parts = {**counts.by_part(), TOTAL: counts.total()}
    sizes = [
        Measurement(metric="parameters", value=n, unit="parameters", where={"part": part})
        for part, n in counts.parameters.items()
    ]
    by_part = [m for part, cost in parts.items() for m in _measured(cost, {"part": part})]
    by_operator = [
        m
        for name, cost in counts.by_operator().items()
        for m in _measured(cost, {"operator": name})
    ]
    return (*sizes, *by_part, *by_operator)


def _measured(cost: Cost, where: dict[str, str]) -> list[Measurement]:
    numbers = {
        "flops": (cost.flops, "flops"),
        "macs": (cost.macs, "macs"),
        "flops_paper": (cost.paper, "flops"),
    }
    return [
        Measurement(metric=metric, value=value, unit=unit, where=where)
        for metric, (value, unit) in numbers.items()
    ]


@cache
def _memo() -> Memo:
    """One for all runs of a process: a study's rows share most of their modules."""
    return Memo()
