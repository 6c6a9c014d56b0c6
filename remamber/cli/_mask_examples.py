"""Which expressions the runs of a study of masks show: chosen from what its weights scored."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from remamber.cli._study import Study
from remamber.errors import ExitCode, UserError
from remamber.plan.look import MasksSpec
from remamber.plan.spec import EvaluateSpec, RunSpec
from remamber.plan.trained import TrainedRun
from remamber.record.schema import Record
from remamber.record.store import Store

if TYPE_CHECKING:
    from remamber.table.example_choice import RowCounts


def with_examples(study: Study, store: Store) -> Study:
    """The study with the expressions that its runs show; any other study as it is.

    A run is shown by the protocol by which its weights were scored.

    Args:
        study: with its weights and data.
        store: where the counts of the trained runs, or of evaluations of their weights, are.

    Raises:
        UserError: none of the weights has been scored on the data (exit 3), or the rule finds
            nothing to choose from.
    """
    if not any(spec.masks is not None for spec in study.specs):
        return study
    from remamber.table.example_choice import choose_examples

    records = store.records()
    scored = {spec: _scored(spec, study.trained, records) for spec in study.specs}
    rows = _rows(study, scored, store)
    if not rows:
        raise _not_scored(study.specs[0])
    chosen: dict[MasksSpec, MasksSpec] = {}
    specs = []
    for spec in study.specs:
        wish = spec.masks or MasksSpec()
        if wish not in chosen:
            chosen[wish] = choose_examples(wish, rows)
        specs.append(_shown(spec, chosen[wish], scored[spec]))
    return replace(study, specs=tuple(specs))


def _shown(spec: RunSpec, wish: MasksSpec, scored: Record | None) -> RunSpec:
    changes: dict[str, object] = {"masks": wish}
    if scored is not None:
        protocols = (scored.spec.evaluate.protocol,)
        changes["evaluate"] = spec.evaluate.model_copy(update={"protocols": protocols})
    return spec.model_copy(update=changes)


def _rows(
    study: Study, scored: dict[RunSpec, Record | None], store: Store
) -> "Sequence[RowCounts]":
    from remamber.table.counts import CountsFile
    from remamber.table.example_choice import RowCounts

    files: dict[str, list[CountsFile]] = {}
    for spec, row in zip(study.specs, study.rows, strict=True):
        record = scored[spec]
        path = store.counts_path(record) if record is not None else None
        if record is not None and path is not None:
            files.setdefault(row, []).append(CountsFile(record, path))
    return [RowCounts(row, tuple(found)) for row, found in files.items()]


def _scored(
    spec: RunSpec, trained: Sequence[TrainedRun], records: Sequence[Record]
) -> Record | None:
    """The record that counts what the weights of a run predict on its data, if there is one."""
    sha256 = spec.weights.sha256 if spec.weights is not None else ""
    run_ids = {run.run_id for run in trained if run.weights.sha256 == sha256}
    found = [
        record
        for record in records
        if record.counts is not None
        and _same_data(record, spec)
        and (record.run_id in run_ids or _evaluates(record, sha256))
    ]
    # The training's own counts before those of an evaluation.
    return min(found, key=lambda r: (r.run_id not in run_ids, r.run_id), default=None)


def _same_data(record: Record, spec: RunSpec) -> bool:
    own, data = record.spec.data, spec.data
    return (own.name, own.fingerprint, own.mask_rule) == (
        data.name,
        data.fingerprint,
        data.mask_rule,
    )


def _evaluates(record: Record, sha256: str) -> bool:
    """Whether it is an evaluation of these weights that disturbs nothing and leaves out nothing."""
    weights, evaluate = record.spec.weights, record.spec.evaluate
    plain = EvaluateSpec(protocols=evaluate.protocols, batch=evaluate.batch)
    is_plain = record.spec.task == "evaluate" and evaluate == plain
    return is_plain and weights is not None and weights.sha256 == sha256


def _not_scored(spec: RunSpec) -> UserError:
    return UserError(
        f"none of these weights has been scored on {spec.data.name}, so no expression can be"
        " chosen by what they scored",
        where=["the counts of the trained runs, or of evaluations of their weights, are asked"],
        fix=[
            f"remamber-bench evaluate RUN --data {spec.data.name}, for each of them",
            "or leave --data out: the data that they were trained on",
        ],
        exit_code=ExitCode.MISSING,
        slug="weights_not_scored",
    )
