"""Trains a model and scores every expression of the splits: one row of a table."""

import statistics
import time
from collections.abc import Callable, Sequence

from remamber.datasets._split_counts import count_report
from remamber.metrics import measure
from remamber.models import parameter_counts
from remamber.plan.protocols import find_protocol
from remamber.plan.spec import RunSpec
from remamber.record.event import Event
from remamber.record.schema import NEEDS_BY, PRECISION, SHUFFLED, Measurement
from remamber.registry import TASKS
from remamber.tasks import Outcome, Stopped, TaskContext
from remamber.tasks._accuracy import accuracy
from remamber.tasks._bench import Bench, open_bench, precision_of, train_step
from remamber.tasks._checkpoint import Checkpoints, Progress
from remamber.tasks._device import device_name, peak_memory
from remamber.tasks._expression_facts import needs_by
from remamber.tasks._optimiser import set_learning_rate
from remamber.tasks._protocol_masks import Targets, open_targets
from remamber.tasks._scan_share import scan_share
from remamber.tasks._scoring import (
    Item,
    ProtocolCounts,
    Scorer,
    items_of,
    packed,
    shuffled_among_images,
)

register = TASKS.register

_PROBES = 5
_PROBE_ITEMS = 192
_CURVE_POINTS = 400


@register("train")
def train(spec: RunSpec, context: TaskContext) -> Outcome:
    """Train for the spec's steps or epochs, then count every split's intersections and unions.

    The trained weights stay in the run's folder, as ``save_pretrained`` writes them.

    Raises:
        Stopped: asked to stop; the last step is saved.
        UserError: the data cannot be read, or an unknown name in the spec.
    """
    with open_bench(spec, context) as bench:
        return _trained(bench, context)


def _trained(bench: Bench, context: TaskContext) -> Outcome:
    spec = bench.spec
    targets = _targets(bench, context)
    checkpoints = Checkpoints(context.folder, spec.digest, scaler=bench.accelerator.scaler)
    progress, warnings = checkpoints.restore(bench.model, bench.optimiser)
    warnings += _unlike_published(bench)
    tell = _teller(spec, context)
    for warning in warnings:
        tell(kind="note", message=warning)
    tell(kind="start", done=progress.step, total=bench.length.steps)
    _fit(bench, context, progress=progress, checkpoints=checkpoints, targets=targets)
    bench.model.save_pretrained(context.folder)
    counts, controls = _score(bench, context, targets)
    share = scan_share(
        bench.model,
        bench.batches.at(0).to(bench.accelerator.device),
        autocast=bench.accelerator.autocast,
    )
    checkpoints.discard()
    return Outcome(
        measurements=(
            *accuracy(counts),
            *accuracy(controls, where={"control": "shuffled-text"}),
            *_costs(bench, progress, share),
        ),
        curves=_curves(progress, _lead(spec)),
        counts=packed({**counts, **{s + SHUFFLED: c for s, c in controls.items()}}),
        data=_described(bench),
        device=device_name(bench.accelerator.device),
        scan_backend=bench.backend if share else "none",
        warnings=tuple(warnings),
        details={PRECISION: precision_of(bench)},
    )


def _fit(
    bench: Bench,
    context: TaskContext,
    *,
    progress: Progress,
    checkpoints: Checkpoints,
    targets: Targets,
) -> None:
    tell = _teller(bench.spec, context)
    probe = _prober(bench, targets)
    saved_at = time.monotonic()
    saved_step = progress.step
    while progress.step < bench.length.steps:
        started = time.perf_counter()
        lr = set_learning_rate(
            bench.optimiser, spec=bench.train, length=bench.length, step=progress.step
        )
        asked = time.perf_counter()
        batch = bench.batches.at(progress.step)
        progress.wait_s += time.perf_counter() - asked
        loss = train_step(bench, batch.to(bench.accelerator.device))
        seconds = time.perf_counter() - started
        progress.step += 1
        progress.loss.append(loss)
        progress.lr.append(lr)
        progress.step_s.append(seconds)
        values = {"loss": loss, "step_s": seconds, "lr": lr}
        if _probe_due(progress.step, bench.length.steps):
            progress.probes.append((progress.step, probe()))
            values["mIoU"] = progress.probes[-1][1]
        progress.train_s += time.perf_counter() - started
        tell(kind="step", done=progress.step, total=bench.length.steps, values=values)
        last = progress.step == bench.length.steps
        stop = context.should_stop()
        if last or stop or time.monotonic() - saved_at >= context.checkpoint_s:
            checkpoints.save(bench.model, bench.optimiser, progress)
            saved_at, saved_step = time.monotonic(), progress.step
            tell(kind="saved", done=saved_step)
        if stop and not last:
            raise Stopped(saved_step)


def _probe_due(step: int, steps: int) -> bool:
    """Every fifth of a run, at least ten steps apart; not after the last, which is scored."""
    every = max(10, steps // _PROBES)
    return step % every == 0 and step < steps


def _prober(bench: Bench, targets: Targets) -> Callable[[], float]:
    """Scores a fixed, evenly spaced sample of the first split by the first protocol."""
    split, protocol = _lead(bench.spec), bench.spec.evaluate.protocol
    refs = bench.dataset.refs(split)
    sample = _spaced(items_of(refs), _PROBE_ITEMS)
    scorer = _scorer(bench, split, targets, (protocol,))

    def probe() -> float:
        counts = scorer.score(bench.model, sample, on_batch=lambda done: None)[protocol]
        return measure("mIoU", counts["intersection"], counts["union"], protocol=protocol)

    return probe


def _spaced(items: list[Item], count: int) -> list[Item]:
    """At least ``count`` items, or all, evenly spaced: a sample that is the same every time."""
    return items[:: max(1, len(items) // count)]


def _targets(bench: Bench, context: TaskContext) -> Targets:
    protocols = [find_protocol(name) for name in bench.spec.evaluate.protocols]
    return open_targets(bench.spec.data, context.place, dataset=bench.dataset, protocols=protocols)


def _scorer(bench: Bench, split: str, targets: Targets, protocols: Sequence[str]) -> Scorer:
    return Scorer(
        bench.dataset,
        bench.dataset.refs(split),
        targets=targets,
        protocols=[find_protocol(name) for name in protocols],
        size=bench.spec.data.image_size,
        batch=bench.spec.evaluate.batch,
        device=bench.accelerator.device,
        crew=bench.crew,
    )


def _score(
    bench: Bench, context: TaskContext, targets: Targets
) -> tuple[dict[str, ProtocolCounts], dict[str, ProtocolCounts]]:
    """Counts of every split, and of the lead split with shuffled expressions if asked for."""
    tell = _teller(bench.spec, context)
    protocols = bench.spec.evaluate.protocols
    counts: dict[str, ProtocolCounts] = {}
    controls: dict[str, ProtocolCounts] = {}
    for split in bench.spec.data.splits:
        items = items_of(bench.dataset.refs(split))
        passes = [(split, items, counts, protocols)]
        if bench.spec.evaluate.shuffled_text and split == _lead(bench.spec):
            shuffled = shuffled_among_images(items)
            passes.append((f"{split}, shuffled", shuffled, controls, protocols[:1]))
        for what, chosen, into, asked in passes:
            scorer = _scorer(bench, split, targets, asked)

            def on_batch(done: int, what: str = what, total: int = len(items)) -> None:
                tell(kind="evaluate", what=what, done=done, total=total)
                if context.should_stop():
                    raise Stopped(bench.length.steps)

            into[split] = scorer.score(bench.model, chosen, on_batch=on_batch)
    return counts, controls


def _teller(spec: RunSpec, context: TaskContext) -> Callable[..., None]:
    def tell(**fields: object) -> None:
        context.emit(Event.model_validate({"run_id": spec.run_id, **fields}))

    return tell


def _lead(spec: RunSpec) -> str:
    return spec.data.splits[0]


def _costs(bench: Bench, progress: Progress, share: float) -> list[Measurement]:
    peak, kind = peak_memory(bench.accelerator.device)
    numbers = [
        ("step_s", statistics.median(progress.step_s), "seconds"),
        ("train_s", progress.train_s, "seconds"),
        ("steps", progress.step, "steps"),
        ("scan_share", share, "fraction"),
        ("wait_share", progress.wait_s / progress.train_s, "fraction"),
    ]
    return [
        *(Measurement(metric=m, value=v, unit=u) for m, v, u in numbers),
        Measurement(metric="peak_bytes", value=peak, unit="bytes", where={"kind": kind}),
        *(
            Measurement(metric="parameters", value=n, unit="parameters", where={"part": part})
            for part, n in parameter_counts(bench.model).items()
        ),
    ]


def _curves(progress: Progress, split: str) -> dict[str, tuple[tuple[float, float], ...]]:
    """Loss and rate as means over equal stretches, at most 400 points, and the probes."""
    stretch = max(1, len(progress.loss) // _CURVE_POINTS)
    starts = range(0, len(progress.loss), stretch)

    def thinned(values: list[float]) -> tuple[tuple[float, float], ...]:
        parts = ((s, values[s : s + stretch]) for s in starts)
        return tuple((float(s + len(part)), statistics.fmean(part)) for s, part in parts)

    return {
        "loss": thinned(progress.loss),
        "lr": thinned(progress.lr),
        f"{split} mIoU": tuple((float(step), value) for step, value in progress.probes),
    }


def _unlike_published(bench: Bench) -> list[str]:
    """A warning if the splits that this run uses are not as large as the published ones."""
    data = bench.spec.data
    differences = count_report(bench.dataset, (data.train_split, *data.splits))
    if not differences:
        return []
    return [f"{data.name} is not the published one: {'; '.join(map(str, differences))}"]


def _described(bench: Bench) -> dict[str, str | int | float]:
    described: dict[str, str | int | float] = {
        "name": bench.dataset.name,
        "fingerprint": bench.dataset.fingerprint,
        "vocabulary": bench.model.tokenizer.size,
        NEEDS_BY: needs_by(bench.dataset.refs(_lead(bench.spec))),
    }
    for split in (bench.spec.data.train_split, *bench.spec.data.splits):
        texts = [e.text for ref in bench.dataset.refs(split) for e in ref.expressions]
        tokens = bench.model.tokenizer(texts)
        described[f"{split} expressions"] = len(texts)
        described[f"{split} truncated"] = tokens.truncated / max(1, len(texts))
        described[f"{split} unknown words"] = tokens.unknown / max(1, tokens.words)
    return described
