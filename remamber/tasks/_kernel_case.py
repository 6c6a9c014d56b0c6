"""All measurements of one shape: time by interleaved rounds, memory, error, thread scaling."""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache

import torch

from remamber.plan.scan_shapes import ScanShape
from remamber.plan.spec import KernelsSpec
from remamber.record.schema import Measurement
from remamber.tasks._interleaving import Plan, Stopwatch, interleaved, plan_blocks
from remamber.tasks._kernel_calls import Call, Implementation, implementations
from remamber.tasks._kernel_costs import PASSES, Pass, perfect_cost
from remamber.tasks._kernel_errors import Oracle, comparable_shape
from remamber.tasks._kernel_estimate import estimate
from remamber.tasks._kernel_machine import copy_samples, make_stopwatch, product_samples
from remamber.tasks._kernel_memory import peak_extra_bytes
from remamber.tasks._kernel_problem import Problem

LEAST_BLOCK_S = {"cpu": 0.05, "cuda": 0.02}
LARGE = 2**20
"""Elements of a sequence from which several threads must pay."""
_SCALING_ROUNDS = 8
_SHORT_S = 0.03
_SCALED = ("cpu", "fused cpu")

Tell = Callable[[str, int, int], None]
"""(what, done, total); may raise to stop."""


@dataclass
class Findings:
    """What has been measured so far; ``absent`` says why something was not.

    Attributes:
        measurements: every number.
        samples: raw values by name, (round or number, value).
        absent: "<op> <implementation> <pass>" -> a few words.
    """

    measurements: list[Measurement] = field(default_factory=list)
    samples: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def add(self, metric: str, value: float, unit: str, **where: str) -> None:
        """Note one number."""
        self.measurements.append(Measurement(metric=metric, value=value, unit=unit, where=where))


@dataclass(frozen=True)
class Case:
    """One shape on one device.

    Args:
        shape: the scan.
        device: where it runs.
        settings: how long it may take.
        tell: told of progress.
    """

    shape: ScanShape
    device: torch.device
    settings: KernelsSpec
    tell: Tell
    found: Findings = field(default_factory=Findings)

    def measure(self) -> Findings:
        """Everything, in an order in which nothing that is timed meets what is not."""
        problem = Problem(self.shape, self.device)
        everyone = implementations(problem)
        here = [i for i in everyone if i.absent is None]
        for one in everyone:
            if one.absent is not None:
                self.found.absent |= {f"{one.op} {one.name} {p}": one.absent for p in PASSES}
        self._machine("copy")
        ran: dict[Pass, list[Implementation]] = {}
        for which in PASSES:
            self._costs(which)
            ran[which] = self._times(problem, here, which)
            self._machine("copy")
        self._errors(ran)
        self._scaling(problem, here)
        self._machine("copy")
        self._machine("product")
        self._summarise_machine()
        return self.found

    @property
    def stopwatch(self) -> Stopwatch:
        """The device's clock."""
        return make_stopwatch(self.device)

    def _times(
        self, problem: Problem, here: Iterable[Implementation], which: Pass
    ) -> list[Implementation]:
        """Time what is not too slow; returns what was run."""
        short = cache(lambda steps: Problem(_shortened(self.shape, steps), self.device))
        run: dict[str, Implementation] = {}
        calls: dict[str, Call] = {}
        plans: dict[str, Plan] = {}
        for one in here:
            key = f"{one.op} {one.name} {which}"
            self.tell(f"estimating {key}", 0, 0)
            try:
                call, seconds = self._prepared(one, problem, short, which)
            except Exception as error:  # noqa: BLE001 - one that fails does not stop the others
                self.found.absent[key] = _reason(error)
                continue
            if call is not None:
                run[key], calls[key] = one, call
                plans[key] = self._plan(seconds)
        samples = interleaved(
            calls,
            plans,
            rounds=self.settings.rounds,
            stopwatch=self.stopwatch,
            on_round=lambda done: self.tell(f"timing {which}", done, self.settings.rounds),
        )
        for key, one in run.items():
            where = _where(one, which)
            self.found.samples[key] = [(float(r), s) for r, s in samples[key]]
            values = [seconds for _, seconds in samples[key]]
            self.found.add("time_s", statistics.median(values), "seconds", **where)
            self.found.add("blocks", len(values), "count", **where)
            self.found.add("calls_a_block", plans[key].calls, "count", **where)
            self.tell(f"memory of {key}", 0, 0)
            peak = peak_extra_bytes(calls[key], self.device)
            if peak is not None:
                self.found.add("peak_extra_bytes", peak, "bytes", **where)
        return list(run.values())

    def _prepared(
        self,
        one: Implementation,
        problem: Problem,
        short: Callable[[int], Problem],
        which: Pass,
    ) -> tuple[Call | None, float]:
        """The call and its time once warm; None if it would take too long."""
        warm: set[int] = set()

        def time_of(steps: int) -> float:
            shorter = short(steps) if steps < self.shape.length else problem
            call = one.ready(shorter, which)
            if not warm:
                call()
            warm.add(steps)
            first = self.stopwatch(call, 1)
            # The least of a few: a short call that was interrupted says nothing of a long one.
            repeats = 3 if first < _SHORT_S else 0
            return min([first, *(self.stopwatch(call, 1) for _ in range(repeats))])

        expected = estimate(time_of, self.shape.length, most_s=self.settings.cell_s)
        where = _where(one, which)
        if expected.too_long:
            self.found.add("estimated_s", expected.seconds, "seconds", **where)
            return None, expected.seconds
        call = one.ready(problem, which)
        first = self.stopwatch(call, 1)
        self.found.add("first_call_s", first, "seconds", **where)
        again = self.stopwatch(call, 1) if first < self.settings.cell_s / 2 else first
        return call, min(first, again)

    def _plan(self, seconds: float) -> Plan:
        return plan_blocks(
            seconds,
            rounds=self.settings.rounds,
            budget_s=self.settings.cell_s,
            least_block_s=LEAST_BLOCK_S[self.device.type],
        )

    def _errors(self, ran: dict[Pass, list[Implementation]]) -> None:
        problem = Problem(comparable_shape(self.shape), self.device)
        self.tell("scanning in float64", 0, 0)
        oracle = Oracle(problem)
        self.found.add("compared_channels", problem.shape.d, "count")
        for which, implementations_run in ran.items():
            for one in implementations_run:
                self.tell(f"error of {one.op} {one.name} {which}", 0, 0)
                errors = oracle.errors(one, one.ready(problem, which)())
                for name, error in errors.items():
                    where = _where(one, which) | {"tensor": name}
                    self.found.add("error", error, "relative", **where)

    def _scaling(self, problem: Problem, here: Iterable[Implementation]) -> None:
        most = torch.get_num_threads()
        if self.device.type != "cpu" or most == 1 or self.shape.elements < LARGE:
            return
        counts = sorted({1, 2, most // 2, most} - {0})
        for one in here:
            for which in PASSES if one.name in _SCALED else ():
                self.tell(f"{one.op} {one.name} {which} by threads", 0, 0)
                self._scale(one, one.ready(problem, which), which, counts)
        torch.set_num_threads(most)

    def _scale(self, one: Implementation, call: Call, which: Pass, counts: list[int]) -> None:
        def on(threads: int) -> Callable[[], object]:
            def run() -> object:
                if torch.get_num_threads() != threads:
                    torch.set_num_threads(threads)
                return call()

            return run

        variants = {threads: on(threads) for threads in counts}
        plans = {t: self._plan(self.stopwatch(variants[t], 1)) for t in counts}
        samples = interleaved(variants, plans, rounds=_SCALING_ROUNDS, stopwatch=self.stopwatch)
        for threads, values in samples.items():
            key = f"{one.op} {one.name} {which} {threads} threads"
            self.found.samples[key] = [(float(r), s) for r, s in values]
            self.found.add(
                "scaling_s",
                statistics.median(s for _, s in values),
                "seconds",
                **_where(one, which),
                threads=str(threads),
            )

    def _costs(self, which: Pass) -> None:
        for op in ("scan", "ss2d") if self.shape.image else ("scan",):
            cost = perfect_cost(self.shape, op, which)
            where = {"op": op, "pass": which}
            self.found.add("perfect_bytes", cost.bytes, "bytes", **where)
            self.found.add("flops", cost.flops, "flop", **where)

    def _machine(self, what: str) -> None:
        self.tell(f"measuring a {what}", 0, 0)
        take = {"copy": copy_samples, "product": product_samples}[what]
        kept = self.found.samples.setdefault(what, [])
        for value in take(self.device, self.stopwatch):
            kept.append((float(len(kept)), value))

    def _summarise_machine(self) -> None:
        for what, metric, unit in (
            ("copy", "copy_bandwidth", "bytes/second"),
            ("product", "product_rate", "flop/second"),
        ):
            values = [value for _, value in self.found.samples[what]]
            self.found.add(metric, statistics.median(values), unit)


def _where(one: Implementation, which: Pass) -> dict[str, str]:
    return {"op": one.op, "implementation": one.name, "pass": which}


def _shortened(shape: ScanShape, steps: int) -> ScanShape:
    return shape._replace(h=1, w=steps)


def _reason(error: Exception) -> str:
    memory = type(error).__name__ == "OutOfMemoryError" or "DefaultCPUAllocator" in str(error)
    return "out of memory" if memory else f"failed: {type(error).__name__}"
