"""Times, ratios, exponents and tables of a speed study, from records that were never timed."""

import pytest
from simulated_kernels import kernel_record, kernel_spec
from simulated_speed import (
    KEYS,
    seconds_of,
    speed_analysis,
    speed_record,
    speed_runs,
    speed_spec,
    speed_store,
)

from remamber.plan.spec import ModelSpec, RunSpec, SpeedSpec
from remamber.plan.speed import model_key
from remamber.record.noise import NoiseFloor, write_noise
from remamber.record.schema import Measurement
from remamber.record.store import Store
from remamber.rounds import DELTA
from remamber.table.growth import exponent_of_samples, exponent_of_values
from remamber.table.speed import build_speed
from remamber.table.speed_layout import speed_tables

SUBJECT, RIVAL = KEYS


@pytest.fixture
def results(tmp_path):
    store, runs = speed_store(tmp_path)
    return build_speed(speed_analysis(), runs, store)


def test_a_ratio_sees_past_the_drift_that_both_share(results):
    group = results.groups[0]
    ratio = group.ratio(SUBJECT, RIVAL)
    assert ratio.value == pytest.approx(seconds_of(SUBJECT, 256) / seconds_of(RIVAL, 256), rel=0.01)
    assert ratio.low < ratio.value < ratio.high
    assert group.verdict(SUBJECT, RIVAL) == "faster"
    assert group.verdict(RIVAL, SUBJECT) == "slower"


def noisy(store, floor, machine="m"):
    noise = NoiseFloor(
        machine=machine,
        device="cpu",
        threads=4,
        trials=10,
        rounds=20,
        floor=floor,
        one_after_other=0.2,
        false_verdicts=0,
        false_one_after_other=4,
        measured="2026-01-02T03:04:05+00:00",
    )
    write_noise(store.root, noise)


def test_a_difference_within_the_machines_noise_is_none(tmp_path):
    store, runs = speed_store(tmp_path)
    apart = seconds_of(RIVAL, 256) / seconds_of(SUBJECT, 256) - 1
    for floor, verdicts in ((0.5 * apart, ("slower", "faster")), (1.5 * apart, ("same", "same"))):
        noisy(store, floor)
        group = build_speed(speed_analysis(), runs, store).groups[0]
        assert group.delta == floor
        assert (group.verdict(RIVAL, SUBJECT), group.verdict(SUBJECT, RIVAL)) == verdicts


def test_noise_never_lowers_what_counts_and_is_of_one_machine(tmp_path):
    store, runs = speed_store(tmp_path)
    assert build_speed(speed_analysis(), runs, store).noise is None
    noisy(store, 0.9, machine="another")
    results = build_speed(speed_analysis(), runs, store)
    assert results.noise is None and results.groups[0].delta == DELTA
    noisy(store, 0.001)
    results = build_speed(speed_analysis(), runs, store)
    assert results.noise.floor == 0.001 and results.groups[0].delta == DELTA


def test_the_exponent_of_a_linear_model_is_one(results):
    (chain,) = results.chains
    found = results.time_exponent(SUBJECT, chain)
    assert found.value == pytest.approx(1, abs=0.01)
    assert found.low < 1 < found.high and found.sizes == 3
    worse = results.time_exponent(RIVAL, chain)
    assert worse.low > 1.2 and worse.sizes == 2, "it ran out of memory at 1024 px"


def test_exponents_need_two_sizes_and_an_interval_of_memory_three():
    assert exponent_of_samples({256: [1.0, 1.1]}, name="x") is None
    assert exponent_of_values({256: 1.0, 512: 0.0}) is None
    two = exponent_of_values({256: 1.0, 512: 16.0})
    assert two.value == pytest.approx(2) and two.low is None
    three = exponent_of_values({256: 1.0, 512: 4.2, 1024: 15.0})
    assert three.low < 1 < three.high


def test_an_exponents_interval_grows_with_the_noise_of_the_blocks():
    def width(noise):
        samples = {s: [s**2 * (1 + noise * (i % 5 - 2)) for i in range(20)] for s in (256, 512)}
        found = exponent_of_samples(samples, name="x")
        return found.high - found.low

    assert width(0.05) > 3 * width(0.005)


def test_what_did_not_fit_is_a_cell_and_what_was_not_measured_says_why(results):
    tables = {table.name: table for table in speed_tables(results)}
    assert set(tables) == {"time", "model-memory", "growth", "details"}
    last = tables["time"].rows[-1]
    by_column = dict(zip((c.name for c in tables["time"].columns), last.cells, strict=True))
    assert by_column["lavt median"].status == "oom"
    assert by_column["remamber against lavt takes"].status == "oom"
    assert by_column["remamber median"].value == pytest.approx(
        seconds_of(SUBJECT, 1024) * 1.5, rel=0.1
    )
    names = [c.name for c in tables["model-memory"].columns]
    reserved = tables["model-memory"].rows[0].cells[names.index("remamber reserved")]
    assert (reserved.status, reserved.reason) == ("not-measured", "no CUDA")


def test_a_run_without_a_record_is_not_run_and_a_failed_one_failed(tmp_path):
    store = Store(tmp_path)
    broken, missing = speed_spec(256), speed_spec(512)
    store.write_record(
        speed_record(broken, status="error", error="it broke", measurements=(), curves={})
    )
    results = build_speed(speed_analysis(), speed_runs(broken, missing), store)
    (table, *_) = speed_tables(results)
    assert [row.cells[0].status for row in table.rows] == ["failed", "not-run"]
    assert results.unrecorded == (missing.run_id,)


def test_many_models_are_rows(tmp_path):
    models = tuple(
        ModelSpec.model_validate({"fusion": {"scan_order": order}})
        for order in ("channel", "spatial", "parallel", "channel-spatial")
    )
    store, spec = Store(tmp_path), speed_spec(64, models=models)
    store.write_record(speed_record(spec))
    table = speed_tables(build_speed(speed_analysis(), speed_runs(spec), store))[0]
    assert max(len(column.group) for column in table.columns) < 20, "a terminal is narrow"
    assert [row.label for row in table.rows] == [
        "remamber channel",
        "remamber spatial",
        "remamber parallel",
        "remamber channel-spatial",
    ]


def trained(model, value, *, seed=0):
    content = {"task": "train", "seed": seed, "model": model, "train": {"steps": 100}}
    spec = RunSpec.model_validate(content)
    where = {"split": "val"}
    number = Measurement(metric="mIoU", value=value, unit="fraction", where=where)
    base = speed_record(speed_spec(64))
    changes = {"spec": spec, "run_id": spec.run_id, "digest": spec.digest}
    return base.model_copy(update={**changes, "measurements": (number,), "data": {}, "curves": {}})


def test_accuracy_comes_from_records_of_the_same_models(tmp_path):
    models = (ModelSpec(), ModelSpec(name="lavt"))
    store, spec = Store(tmp_path), speed_spec(64, models=models)
    store.write_record(speed_record(spec))
    for record in (
        trained(models[0], 0.40),
        trained(models[0], 0.44, seed=1),
        trained(ModelSpec(size="small"), 0.9),
    ):
        store.write_record(record)
    results = build_speed(speed_analysis(), speed_runs(spec), store)
    score = results.accuracy.scores[model_key(models[0])]
    assert (score.value, score.low, score.high, score.seeds) == (pytest.approx(0.42), 0.4, 0.44, 2)
    assert model_key(models[1]) not in results.accuracy.scores
    assert "100 steps" in results.accuracy.condition and results.accuracy.image_size == 64


def test_the_scans_place_below_the_roof_is_that_of_this_machine(tmp_path):
    store, spec = Store(tmp_path), speed_spec(256)
    store.write_record(speed_record(spec))
    store.write_record(kernel_record(kernel_spec("s1_256", machine="m")))
    store.write_record(kernel_record(kernel_spec("mamba", machine="another")))
    results = build_speed(speed_analysis(), speed_runs(spec), store)
    assert set(results.scan_shares) == {"s1_256"}
    assert 0 < results.scan_shares["s1_256"] < 1


def test_groups_of_other_conditions_have_exponents_of_their_own(tmp_path):
    store = Store(tmp_path)
    specs = [speed_spec(s, dtype=d) for d in ("fp32", "bf16") for s in (256, 512)]
    for spec in specs:
        store.write_record(speed_record(spec))
    results = build_speed(speed_analysis(), speed_runs(*specs), store)
    assert len(results.chains) == 2
    growth = next(t for t in speed_tables(results) if t.name == "growth")
    assert len(growth.rows) == 4 and "bf16" in growth.rows[-1].label


def test_a_condition_is_all_but_the_models_and_the_size():
    one, other = SpeedSpec(), SpeedSpec(image_size=512, models=(ModelSpec(name="lavt"),))
    assert one.condition() == other.condition() != SpeedSpec(channels_last=True).condition()
