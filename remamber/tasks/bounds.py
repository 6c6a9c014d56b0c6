"""What the data give away: floors that need no expression, ceilings that no coarse map passes."""

from collections.abc import Callable

import numpy as np

from remamber.datasets import Mask, Referent, ReferringDataset, open_dataset
from remamber.datasets._guesses import coarse, mean_mask, stretched
from remamber.metrics import PixelCounts
from remamber.plan.protocols import DEFAULT
from remamber.plan.spec import RunSpec
from remamber.record.event import Event
from remamber.record.schema import Measurement
from remamber.registry import TASKS
from remamber.tasks import Outcome, Stopped, TaskContext
from remamber.tasks._accuracy import measured

register = TASKS.register

_METRICS = ("mIoU", "oIoU", "Pr@50")
_STRIDES = (4, 8, 16)

Guess = Callable[[Referent, Mask], Mask]


@register("bounds")
def bounds(spec: RunSpec, context: TaskContext) -> Outcome:
    """Score guesses that use no model: all objects, the whole image, the mean mask, strides.

    ``predict-all`` outlines every annotated object perfectly and ignores the expression.
    ``mean-mask`` is where the training split has foreground at least half as often as at the
    most frequent place. ``stride-s`` is the target itself as a map of that stride holds it at
    best: averaged over s x s blocks of the model's input, interpolated back (bilinear) and
    thresholded. Where expressions have no target, gIoU, cIoU, N-acc and T-acc are given too.

    Raises:
        Stopped: asked to stop; it starts again the next time.
        UserError: the data cannot be read.
    """
    dataset = open_dataset(spec.data, context.place)
    mean = mean_mask(dataset, dataset.refs(spec.data.train_split))
    guesses: dict[str, Guess] = {
        "predict-all": lambda ref, target: dataset.all_objects(ref.image_id),
        "whole-image": lambda ref, target: np.ones_like(target),
        "mean-mask": lambda ref, target: stretched(mean, target.shape) > 0.5,
    }
    for stride in _STRIDES:
        guesses[f"stride-{stride}"] = _seen_through(spec.data.image_size // stride)
    measurements = []
    for i, split in enumerate(spec.data.splits):
        context.emit(
            Event(
                kind="evaluate",
                run_id=spec.run_id,
                what=f"bounds of {split}",
                done=i,
                total=len(spec.data.splits),
            )
        )
        if context.should_stop():
            raise Stopped(0)
        measurements += _scored(dataset, split, guesses)
    return Outcome(
        measurements=tuple(measurements),
        data={"name": dataset.name, "fingerprint": dataset.fingerprint},
    )


def _scored(dataset: ReferringDataset, split: str, guesses: dict[str, Guess]) -> list[Measurement]:
    """One score for every expression: a ref counts as often as it is named."""
    rows: dict[str, list[tuple[int, int, int]]] = {name: [] for name in guesses}
    for ref in dataset.refs(split):
        target = dataset.mask(ref)
        for name, guess in guesses.items():
            mask = guess(ref, target)
            both, either = np.count_nonzero(mask & target), np.count_nonzero(mask | target)
            rows[name] += [(int(both), int(either), int(target.sum()))] * len(ref.expressions)
    return [
        measurement
        for name, counted in rows.items()
        for measurement in measured(
            PixelCounts(*np.array(counted, dtype=np.int64).T),
            protocol=DEFAULT,
            where={"split": split, "bound": name},
            metrics=_METRICS,
        )
    ]


def _seen_through(cells: int) -> Guess:
    return lambda ref, target: coarse(target, cells)
