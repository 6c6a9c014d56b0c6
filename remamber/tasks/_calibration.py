"""A few timed steps of a training run, from which its length in minutes is estimated."""

import statistics
import time

from remamber.models import parameter_counts
from remamber.plan.spec import RunSpec
from remamber.record.event import Event
from remamber.tasks import Stopped, TaskContext
from remamber.tasks._bench import Bench, open_bench, train_step
from remamber.tasks._device import peak_memory

_WARM, _TIMED = 2, 4


def calibrate(spec: RunSpec, context: TaskContext) -> dict[str, float]:
    """Parameters, seconds of a step and peak bytes of a training run; nothing is kept.

    The first steps compile kernels and fill caches and are not counted.

    Raises:
        Stopped: asked to stop.
        UserError: the data cannot be read.
    """
    with open_bench(spec, context) as bench:
        return _timed(bench, context)


def _timed(bench: Bench, context: TaskContext) -> dict[str, float]:
    spec, seconds = bench.spec, []
    for step in range(_WARM + _TIMED):
        if context.should_stop():
            raise Stopped(0)
        context.emit(
            Event(
                kind="step",
                run_id=spec.run_id,
                what="timing",
                done=step,
                total=_WARM + _TIMED,
            )
        )
        started = time.perf_counter()
        batch = bench.batches.at(step % bench.length.steps).to(bench.accelerator.device)
        train_step(bench, batch)
        seconds.append(time.perf_counter() - started)
    return {
        "parameters": float(parameter_counts(bench.model)["total"]),
        "step_s": statistics.median(seconds[_WARM:]),
        "steps": float(bench.length.steps),
        "peak_bytes": float(peak_memory(bench.accelerator.device)[0]),
    }
