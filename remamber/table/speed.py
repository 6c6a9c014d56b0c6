"""What the records of a speed study say: times, paired ratios and memory, by group and model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from remamber.plan.question import SpeedAnalysis
from remamber.plan.spec import SpeedSpec
from remamber.plan.speed import model_key, model_labels
from remamber.plan.study import StudyRuns
from remamber.record.noise import NoiseFloor
from remamber.record.schema import Record
from remamber.rounds import RoundRatio, Verdict, round_ratio, verdict_of
from remamber.table.accuracy import Accuracy, accuracy_of
from remamber.table.growth import Exponent, exponent_of_samples, exponent_of_values
from remamber.table.model import CellStatus
from remamber.table.noise import loudest, smallest_difference
from remamber.table.scan_share import scan_shares
from remamber.table.source import RecordSource

ITERATION, TEXT = "iteration", "text"
_STATUSES: dict[str, CellStatus] = {"oom": "oom", "skipped_oom": "oom", "error": "failed"}


@dataclass(frozen=True, kw_only=True)
class Group:
    """One group's record, its numbers by what they are of.

    Attributes:
        label: its row.
        settings: what was asked; None if its run left no record.
        record: of the run.
        noise: what equal things differ by on its machine, None if that was not measured.
    """

    label: str
    settings: SpeedSpec | None
    record: Record | None
    noise: NoiseFloor | None = None

    @property
    def ok(self) -> bool:
        """Whether it was measured."""
        return self.record is not None and self.record.status == "ok"

    @property
    def delta(self) -> float:
        """The smallest difference that counts, a fraction: not below the machine's noise."""
        return smallest_difference(self.noise)

    @property
    def image_size(self) -> int:
        """Side of the image in pixels, 0 if not known."""
        return self.settings.image_size if self.settings is not None else 0

    @property
    def chain(self) -> tuple[str, ...]:
        """The condition that groups share which differ in their image size alone."""
        return self.settings.condition() if self.settings is not None else ()

    @cached_property
    def _values(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        measured = self.record.measurements if self.record else ()
        return {(m.metric, frozenset(m.where.items())): m.value for m in measured}

    def value(self, metric: str, **where: str) -> float | None:
        """The number whose ``where`` is exactly this, None without one."""
        return self._values.get((metric, frozenset(where.items())))

    def time(self, key: str, metric: str = "time_s", *, part: str = ITERATION) -> float | None:
        """A time of a model, seconds."""
        return self.value(metric, model=key, part=part)

    def memory(self, key: str, metric: str) -> float | None:
        """A number of bytes of a model."""
        return self.value(metric, model=key)

    def samples(self, key: str, *, part: str = ITERATION) -> dict[float, float]:
        """Wall seconds of every block by round; what a broken clock gave is left out."""
        curve = self.record.curves.get(f"{key} {part} wall", ()) if self.record else ()
        return {number: seconds for number, seconds in curve if seconds > 0}

    def status(self, key: str) -> CellStatus:
        """``ok``, or why there is nothing."""
        if self.record is None:
            return "not-run"
        if self.record.status != "ok":
            return "oom" if self.record.status == "oom" else "failed"
        return _STATUSES.get(self.said(key), "ok")

    def said(self, key: str) -> str:
        """The record's own word for how a model ended; empty if it has none."""
        return str(self.record.data.get(f"status {key}", "")) if self.record else ""

    def reason(self, key: str) -> str:
        """Why a model was not measured; empty if it was."""
        return str(self.record.data.get(f"reason {key}", "")) if self.record else ""

    def ratio(self, above: str, below: str) -> RoundRatio | None:
        """Time of one model over that of another, round by round."""
        name = f"{self.label} {above} {below}"
        return round_ratio(self.samples(above), self.samples(below), name=name)

    def verdict(self, key: str, other: str) -> Verdict | None:
        """Whether a model is faster or slower than another; None if one was not timed."""
        ratio = self.ratio(key, other)
        return verdict_of(ratio, delta=self.delta) if ratio is not None else None


@dataclass(frozen=True, kw_only=True)
class SpeedResults:
    """All groups of one invocation, in its order.

    Attributes:
        labels: short names of the models, by ``model_key``, in the study's order.
        unrecorded: runs without a record.
        accuracy: what other records know of these models' accuracy, None if nothing.
        scan_shares: what the scan reaches of the memory's bandwidth on this machine, by shape of
            the kernel study; empty if that was not run.
    """

    analysis: SpeedAnalysis
    runs: StudyRuns
    groups: tuple[Group, ...]
    labels: Mapping[str, str]
    unrecorded: tuple[str, ...] = ()
    accuracy: Accuracy | None = None
    scan_shares: Mapping[str, float] = field(default_factory=dict)

    @property
    def records(self) -> tuple[Record, ...]:
        """All records."""
        return tuple(g.record for g in self.groups if g.record is not None)

    @property
    def measured(self) -> tuple[Group, ...]:
        """The groups that have numbers."""
        return tuple(group for group in self.groups if group.ok)

    @property
    def noise(self) -> NoiseFloor | None:
        """What equal things differ by on the machines of the groups, None if not measured."""
        return loudest(group.noise for group in self.measured)

    @property
    def subject(self) -> str | None:
        """The model that all others are compared with: the first of the subject's name."""
        return self._named(self.analysis.speed.subject) or next(iter(self.labels), None)

    @property
    def rivals(self) -> tuple[str, ...]:
        """All other models."""
        return tuple(key for key in self.labels if key != self.subject)

    @property
    def rival(self) -> str | None:
        """The model that the paper compares with, None if it was not timed."""
        return self._named(self.analysis.speed.rival)

    @property
    def on_gpu(self) -> bool:
        """Whether anything was measured on a GPU."""
        return any(g.settings is not None and g.settings.device == "cuda" for g in self.groups)

    @property
    def chains(self) -> dict[tuple[str, ...], tuple[Group, ...]]:
        """Groups that differ in their image size alone, by their condition."""
        conditions = dict.fromkeys(g.chain for g in self.measured)
        return {c: tuple(g for g in self.measured if g.chain == c) for c in conditions}

    def time_exponent(self, key: str, chain: tuple[str, ...]) -> Exponent | None:
        """How a model's time grows with pixels, over the groups of a condition."""
        samples = {g.image_size: list(g.samples(key).values()) for g in self.chains[chain]}
        return exponent_of_samples(samples, name=f"{key} {' '.join(chain)}")

    def memory_exponent(
        self, key: str, chain: tuple[str, ...], metric: str = "activations_bytes"
    ) -> Exponent | None:
        """How a model's memory grows with pixels."""
        found = {g.image_size: g.memory(key, metric) for g in self.chains[chain]}
        return exponent_of_values({s: v for s, v in found.items() if v is not None})

    def scored_at(self) -> Group | None:
        """The group whose cost stands beside the accuracy: on the same image, else the first."""
        if self.accuracy is None or not self.measured:
            return None
        same = (g for g in self.measured if g.image_size == self.accuracy.image_size)
        return next(same, self.measured[0])

    def _named(self, name: str) -> str | None:
        of_name = (key for key in self.labels if key.partition("-")[0] == name)
        return next(of_name, None)


def build_speed(analysis: SpeedAnalysis, runs: StudyRuns, source: RecordSource) -> SpeedResults:
    """Collect a speed study's records."""
    by_id = {r.run_id: r for r in source.records()}
    groups: list[Group] = []
    labels: dict[str, str] = {}
    for run_id in dict.fromkeys(runs.run_ids):
        record = by_id.get(run_id)
        settings = record.spec.speed if record is not None else None
        if settings is not None:
            known = model_labels(settings.models)
            labels |= {model_key(m): known[model_key(m)] for m in settings.models}
        label = runs.rows.get(run_id, run_id)
        noise = source.noise(settings.machine) if settings is not None else None
        groups.append(Group(label=label, settings=settings, record=record, noise=noise))
    return SpeedResults(
        analysis=analysis,
        runs=runs,
        groups=tuple(groups),
        labels=labels,
        unrecorded=tuple(run_id for run_id in runs.run_ids if run_id not in by_id),
        accuracy=accuracy_of(tuple(labels), list(by_id.values())),
        scan_shares=scan_shares(
            by_id.values(),
            machines=[g.settings.machine for g in groups if g.settings is not None],
        ),
    )
