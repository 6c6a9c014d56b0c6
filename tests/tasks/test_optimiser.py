import json

import pytest
from golden import golden_path

from remamber.models import ModelInputs, build_model
from remamber.plan.spec import ModelSpec, TrainSpec
from remamber.tasks._optimiser import Length, learning_rate, length_of, make_optimiser

RELEASE = TrainSpec(epochs=50, batch=64, schedule="cosine-epoch")
QUICK = TrainSpec(steps=100, lr=1e-3, warmup_steps=10)


def test_epoch_schedule_equals_the_release_for_every_group_and_epoch():
    reference = json.loads(golden_path("lr_schedule.json").read_text())
    table = reference["lr used DURING epoch e (list index = e)"]
    length = Length(steps=500, steps_per_epoch=10)
    for epoch, rates in enumerate(table):
        for initial, expected in zip((5e-5, 5e-5, 2.5e-5, 2.5e-5), rates, strict=True):
            for step in (10 * epoch, 10 * epoch + 9):
                got = learning_rate(initial, spec=RELEASE, length=length, step=step)
                assert got == pytest.approx(expected, rel=1e-9)


def test_step_schedule_rises_over_the_warm_up_and_falls_to_the_minimum():
    length = length_of(QUICK, refs=1000)
    rates = [learning_rate(1e-3, spec=QUICK, length=length, step=s) for s in range(100)]
    assert rates[0] == pytest.approx(1e-4)
    assert rates[9] == rates[10] == 1e-3
    assert all(a > b for a, b in zip(rates[10:], rates[11:], strict=False))
    assert rates[-1] == pytest.approx(QUICK.lr_min, rel=0.5)


def test_an_epoch_drops_the_incomplete_batch_and_is_never_empty():
    assert length_of(RELEASE, refs=129) == (100, 2)
    assert length_of(RELEASE, refs=10) == (50, 1)


def test_groups_hold_every_parameter_once_and_decay_all():
    model = build_model(ModelSpec(), ModelInputs(["red ball"]))
    optimiser = make_optimiser(model, RELEASE)
    held = [p for group in optimiser.param_groups for p in group["params"]]
    assert len(held) == len({id(p) for p in held}) == len(list(model.parameters()))
    assert [g["name"] for g in optimiser.param_groups] == ["fusion", "decoder", "text", "backbone"]
    assert [g["lr"] for g in optimiser.param_groups] == [5e-5, 5e-5, 2.5e-5, 2.5e-5]
    assert {g["weight_decay"] for g in optimiser.param_groups} == {1e-4}
