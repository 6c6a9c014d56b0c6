"""What the data give away: floors that need no expression, ceilings that no coarse map passes."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from remamber.datasets import Mask, Referent, ReferringDataset, open_dataset
from remamber.metrics import measure
from remamber.plan.spec import RunSpec
from remamber.record.event import Event
from remamber.record.schema import Measurement
from remamber.registry import TASKS
from remamber.tasks import Outcome, Stopped, TaskContext

register = TASKS.register

_METRICS = ("mIoU", "oIoU", "Pr@50")
_STRIDES = (4, 8, 16)
_MEAN_SIDE = 64

Guess = Callable[[Referent, Mask], Mask]


@register("bounds")
def bounds(spec: RunSpec, context: TaskContext) -> Outcome:
    """Score guesses that use no model: all objects, the whole image, the mean mask, strides.

    ``predict-all`` outlines every annotated object perfectly and ignores the expression.
    ``mean-mask`` is where the training split has foreground at least half as often as at the
    most frequent place. ``stride-s`` is the target itself as a map of that stride holds it at
    best: averaged over s x s blocks of the model's input, interpolated back (bilinear) and
    thresholded.

    Raises:
        Stopped: asked to stop; it starts again the next time.
        UserError: the data cannot be read.
    """
    dataset = open_dataset(spec.data, context.place)
    mean = _mean_mask(dataset, spec.data.train_split)
    guesses: dict[str, Guess] = {
        "predict-all": lambda ref, target: dataset.all_objects(ref.image_id),
        "whole-image": lambda ref, target: np.ones_like(target),
        "mean-mask": lambda ref, target: _stretched(mean, target.shape) > 0.5,
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
    counts: dict[str, list[tuple[int, int]]] = {name: [] for name in guesses}
    for ref in dataset.refs(split):
        target = dataset.mask(ref)
        for name, guess in guesses.items():
            mask = guess(ref, target)
            pair = (int((mask & target).sum()), int((mask | target).sum()))
            counts[name] += [pair] * len(ref.expressions)
    return [
        Measurement(
            metric=metric,
            value=measure(metric, *np.array(pairs, dtype=np.int64).T),
            unit="fraction",
            where={"split": split, "bound": name},
        )
        for name, pairs in counts.items()
        for metric in _METRICS
    ]


def _mean_mask(dataset: ReferringDataset, split: str) -> NDArray[np.float64]:
    """Share of the split's expressions with foreground there, scaled so that its top is 1."""
    total = np.zeros((_MEAN_SIDE, _MEAN_SIDE))
    for ref in dataset.refs(split):
        total += len(ref.expressions) * _stretched(dataset.mask(ref), total.shape)
    peak = total.max()
    return total / peak if peak else total


def _stretched(mask: NDArray[np.float64] | Mask, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Nearest neighbour to another size."""
    rows = np.arange(shape[0]) * mask.shape[0] // shape[0]
    columns = np.arange(shape[1]) * mask.shape[1] // shape[1]
    stretched: NDArray[np.float64] = mask[np.ix_(rows, columns)].astype(np.float64)
    return stretched


def _seen_through(cells: int) -> Guess:
    return lambda ref, target: _coarse(target, cells)


def _coarse(target: Mask, cells: int) -> Mask:
    """The target as a cells x cells map of block means, interpolated back and thresholded."""
    rows = np.minimum(np.arange(target.shape[0]) * cells // target.shape[0], cells - 1)
    columns = np.minimum(np.arange(target.shape[1]) * cells // target.shape[1], cells - 1)
    index = (rows[:, None] * cells + columns[None, :]).ravel()
    size = np.bincount(index, minlength=cells * cells)
    share = np.bincount(index, weights=target.ravel(), minlength=cells * cells)
    means = (share / np.maximum(size, 1)).reshape(cells, cells).astype(np.float32)
    height, width = target.shape
    smooth = Image.fromarray(means).resize((width, height), Image.Resampling.BILINEAR)
    coarse: Mask = np.asarray(smooth) > 0.5
    return coarse
