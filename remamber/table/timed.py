"""Comparison of measured time and memory: two models of one group, or one model in two records."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from remamber.errors import ExitCode, UserError
from remamber.record.schema import Record
from remamber.registry import unknown
from remamber.rounds import DELTA, RoundRatio, process_ratio, round_ratio, verdict_of
from remamber.table.noise import smallest_difference
from remamber.table.sides import Keys, Pair, Side
from remamber.table.significance import holm
from remamber.table.speed import Group
from remamber.table.timed_lost import ended, records_of
from remamber.table.timed_models import (
    MODEL_MARK,
    condition_of,
    crossing_of,
    different_machines,
    label_of,
    labels_of,
    models_of,
)

TIMES = {"latency_p50": "time_s", "latency_p90": "time_p90_s"}
MEMORY = {
    "needed_mib": "needed_bytes",
    "peak_mib": "peak_bytes",
    "activations_mib": "activations_bytes",
    "reserved_mib": "reserved_bytes",
}
USUAL = ("latency_p50", "needed_mib")
JUDGED = ("latency_p50", *MEMORY)
"""Metrics of which a difference may be found; the other has no interval."""
Verdict = Literal["faster", "slower", "same", "unresolved", "less", "more"]


class TimedSide(NamedTuple):
    """Records, and the model of theirs that is meant; None for all that both sides have."""

    side: Side
    model: str | None


@dataclass(frozen=True, kw_only=True)
class TimeDifference:
    """B by A's measure in one metric.

    Attributes:
        pair: what tells this pair of records from the others of the same two sides.
        models: of A and of B, by label.
        group: image size and condition.
        seeds: of the two runs.
        a: of A, seconds or bytes.
        b: of B.
        ratio: B over A; its interval is None for memory, which has no noise to speak of here.
        paired: by rounds of one process; otherwise the two were timed at different times.
        delta: the smallest difference that counts; None where the noise between two processes is
            not known, so that nothing can be said of a difference between them.
        p: after Holm over all times that are compared together; None for memory and where no
            test was made.
        noisy: what makes the difference less certain than its interval, in words.
    """

    pair: Keys
    models: tuple[str, str]
    group: str
    seeds: tuple[int, int]
    metric: str
    a: float
    b: float
    ratio: RoundRatio
    paired: bool
    delta: float | None
    p: float | None
    noisy: str = ""

    @property
    def verdict(self) -> Verdict:
        """What may be said of B."""
        if self.metric in MEMORY:
            near = math.log1p(DELTA)
            apart = math.log(self.ratio.value)
            return "same" if abs(apart) <= near else "more" if apart > 0 else "less"
        if self.delta is None:
            return "unresolved"
        return verdict_of(self.ratio._replace(p=self.p), delta=self.delta)


def timed_sides(
    texts: tuple[str, str], sides: tuple[Side, Side], models: tuple[str | None, str | None]
) -> tuple[TimedSide, TimedSide] | None:
    """The two sides with the models that they name; None if neither holds timings.

    Raises:
        UserError: only one of them holds timings.
    """
    timed = [all(r.spec.speed is not None for r in side.records) for side in sides]
    if not any(timed):
        return None
    if not all(timed):
        raise UserError(
            "one side holds times of models and the other does not",
            where=[
                f"{text}  {side.records[0].spec.task}"
                for text, side in zip(texts, sides, strict=True)
            ],
            fix=["name two runs of the same kind: remamber-bench list runs"],
            slug="different_tasks",
        )
    return TimedSide(sides[0], models[0]), TimedSide(sides[1], models[1])


def time_differences(
    sides: tuple[TimedSide, TimedSide],
    joined: Sequence[Pair],
    *,
    metrics: Sequence[str] = (),
    cross_machine: bool = False,
) -> list[TimeDifference]:
    """Every pair in every metric that both have, Holm's correction over all of its times.

    Two models of one record are paired by rounds. Two records were timed apart: the difference
    must exceed what equal things differ by one after the other on that machine, or nothing is
    said of it.

    Args:
        sides: A and B.
        joined: their pairs of records.
        metrics: of ``TIMES`` and ``MEMORY``; the usual two by default.
        cross_machine: compare what different machines, devices or thread counts measured.

    Raises:
        UserError: an unknown metric or model, records of different machines, or nothing that
            both measured.
    """
    known = [*TIMES, *MEMORY]
    for name in metrics:
        if name not in known:
            raise unknown("metric of times", name, known)
    found = [
        difference
        for pair in joined
        for records in records_of(pair)
        for difference in _of_records(sides, pair, records, metrics or USUAL, cross_machine)
    ]
    if not found:
        raise _nothing(sides, metrics or USUAL)
    tested = [i for i, d in enumerate(found) if d.p is not None]
    adjusted = holm([p for i in tested if (p := found[i].p) is not None])
    for i, p in zip(tested, adjusted, strict=True):
        found[i] = replace(found[i], p=p)
    return found


def _of_records(
    sides: tuple[TimedSide, TimedSide],
    pair: Pair,
    records: tuple[Record, Record],
    metrics: Sequence[str],
    cross_machine: bool,
) -> list[TimeDifference]:
    crossing = crossing_of(records)
    if crossing and not cross_machine:
        raise different_machines(records, crossing)
    groups = tuple(_group(s.side, r) for s, r in zip(sides, records, strict=True))
    same_run = records[0].digest == records[1].digest
    found = []
    for keys in models_of((sides[0].model, sides[1].model), records, same_run=same_run):
        for metric in metrics:
            values = tuple(_value(g, k, metric) for g, k in zip(groups, keys, strict=True))
            a, b = values
            if a is None or b is None or a <= 0 or b <= 0:
                continue
            name = f"{records[0].run_id} {keys[0]} {records[1].run_id} {keys[1]} {metric}"
            ratio = _ratio(groups, keys, metric, (a, b), name=name, paired=same_run)
            found.append(
                TimeDifference(
                    pair=pair.keys,
                    models=(label_of(records[0], keys[0]), label_of(records[1], keys[1])),
                    group=condition_of(records[1]),
                    seeds=(records[0].spec.seed, records[1].spec.seed),
                    metric=metric,
                    a=a,
                    b=b,
                    ratio=ratio,
                    paired=same_run,
                    delta=_delta(groups, paired=same_run, crossing=bool(crossing)),
                    p=ratio.p,
                    noisy=", ".join(crossing),
                )
            )
    return found


def _group(side: Side, record: Record) -> Group:
    settings = record.spec.speed
    machine = settings.machine if settings is not None else ""
    return Group(
        label=record.run_id, settings=settings, record=record, noise=side.store.noise(machine)
    )


def _delta(groups: tuple[Group, ...], *, paired: bool, crossing: bool) -> float | None:
    """The smallest difference that counts.

    Of two processes: what equal things differ by when timed one after the other. Of two machines
    that is not known either way.
    """
    # Either side's store may know the machine that both were timed on.
    known = [group.noise for group in groups if group.noise is not None]
    if paired:
        return max(map(smallest_difference, known), default=DELTA)
    if not known or crossing:
        return None
    return max(max(smallest_difference(noise), noise.one_after_other) for noise in known)


def _ratio(
    groups: tuple[Group, ...],
    keys: tuple[str, str],
    metric: str,
    values: tuple[float, float],
    *,
    name: str,
    paired: bool,
) -> RoundRatio:
    """B over A; an interval for the median latency alone, which the kept samples give."""
    plain = RoundRatio(values[1] / values[0], None, None, 0)
    if metric != "latency_p50":
        return plain
    samples = [g.samples(k) for g, k in zip(groups, keys, strict=True)]
    if paired:
        return round_ratio(samples[1], samples[0], name=name) or plain
    return process_ratio(samples[1], samples[0], name=name) or plain


def _value(group: Group, key: str, metric: str) -> float | None:
    return group.time(key, TIMES[metric]) if metric in TIMES else group.memory(key, MEMORY[metric])


def _nothing(sides: tuple[TimedSide, TimedSide], metrics: Sequence[str]) -> UserError:
    return UserError(
        f"A and B have none of {', '.join(metrics)} of one model in common",
        where=[
            f"{side}  {', '.join(_measured(timed.side.records[0]))}"
            for side, timed in zip("AB", sides, strict=True)
        ],
        fix=[f"name a model on each side, such as  RUN{MODEL_MARK}lavt"],
        exit_code=ExitCode.USAGE,
        slug="nothing_to_compare",
    )


def _measured(record: Record) -> list[str]:
    """Labels of a record's models, with how they ended where they have no times."""
    return [
        f"{label} ({how})" if (how := ended(record, key)) else label
        for key, label in labels_of(record).items()
    ]
