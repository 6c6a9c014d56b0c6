"""What the records of a kernel study say: times, paired ratios, memory, errors, by shape."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from remamber.plan.question import KernelAnalysis
from remamber.plan.scan_shapes import START_UP
from remamber.plan.study import StudyRuns
from remamber.record.noise import NoiseFloor
from remamber.record.schema import Measurement, Record
from remamber.rounds import RoundRatio, round_ratio
from remamber.table.noise import loudest
from remamber.table.source import RecordSource

PASSES = ("forward", "training")
TENSORS = ("y", "du", "ddelta", "dA", "dB", "dC", "dD", "ddelta_bias")

Where = Mapping[str, str]


class Entry(NamedTuple):
    """One implementation of one op in one pass: measured, too slow to be run, or not here."""

    seconds: float | None = None
    peak_bytes: float | None = None
    estimated_s: float | None = None
    absent: str = ""


@dataclass(frozen=True, kw_only=True)
class ShapeResults:
    """One shape's record, its numbers by what they are of.

    Attributes:
        case: the shape's name.
        record: of the run, None if it has not finished.
    """

    case: str
    record: Record | None

    @property
    def ok(self) -> bool:
        """Whether it was measured."""
        return self.record is not None and self.record.status == "ok"

    @cached_property
    def _values(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        measured: tuple[Measurement, ...] = self.record.measurements if self.record else ()
        return {(m.metric, frozenset(m.where.items())): m.value for m in measured}

    def value(self, metric: str, **where: str) -> float | None:
        """The number whose ``where`` is exactly this, None without one."""
        return self._values.get((metric, frozenset(where.items())))

    def entry(self, op: str, name: str, which: str) -> Entry:
        """What is known of an implementation in a pass."""
        where = {"op": op, "implementation": name, "pass": which}
        reason = self.record.data.get(f"absent {op} {name} {which}") if self.record else None
        return Entry(
            self.value("time_s", **where),
            self.value("peak_extra_bytes", **where),
            self.value("estimated_s", **where),
            str(reason) if reason is not None else "",
        )

    def error(self, op: str, name: str, tensor: str) -> float | None:
        """Relative error of a result; of y in the forward pass."""
        which = "forward" if tensor == "y" else "training"
        where = {"op": op, "implementation": name, "pass": which, "tensor": tensor}
        return self.value("error", **where)

    def worst_gradient(self, op: str, name: str) -> float | None:
        """The largest relative error of any gradient."""
        found = [self.error(op, name, t) for t in TENSORS[1:]]
        known = [e for e in found if e is not None]
        return max(known) if known else None

    def ratio(self, slow: tuple[str, str], fast: tuple[str, str], which: str) -> RoundRatio | None:
        """Time of ``slow`` over time of ``fast``, each an (op, implementation), round by round."""
        return self._paired(*(f"{op} {name} {which}" for op, name in (slow, fast)))

    def scaled(self) -> list[tuple[str, str, str, str]]:
        """(op, implementation, pass, threads) of everything that was timed by threads."""
        measured: tuple[Measurement, ...] = self.record.measurements if self.record else ()
        names = ("op", "implementation", "pass", "threads")
        found = [tuple(m.where[n] for n in names) for m in measured if m.metric == "scaling_s"]
        return [(op, name, which, threads) for op, name, which, threads in found]

    def scaling(self, op: str, name: str, which: str, threads: str) -> RoundRatio | None:
        """Time with one thread over time with so many, round by round."""
        key = f"{op} {name} {which}"
        return self._paired(f"{key} 1 threads", f"{key} {threads} threads")

    def _paired(self, slow: str, fast: str) -> RoundRatio | None:
        if self.record is None:
            return None
        above, below = (dict(self.record.curves.get(name, ())) for name in (slow, fast))
        return round_ratio(above, below, name=f"{self.case} {slow} {fast}")

    def bandwidth_share(self, op: str, name: str, which: str) -> float | None:
        """A perfect kernel's bytes over the time taken, as a share of a large copy's rate."""
        seconds = self.entry(op, name, which).seconds
        wanted = self.value("perfect_bytes", **{"op": op, "pass": which})
        copy = self.value("copy_bandwidth")
        if seconds is None or wanted is None or not copy:
            return None
        return wanted / seconds / copy


@dataclass(frozen=True, kw_only=True)
class KernelResults:
    """All shapes of one invocation, in the study's order, and who was measured.

    Attributes:
        shapes: the measured shapes; one without a record too.
        start_up: the record of the first calls, None if it was not asked for.
        names: op -> implementations in the order of the analysis.
        unrecorded: runs without a record.
        noise: what equal things differ by where the times were taken, None if not measured.
    """

    analysis: KernelAnalysis
    runs: StudyRuns
    shapes: tuple[ShapeResults, ...]
    start_up: Record | None
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unrecorded: tuple[str, ...] = ()
    noise: NoiseFloor | None = None

    @property
    def records(self) -> tuple[Record, ...]:
        """All records, the start's last."""
        found = [s.record for s in self.shapes if s.record is not None]
        return (*found, *([self.start_up] if self.start_up else []))

    @property
    def measured(self) -> tuple[ShapeResults, ...]:
        """The shapes that have numbers."""
        return tuple(shape for shape in self.shapes if shape.ok)

    @property
    def subject(self) -> str:
        """The scan that is used on this device: what all others are compared with."""
        names = [s.record.environment.scan_backend for s in self.measured if s.record is not None]
        return names[0] if names else "cpu"

    @property
    def fused(self) -> str:
        """The subject's fused form for images."""
        return f"fused {self.subject}"

    @property
    def composed(self) -> str:
        """The subject's scan with cross scan and cross merge around it."""
        return f"composed {self.subject}"

    def label(self, name: str) -> str:
        """What an implementation is called."""
        return self.analysis.kernels.labels.get(name, name)

    def fastest_peer(self, shape: ShapeResults, which: str) -> str | None:
        """The peer with the shortest median on a shape, None if none was timed."""
        times = {
            name: seconds
            for name in self.analysis.kernels.peers
            if (seconds := shape.entry("scan", name, which).seconds) is not None
        }
        return min(times, key=lambda name: times[name]) if times else None

    def against(self, shape: ShapeResults, rival: str | None, which: str) -> RoundRatio | None:
        """How many times faster the subject is than another scan, None if not known."""
        if rival is None:
            return None
        return shape.ratio(("scan", rival), ("scan", self.subject), which)

    def against_composed(self, shape: ShapeResults, which: str) -> RoundRatio | None:
        """How many times faster the fused form is than the composed one."""
        return shape.ratio(("ss2d", self.composed), ("ss2d", self.fused), which)


def build_kernels(analysis: KernelAnalysis, runs: StudyRuns, source: RecordSource) -> KernelResults:
    """Collect a kernel study's records."""
    by_id = {r.run_id: r for r in source.records()}
    shapes, start_up = [], None
    for run_id in dict.fromkeys(runs.run_ids):
        record = by_id.get(run_id)
        case = _case(run_id, record)
        if case == START_UP:
            start_up = record
        else:
            shapes.append(ShapeResults(case=case, record=record))
    names = {op: _names(op, shapes, list(analysis.kernels.labels)) for op in ("scan", "ss2d")}
    return KernelResults(
        analysis=analysis,
        runs=runs,
        shapes=tuple(shapes),
        start_up=start_up,
        names=names,
        unrecorded=tuple(run_id for run_id in runs.run_ids if run_id not in by_id),
        noise=loudest(source.noise(machine) for machine in _machines(shapes)),
    )


def _machines(shapes: list[ShapeResults]) -> list[str]:
    specs = [s.record.spec.kernels for s in shapes if s.record is not None]
    return list(dict.fromkeys(k.machine for k in specs if k is not None))


def _case(run_id: str, record: Record | None) -> str:
    if record is not None and record.spec.kernels is not None:
        return record.spec.kernels.case
    # kernels-<case>-<device>-t<threads>-<hash>
    return run_id.removeprefix("kernels-").rsplit("-", 3)[0]


def _names(op: str, shapes: list[ShapeResults], known: list[str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for shape in shapes:
        if shape.record is None:
            continue
        for m in shape.record.measurements:
            if m.where.get("op") == op and "implementation" in m.where:
                found.setdefault(m.where["implementation"])
        for key in shape.record.data:
            if key.startswith(f"absent {op} "):
                found.setdefault(key.removeprefix(f"absent {op} ").rsplit(" ", 1)[0])
    place = {name: i for i, name in enumerate(known)}
    return tuple(sorted(found, key=lambda name: place.get(name, len(place))))
