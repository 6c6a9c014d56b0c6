"""Runs on trained weights: their file stands in the request, and their time in the plan."""

from pathlib import Path

import pytest
from fake_runner import fake_record

from remamber.launch import Errand, plan_launch
from remamber.launch._child import request
from remamber.plan.spec import DataSpec, FusionSpec, ModelSpec, RunSpec, WeightsSpec
from remamber.record.store import Store

SHA = "ab" * 32


def on_weights(sha=SHA, *, order="spatial", image_size=64):
    return RunSpec(
        task="evaluate",
        model=ModelSpec(fusion=FusionSpec(scan_order=order)),
        data=DataSpec(image_size=image_size),
        weights=WeightsSpec(holds="model", sha256=sha),
    )


def errand(tmp_path, *specs):
    files = {SHA: Path("/weights/model.safetensors")}
    return Errand(specs=specs, store=Store(tmp_path), weights=files)


def test_the_runner_is_told_where_the_weights_of_its_run_are(tmp_path):
    spec = on_weights()
    assert request(spec, errand(tmp_path, spec))["weights"] == "/weights/model.safetensors"
    assert request(RunSpec(), errand(tmp_path, spec))["weights"] is None


def test_a_plan_takes_the_time_of_such_runs_from_those_on_other_weights(tmp_path):
    store = Store(tmp_path)
    for number, seconds in enumerate((10.0, 20.0, 60.0)):
        store.write_record(fake_record(on_weights(f"{number:064x}"), wall_s=seconds))
    other = on_weights(order="parallel")
    plan = plan_launch(errand(tmp_path, other, on_weights()), sizes={})
    assert [row.seconds for row in plan.rows] == [20.0, 20.0]
    assert plan.seconds == 40.0


def test_a_time_that_is_not_known_is_not_made_up(tmp_path):
    Store(tmp_path).write_record(fake_record(on_weights("0" * 64), wall_s=10.0))
    larger = on_weights(image_size=128)
    plan = plan_launch(errand(tmp_path, larger), sizes={})
    assert plan.rows[0].seconds is None
    assert plan.seconds is None


def test_a_recorded_run_takes_no_time(tmp_path):
    spec = on_weights()
    Store(tmp_path).write_record(fake_record(spec, wall_s=10.0))
    plan = plan_launch(errand(tmp_path, spec), sizes={})
    assert plan.rows[0].state == "reused"
    assert plan.seconds == pytest.approx(0.0)
