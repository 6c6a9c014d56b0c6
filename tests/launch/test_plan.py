"""The plan: what is reused, how long the rest takes, and one step count for a time budget."""

import json
import sys
from pathlib import Path

import pytest
from fake_runner import RUNNER, fake_record

from remamber.datasets import SplitSize
from remamber.errors import ExitCode, UserError
from remamber.launch import Cost, Errand, makespan, plan_launch, steps_within
from remamber.launch._costs import cost_key, known_costs, read_notebook, remember, timed_costs
from remamber.launch._plan import budget_steps, make_plan, steps_of
from remamber.plan.spec import DataSpec, FusionSpec, ModelSpec, RunSpec, TrainSpec
from remamber.record.store import Store
from remamber.tasks._optimiser import length_of

SIZES = {
    DataSpec(): {
        "train": SplitSize(refs=100, expressions=290),
        "val": SplitSize(refs=110, expressions=320),
        "testA": SplitSize(0, 0),
        "testB": SplitSize(0, 0),
    }
}


def spec_of(order: str, **train: object) -> RunSpec:
    length = train or {"steps": 10}
    return RunSpec(
        model=ModelSpec(fusion=FusionSpec(scan_order=order)),
        train=TrainSpec.model_validate(length),
    )


@pytest.fixture
def errand(tmp_path: Path) -> Errand:
    orders = ("channel", "spatial", "parallel")
    store = Store(tmp_path / "runs")
    return Errand(tuple(map(spec_of, orders)), store, threads=2, runner=RUNNER)


def test_rows_are_reused_resumed_or_to_do(errand):
    channel, spatial, _ = errand.specs
    errand.store.write_record(fake_record(channel))
    errand.store.folder(spatial).mkdir()
    (errand.store.folder(spatial) / "checkpoint.pt").write_bytes(b"")
    plan = make_plan(errand, {}, sizes=SIZES)
    assert [row.state for row in plan.rows] == ["reused", "resumes", "to do"]
    assert [row.seconds for row in plan.rows] == [0.0, None, None]
    assert plan.seconds is None
    assert [row.spec for row in plan.todo()] == [spatial, errand.specs[2]]


def test_the_time_is_steps_plus_start_plus_evaluation(errand):
    cost = Cost(parameters=5, step_s=0.3, start_s=4.0)
    costs = {cost_key(spec, errand): cost for spec in errand.specs}
    plan = make_plan(errand, costs, sizes=SIZES)
    # 10 steps of 0.3 s, 4 s to start, 320 expressions in 10 batches of a third of a step.
    assert plan.rows[0].seconds == pytest.approx(10 * 0.3 + 4.0 + 10 * 0.1)
    assert plan.seconds == pytest.approx(3 * 8.0)


def test_an_epoch_is_counted_in_refs_and_drops_the_incomplete_batch(errand):
    spec = spec_of("channel", epochs=3, batch=32)
    (row,) = make_plan(Errand((spec,), errand.store), {}, sizes=SIZES).rows
    assert row.steps == 3 * (100 // 32)


@pytest.mark.parametrize("refs", [1, 31, 32, 33, 3318])
@pytest.mark.parametrize("length", [{"epochs": 1}, {"epochs": 50}, {"steps": 7}], ids=str)
def test_the_plan_and_the_trainer_count_the_same_steps(refs, length):
    spec = spec_of("channel", batch=32, **length)
    sizes = {DataSpec(): {"train": SplitSize(refs, 3 * refs)}}
    assert steps_of(spec, sizes) == length_of(spec.train, refs).steps


def test_epochs_of_data_of_unknown_size_have_no_number_of_steps():
    assert steps_of(spec_of("channel", epochs=3), {}) is None


def test_a_model_is_timed_once_and_remembered(errand):
    costs = timed_costs(errand, known_costs(errand))
    log = errand.store.root / "fake_runner.log"
    assert len(costs) == 3 and len(log.read_text().splitlines()) == 3
    again = timed_costs(errand, known_costs(errand))
    assert again == costs and len(log.read_text().splitlines()) == 3


def test_records_of_the_same_machine_are_better_than_timing(errand):
    channel, spatial, _ = errand.specs
    environment = fake_record(channel).environment
    errand.store.write_record(fake_record(channel))
    elsewhere = environment.model_copy(update={"cpu": "another"})
    errand.store.write_record(fake_record(spatial, environment=elsewhere))
    costs = known_costs(errand)
    assert list(costs) == [cost_key(channel, errand)]
    (cost,) = costs.values()
    assert (cost.source, cost.step_s, cost.overhead_s) == ("records", 0.11, 5.0)


def test_a_model_that_cannot_be_timed_is_left_out_with_the_reason(errand, caplog):
    broken = Errand(errand.specs[:1], errand.store, runner=("false",))
    assert timed_costs(broken, {}) == {}
    assert "could not be timed" in caplog.text


def test_what_the_run_would_stop_at_stops_its_timing(errand):
    message = "it is cut\n  file  f\nfetch"
    event = {"kind": "failed", "run_id": "x", "what": "damaged", "message": message}
    script = f"import sys; print({json.dumps(json.dumps(event))}, flush=True); sys.exit(6)"
    broken = Errand(errand.specs[:1], errand.store, runner=(sys.executable, "-c", script))
    with pytest.raises(UserError, match="it is cut") as caught:
        timed_costs(broken, {})
    assert caught.value.exit_code == ExitCode.DAMAGED
    assert (caught.value.where, caught.value.fix) == (("file  f",), ("fetch",))


def planned(errand: Errand, *step_s: float) -> tuple:
    costs = {
        cost_key(spec, errand): Cost(parameters=5, step_s=s, start_s=0.0, overhead_s=10.0)
        for spec, s in zip(errand.specs, step_s, strict=True)
    }
    return make_plan(errand, costs, sizes=SIZES).rows


def test_a_budget_gives_all_rows_the_same_number_of_steps(errand):
    rows = planned(errand, 0.1, 0.2, 0.2)
    # 100 s less 3 x 10 s of overhead and 10 s for the report: 60 s at 0.5 s a step of each.
    assert budget_steps(rows, 100.0, sizes=SIZES) == 120


def test_a_budget_that_no_step_fits_into_is_refused_with_one_that_does(errand):
    with pytest.raises(UserError, match="too small") as caught:
        budget_steps(planned(errand, 0.1, 0.2, 0.2), 40.0, sizes=SIZES)
    assert caught.value.fix[0].startswith("--budget 2m")


def test_a_budget_without_step_times_is_refused(errand):
    rows = make_plan(errand, {}, sizes=SIZES).rows
    with pytest.raises(UserError, match="needs the time of a step"):
        budget_steps(rows, 100.0, sizes=SIZES)


def test_a_damaged_notebook_is_set_aside(errand, caplog):
    remember(errand.store, budgets={"a": 3})
    path = errand.store.root / "calibration.json"
    path.write_text("{")
    assert read_notebook(errand.store).budgets == {}
    assert str(path) in caplog.text


def test_the_same_budget_means_the_same_steps_later_unless_fresh(errand):
    plan = plan_launch(errand, sizes=SIZES, timing=True)
    first = steps_within(errand, plan, budget_s=600.0)
    for spec in errand.specs:
        errand.store.write_record(fake_record(spec))
    later = plan_launch(errand, sizes=SIZES, timing=True)
    assert steps_within(errand, later, budget_s=600.0) == first
    assert steps_within(errand, later, budget_s=600.0, fresh=True) != first


def test_the_last_run_of_three_at_a_time_ends_when_a_hand_made_schedule_says():
    # 4 and 3 and 2 start together, 5 after the 2, 1 after the 3.
    assert makespan([4.0, 3.0, 2.0, 5.0, 1.0], 3) == 7.0
    assert makespan([4.0, 3.0], 1) == 7.0
    assert makespan([], 3) == 0.0
