"""Times of two models or of two records compared: what is paired, and what nothing is said of."""

import json

import numpy as np
import pytest
from simulated_speed import KEYS, seconds_of, speed_record, speed_spec, speed_store

from remamber.errors import UserError
from remamber.record.noise import NoiseFloor, write_noise
from remamber.record.store import Store
from remamber.report.timed_text import timed_text
from remamber.rounds import process_ratio
from remamber.table.noise import loudest
from remamber.table.sides import find_side, pairs
from remamber.table.timed import time_differences, timed_sides
from remamber.table.timed_lost import lost_models
from remamber.table.timed_models import without_model

SUBJECT, RIVAL = "remamber", "lavt"


def noisy(store, floor=0.001, one_after_other=0.03, machine="m"):
    noise = NoiseFloor(
        machine=machine,
        device="cpu",
        threads=4,
        trials=10,
        rounds=20,
        floor=floor,
        one_after_other=one_after_other,
        false_verdicts=0,
        false_one_after_other=4,
        measured="2026-01-02T03:04:05+00:00",
    )
    write_noise(store.root, noise)


@pytest.fixture
def store(tmp_path):
    return speed_store(tmp_path, (256,))[0]


def slowed(store, factor, **changes):
    """A record of the same group that other code made, ``factor`` times as slow."""
    spec = speed_spec(256, **{"code": "d", **changes})
    record = speed_record(spec)
    curves = {n: tuple((r, factor * s) for r, s in curve) for n, curve in record.curves.items()}
    measured = tuple(
        m.model_copy(update={"value": factor * m.value}) if m.unit == "seconds" else m
        for m in record.measurements
    )
    store.write_record(record.model_copy(update={"curves": curves, "measurements": measured}))
    return spec.run_id


def compared(store, a, b, **options):
    (name_a, model_a), (name_b, model_b) = without_model(a), without_model(b)
    sides = find_side(name_a, store), find_side(name_b, store)
    timed = timed_sides((a, b), sides, (model_a, model_b))
    return time_differences(timed, pairs(*sides), **options)


def test_models_of_one_run_are_paired_by_rounds(store):
    run = speed_spec(256).run_id
    time, memory = compared(store, f"{run}@{SUBJECT}", f"{run}@{RIVAL}")
    assert (time.metric, memory.metric) == ("latency_p50", "needed_mib")
    apart = seconds_of(KEYS[1], 256) / seconds_of(KEYS[0], 256)
    assert time.ratio.value == pytest.approx(apart, rel=0.01)
    assert time.ratio.low < apart < time.ratio.high < 1.02 * apart
    assert time.paired and time.verdict == "slower" and time.models == (SUBJECT, RIVAL)
    assert memory.p is None and memory.ratio.value == memory.b / memory.a
    back = compared(store, f"{run}@{RIVAL}", f"{run}@{SUBJECT}")[0]
    assert back.verdict == "faster"
    assert back.ratio.value * time.ratio.value == pytest.approx(1)


def test_of_two_records_nothing_is_said_without_the_noise_between_processes(store):
    after = slowed(store, 1.5)
    for difference in compared(store, speed_spec(256).run_id, after, metrics=["latency_p50"]):
        assert difference.ratio.value == pytest.approx(1.5)
        assert not difference.paired and difference.delta is None
        assert difference.verdict == "unresolved"


@pytest.mark.parametrize(("factor", "verdict"), [(2.5, "slower"), (0.4, "faster")])
def test_a_regression_must_exceed_what_equal_things_differ_by(store, factor, verdict):
    run, after = speed_spec(256).run_id, slowed(store, factor)
    noisy(store)
    found = compared(store, run, after, metrics=["latency_p50"])
    assert [d.verdict for d in found] == [verdict] * 2
    assert {d.models for d in found} == {(SUBJECT, SUBJECT), (RIVAL, RIVAL)}
    noisy(store, one_after_other=2.0)
    assert {d.verdict for d in compared(store, run, after, metrics=["latency_p50"])} <= {
        "same",
        "unresolved",
    }


def test_p_is_adjusted_over_all_that_is_compared_together(store):
    run, after = speed_spec(256).run_id, slowed(store, 1.3)
    noisy(store)
    both = compared(store, run, after, metrics=["latency_p50"])
    alone = compared(store, f"{run}@lavt", f"{after}@lavt", metrics=["latency_p50"])[0]
    assert len(both) == 2
    assert both[1].p > alone.p


def test_machines_are_compared_only_if_told_and_never_with_a_verdict(store):
    run = speed_spec(256).run_id
    other = slowed(store, 3.0, machine="n", threads=2)
    noisy(store)
    with pytest.raises(UserError, match="different machines") as caught:
        compared(store, run, other)
    assert any("threads 4 -> 2" in line for line in caught.value.where)
    found = compared(store, run, other, metrics=["latency_p50"], cross_machine=True)
    assert {d.verdict for d in found} == {"unresolved"}
    assert "machine m -> n" in found[0].noisy


def test_folders_of_two_machines_are_joined_by_what_was_asked(tmp_path):
    here, there = speed_store(tmp_path / "a")[0], Store(tmp_path / "b")
    for side in (256, 512):
        there.write_record(speed_record(speed_spec(side, machine="n", code="d")))
    found = compared(here, str(here.root), str(there.root), cross_machine=True)
    assert {d.group.split(",")[0] for d in found} == {"256 px", "512 px"}


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ("{run}", "{run}", "same run"),
        ("{run}@lavt", "{run}@lavt", "same run"),
        ("{run}@lavt", "{run}", "same run"),
        ("{run}@lavr", "{run}@remamber", "unknown model 'lavr'"),
    ],
)
def test_what_cannot_be_compared_is_said(store, a, b, words):
    run = speed_spec(256).run_id
    with pytest.raises(UserError, match=words):
        compared(store, a.format(run=run), b.format(run=run))


def test_a_model_named_on_one_side_is_the_only_one_compared(store):
    run, after = speed_spec(256).run_id, slowed(store, 1.5)
    for a, b in ((f"{run}@lavt", after), (run, f"{after}@lavt")):
        assert {d.models for d in compared(store, a, b)} == {(RIVAL, RIVAL)}


def test_a_time_of_zero_is_no_time(store):
    after = slowed(store, 0.0)
    found = compared(store, speed_spec(256).run_id, after)
    assert {d.metric for d in found} == {"needed_mib"}


def test_between_processes_the_larger_of_both_noises_counts(store):
    run, after = speed_spec(256).run_id, slowed(store, 1.2)
    for floor, one_after_other in ((0.4, 0.1), (0.1, 0.4)):
        noisy(store, floor=floor, one_after_other=one_after_other)
        found = compared(store, run, after, metrics=["latency_p50"])
        assert {d.delta for d in found} == {0.4}


def test_noise_of_several_machines_is_known_only_if_all_is(store):
    noisy(store, floor=0.1)
    noisy(store, floor=0.3, machine="n")
    quiet, loud = store.noise("m"), store.noise("n")
    assert loudest([quiet, loud]) == loud
    assert loudest([quiet, None]) is None


def test_a_folder_may_have_the_mark_in_its_name(tmp_path):
    folder = tmp_path / "me@lab" / "runs"
    store = speed_store(folder, (256,))[0]
    run = str(folder / speed_spec(256).run_id)
    after = slowed(store, 1.5)
    assert without_model(run) == (run, None)
    assert without_model(f"{run}@lavt") == (run, "lavt")
    assert without_model("me@lab/not-there") == ("me@lab/not-there", None)
    assert compared(store, run, str(folder / after))


def test_runs_of_one_seed_each_are_compared_whatever_their_seeds(store):
    other = speed_spec(256, code="d").model_copy(update={"seed": 7})
    store.write_record(speed_record(other))
    found = compared(store, speed_spec(256).run_id, other.run_id)
    assert {d.seeds for d in found} == {(0, 7)}


def test_several_seeds_are_told_apart(tmp_path):
    stores = Store(tmp_path / "a"), Store(tmp_path / "b")
    for seed in (0, 1):
        for store, code in zip(stores, "cd", strict=True):
            spec = speed_spec(256, code=code).model_copy(update={"seed": seed})
            store.write_record(speed_record(spec))
    names = [str(store.root) for store in stores]
    found = compared(stores[0], *names)
    assert [d.seeds[1] for d in found] == [0] * 4 + [1] * 4
    assert "lavt, 256 px" in (text := timed_text(tuple(names), found))
    assert text.count("net, seed 1\n") == 2


def test_the_louder_of_two_stores_counts_whichever_side_it_is(tmp_path):
    stores = speed_store(tmp_path / "a", (256,))[0], Store(tmp_path / "b")
    run, after = speed_spec(256).run_id, slowed(stores[1], 1.2)
    sides = [str(stores[0].root / run), str(stores[1].root / after)]

    def deltas(*sides):
        return {d.delta for d in compared(stores[0], *sides, metrics=["latency_p50"])}

    noisy(stores[1], one_after_other=0.5)
    assert deltas(*sides) == deltas(*reversed(sides)) == {0.5}
    noisy(stores[0], one_after_other=0.7)
    assert deltas(*sides) == deltas(*reversed(sides)) == {0.7}


@pytest.mark.parametrize("share", ["NaN", "Infinity", "-0.1"])
@pytest.mark.parametrize("name", ["floor", "one_after_other"])
def test_a_noise_floor_that_is_no_share_counts_as_not_measured(store, name, share):
    noisy(store)
    path = store.root / "noise" / "m.json"
    content = json.loads(path.read_text())
    path.write_text(path.read_text().replace(f'"{name}": {content[name]}', f'"{name}": {share}'))
    assert share in path.read_text()
    assert store.noise("m") is None


def test_the_noise_of_another_machine_does_not_count_under_this_ones_name(store):
    noisy(store, machine="other")
    (store.root / "noise" / "other.json").rename(store.root / "noise" / "m.json")
    assert store.noise("m") is None


def lost_on_b(store):
    spec = speed_spec(256, code="d")
    record = speed_record(spec)
    gone = {f"status {KEYS[1]}": "oom", f"reason {KEYS[1]}": "killed"}
    content = {
        "measurements": tuple(m for m in record.measurements if m.where.get("model") != KEYS[1]),
        "curves": {n: c for n, c in record.curves.items() if not n.startswith(KEYS[1])},
        "data": {**record.data, **gone},
    }
    store.write_record(record.model_copy(update=content))
    return spec.run_id


def test_a_model_that_one_side_lost_is_said_and_never_left_out_silently(store):
    run, after = speed_spec(256).run_id, lost_on_b(store)
    joined = pairs(find_side(run, store), find_side(after, store))
    (lost,) = lost_models(joined, (None, None))
    assert (lost.side, lost.model, lost.ended) == ("B", RIVAL, "ran out of memory")
    assert lost_models(joined, ("remamber", None)) == []
    back = pairs(find_side(after, store), find_side(run, store))
    assert [m.side for m in lost_models(back, (None, "lavt"))] == ["A"]
    with pytest.raises(UserError) as caught:
        compared(store, f"{run}@lavt", f"{after}@lavt")
    assert "B  remamber, lavt (ran out of memory)" in list(caught.value.where)


def test_an_unknown_metric_names_the_nearest(store):
    run = speed_spec(256).run_id
    with pytest.raises(UserError, match="latency_p5'") as caught:
        compared(store, f"{run}@lavt", f"{run}@remamber", metrics=["latency_p5"])
    assert list(caught.value.fix) == ["did you mean 'latency_p50'?"]


def test_two_processes_are_both_resampled():
    generator = np.random.default_rng(0)
    false = 0
    for trial in range(200):
        a, b = (dict(enumerate(np.exp(generator.normal(0, 0.05, 20)))) for _ in "ab")
        ratio = process_ratio(a, b, name=str(trial))
        false += not ratio.low <= 1 <= ratio.high
    assert false <= 24, "nominal 10 of 200"
    above = {r: 1.2 * s for r, s in a.items()}
    assert process_ratio(above, a, name="x").value == pytest.approx(1.2)
    assert process_ratio({0: 1.0}, {0: 2.0}, name="x").low is None
    assert process_ratio({}, {0: 2.0}, name="x") is None
