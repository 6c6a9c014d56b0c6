"""A test of the model and the training step, not of the data: 32 samples can be learned."""

from dataclasses import replace

import pytest
from synthetic_recipes import small_recipe

from remamber.datasets import DataPlace
from remamber.datasets._refer_layout import open_refer
from remamber.datasets.synthetic import provide
from remamber.metrics import measure
from remamber.plan.protocols import DEFAULT, PROTOCOLS
from remamber.plan.spec import DataSpec, RunSpec, TrainSpec
from remamber.tasks import TaskContext
from remamber.tasks._bench import set_up, train_step
from remamber.tasks._optimiser import set_learning_rate
from remamber.tasks._protocol_masks import Targets
from remamber.tasks._scoring import Scorer, items_of

STEPS, CHECKED_EVERY, SAMPLES = 300, 25, 32
DATA = DataSpec(name="synth-refcoco", image_size=64, splits=("train",))


class Excerpt:
    """The first refs of a data set with one expression each."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __getattr__(self, name):
        return getattr(self.dataset, name)

    def refs(self, split):
        return [
            replace(ref, expressions=ref.expressions[:1])
            for ref in self.dataset.refs(split)[:SAMPLES]
        ]


@pytest.fixture
def excerpt(tmp_path, monkeypatch):
    place = DataPlace(cache=tmp_path)
    folder = provide(small_recipe(), place)
    whole = open_refer(folder, DATA, folder="refcoco", split_by="unc", name="synth-refcoco")
    monkeypatch.setattr("remamber.tasks._bench.open_dataset", lambda spec, place: Excerpt(whole))
    return Excerpt(whole)


@pytest.mark.slow
def test_32_samples_are_overfitted_to_90_percent_within_300_steps(excerpt, tmp_path):
    train = TrainSpec(steps=STEPS, batch=SAMPLES, lr=1e-3, lr_pretrained=1e-3, warmup_steps=10)
    context = TaskContext(tmp_path, DataPlace(), lambda event: None, lambda: False)
    bench = set_up(RunSpec(data=DATA, train=train), context)
    items = items_of(excerpt.refs("train"))
    assert len(items) == SAMPLES
    scorer = Scorer(
        excerpt,
        excerpt.refs("train"),
        targets=Targets({"union": excerpt}, own_rule="union"),
        protocols=[PROTOCOLS[DEFAULT]],
        size=64,
        batch=SAMPLES,
        device=bench.accelerator.device,
    )
    reached = 0.0
    for step in range(STEPS):
        set_learning_rate(bench.optimiser, spec=bench.train, length=bench.length, step=step)
        train_step(bench, bench.batches.at(step))
        if (step + 1) % CHECKED_EVERY == 0:
            counts = scorer.score(bench.model, items, on_batch=lambda done: None)[DEFAULT]
            reached = measure("mIoU", counts["intersection"], counts["union"])
            if reached >= 0.9:
                return
    pytest.fail(f"{reached:.3f} mIoU after {STEPS} steps")
