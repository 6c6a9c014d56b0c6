"""Planned runs: each with its table's row and all options of its fusion variant, each once."""

from collections.abc import Sequence
from typing import NamedTuple

from remamber.plan.fusion_options import Declared, resolved_options
from remamber.plan.spec import RunSpec
from remamber.registry import FUSIONS


class PlannedRun(NamedTuple):
    """A run of a study, the name of its table's row, and the trained row in it, if there is one."""

    spec: RunSpec
    row: str
    trained: str = ""


def with_options(runs: Sequence[PlannedRun]) -> list[PlannedRun]:
    """The runs with all options of their fusion variants, by name.

    An option that only some of the variants have is set in their runs alone.

    Raises:
        UserError: none of the variants has an option, or not with such a value.
    """
    fused = dict.fromkeys(r.spec.model.fusion.name for r in runs if r.spec.model.fused)
    declared = {name: FUSIONS.options(name) for name in fused}
    return [run._replace(spec=_resolved(run.spec, declared)) for run in runs]


def each_once(runs: Sequence[PlannedRun]) -> list[PlannedRun]:
    """The first of several rows keeps a run that they share."""
    first = {run.spec: run for run in reversed(runs)}
    return [first[spec] for spec in dict.fromkeys(run.spec for run in runs)]


def _resolved(spec: RunSpec, declared: dict[str, Declared]) -> RunSpec:
    fusion = spec.model.fusion
    if not spec.model.fused:
        return spec
    options = resolved_options(
        fusion.name,
        fusion.options,
        declared=declared[fusion.name],
        others=[option for of_one in declared.values() for option in of_one],
    )
    model = {"fusion": fusion.model_copy(update={"options": options})}
    return spec.model_copy(update={"model": spec.model.model_copy(update=model)})
