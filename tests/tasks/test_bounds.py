"""Floors and ceilings of a data set: guesses without a model, scored as a model is."""

import numpy as np
import pytest
from small_refcoco import write_small_refcoco

from remamber.datasets import DataPlace, open_dataset
from remamber.plan.spec import DataSpec, RunSpec
from remamber.tasks import TaskContext
from remamber.tasks.bounds import bounds

SPLITS = ("val", "testA")
NO_TARGET = {"gIoU", "cIoU", "N-acc", "T-acc"}


class EverySecondEmpty:
    """A data set whose every second ref names nothing in its image."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __getattr__(self, name):
        return getattr(self.dataset, name)

    def mask(self, ref):
        mask = self.dataset.mask(ref)
        return np.zeros_like(mask) if ref.ref_id % 2 else mask


@pytest.fixture
def opened(tmp_path):
    write_small_refcoco(tmp_path)
    spec = RunSpec(task="bounds", data=DataSpec(name="refcoco", image_size=32, splits=SPLITS))
    context = TaskContext(tmp_path, DataPlace(root=tmp_path), lambda event: None, lambda: False)
    return spec, context, open_dataset(spec.data, context.place)


def scored(spec, context):
    """(split, bound) -> metric -> value."""
    found = {}
    for m in bounds(spec, context).measurements:
        found.setdefault((m.where["split"], m.where["bound"]), {})[m.metric] = m.value
    return found


def test_every_bound_of_every_split_is_what_a_loop_over_expressions_gives(opened):
    spec, context, dataset = opened
    found = scored(spec, context)
    strides = {"stride-4", "stride-8", "stride-16"}
    guesses = {"predict-all", "whole-image", "mean-mask", *strides}
    assert set(found) == {(split, guess) for split in SPLITS for guess in guesses}
    for split in SPLITS:
        pairs = []
        for ref in dataset.refs(split):
            target, whole = dataset.mask(ref), dataset.all_objects(ref.image_id)
            pairs += [((target & whole).sum(), (target | whole).sum())] * len(ref.expressions)
        both, either = np.array(pairs).T
        floor = found[split, "predict-all"]
        assert floor == pytest.approx(
            {
                "mIoU": np.mean(both / either),
                "oIoU": both.sum() / either.sum(),
                "Pr@50": np.mean(both / either > 0.5),
            }
        )
        fine, middle, coarse = (found[split, f"stride-{s}"]["mIoU"] for s in (4, 8, 16))
        assert 1 > fine > middle > coarse


def test_where_expressions_have_no_target_the_metrics_made_for_them_are_given(opened, monkeypatch):
    spec, context, dataset = opened
    some = EverySecondEmpty(dataset)
    monkeypatch.setattr("remamber.tasks.bounds.open_dataset", lambda spec, place: some)
    found = scored(spec, context)
    for split in SPLITS:
        refs = [ref for ref in dataset.refs(split) for _ in ref.expressions]
        with_one = np.array([ref.ref_id % 2 == 0 for ref in refs])
        assert 0 < with_one.sum() < len(refs)
        ceiling, floor = found[split, "stride-4"], found[split, "predict-all"]
        assert set(ceiling) == {"mIoU", "oIoU", "Pr@50"} | NO_TARGET
        # An empty target seen through a coarse map is still empty, and so is right.
        assert ceiling["N-acc"] == ceiling["T-acc"] == 1
        assert ceiling["gIoU"] == pytest.approx(ceiling["mIoU"] + np.mean(~with_one))
        assert (floor["N-acc"], floor["T-acc"]) == (0, 1)
        assert floor["gIoU"] == floor["mIoU"]
        assert floor["cIoU"] == floor["oIoU"]
