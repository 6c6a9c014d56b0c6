"""What the records of a study of maps say: each model's maps, trained and not, side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from remamber.errors import ExitCode, UserError
from remamber.plan.look import AttentionSpec
from remamber.plan.study import StudyRuns
from remamber.record.schema import Record
from remamber.table.arrays import read_arrays
from remamber.table.distribution import Told
from remamber.table.maps import Maps
from remamber.table.source import RecordSource


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One trained model: its maps, and those that it had before its training.

    Attributes:
        index: place of the model in the study, which fixes its colour in every figure.
    """

    index: int
    label: str
    trained: Maps | None
    control: Maps | None

    @property
    def both(self) -> tuple[tuple[str, Maps], ...]:
        """Those that there are, by what they are called."""
        pair = (("trained", self.trained), ("untrained", self.control))
        return tuple((name, maps) for name, maps in pair if maps is not None)


@dataclass(frozen=True, kw_only=True)
class AttentionResults:
    """What the report of maps is made of.

    Attributes:
        runs: the runs of the invocation.
        variants: by trained model, in the study's order; none of them is empty.
        records: all that were found.
        failed: run id -> how it ended.
        unrecorded: runs that have no record yet.
    """

    runs: StudyRuns
    variants: tuple[Variant, ...]
    records: tuple[Record, ...]
    failed: Mapping[str, str]
    unrecorded: tuple[str, ...]

    @property
    def first(self) -> Maps:
        """Any of the runs: all were asked the same."""
        return self.variants[0].both[0][1]

    @property
    def stages(self) -> tuple[int, ...]:
        """All depths at which any model has maps."""
        all_maps = [maps for variant in self.variants for _, maps in variant.both]
        return tuple(sorted({stage for maps in all_maps for stage in maps.stages}))


def difference(one: Maps, other: Maps, score: str, stage: int | None = None) -> Told | None:
    """How far one run's score is above another's; paired where they measured the same."""
    a, b = one.told(score, stage), other.told(score, stage)
    if a is None or b is None:
        return None
    return a.minus(b) if one.key() == other.key() else None


def rise(maps: Maps, score: str) -> Told | None:
    """How far a score is higher at the last stage than at the first."""
    last, first = maps.told(score, maps.stages[-1]), maps.told(score, maps.stages[0])
    return last.minus(first) if last is not None and first is not None else None


def build_attention(
    labels: Mapping[str, str], runs: StudyRuns, source: RecordSource
) -> AttentionResults:
    """Collect a study's records and their maps.

    Args:
        labels: names for people of the study's rows.
        runs: which runs belong to the study.
        source: where records and arrays are.

    Raises:
        UserError: no run left maps (exit 3), or the arrays of a record are damaged (exit 6).
    """
    by_id = {record.run_id: record for record in source.records()}
    found = [by_id[run_id] for run_id in dict.fromkeys(runs.run_ids) if run_id in by_id]
    by_model: dict[str, list[Record]] = {}
    for record in found:
        if record.spec.attention is not None and record.status == "ok" and record.arrays:
            by_model.setdefault(_model_key(record), []).append(record)
    if not by_model:
        raise UserError(
            f"no run of '{runs.study}' has left maps",
            where=[f"{len(runs.run_ids)} planned, {len(found)} recorded"],
            fix=["remamber-bench attention"],
            exit_code=ExitCode.MISSING,
            slug="no_maps_recorded",
        )
    names = _names(list(by_model.values()), labels, runs)
    return AttentionResults(
        runs=runs,
        variants=tuple(
            _variant(index, name, records, source)
            for index, (name, records) in enumerate(zip(names, by_model.values(), strict=True))
        ),
        records=tuple(found),
        failed={r.run_id: r.status for r in found if r.status != "ok"},
        unrecorded=tuple(i for i in runs.run_ids if i not in by_id),
    )


def _model_key(record: Record) -> str:
    """The same for a run and its control: everything but whether the weights are trained."""
    wish = (record.spec.attention or AttentionSpec()).model_copy(update={"trained": True})
    return record.spec.model_copy(update={"attention": wish}).run_id


def _variant(index: int, name: str, records: Sequence[Record], source: RecordSource) -> Variant:
    maps = [Maps(record=r, arrays=read_arrays(r, source.arrays_path(r))) for r in records]
    by_kind = {one.wish.trained: one for one in maps}
    return Variant(index=index, label=name, trained=by_kind.get(True), control=by_kind.get(False))


def _names(
    of_models: Sequence[Sequence[Record]], labels: Mapping[str, str], runs: StudyRuns
) -> list[str]:
    """The models' names for people; the seed is named where a row has several."""
    rows = [_row(records, runs) for records in of_models]
    seeds = [records[0].spec.seed for records in of_models]
    return [
        labels.get(row, row) + (f", seed {seed}" if rows.count(row) > 1 else "")
        for row, seed in zip(rows, seeds, strict=True)
    ]


def _row(records: Sequence[Record], runs: StudyRuns) -> str:
    """The name of the row whose weights they look at."""
    run_id = records[0].run_id
    return runs.trained.get(run_id) or runs.rows.get(run_id, run_id)
