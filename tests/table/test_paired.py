"""Sides and pairs of a comparison, and the paired differences in accuracy between them."""

import pytest
from simulated_study import ORDERS, add_bounds, add_run, simulated_study

from remamber.errors import ExitCode, UserError
from remamber.metrics import measure
from remamber.record.store import Store
from remamber.table.counts import CountsFile
from remamber.table.paired import accuracy_differences
from remamber.table.sides import find_side, pairs


def compared(a, b, store, **options):
    sides = find_side(str(a), store), find_side(str(b), store)
    return accuracy_differences(sides, pairs(*sides), **options)


@pytest.fixture
def study(tmp_path):
    return simulated_study(tmp_path / "runs", seeds=(0, 1))


def test_a_difference_is_that_of_the_two_metrics(study):
    (found,) = compared(
        "scan_order=channel,seed=0",
        "scan_order=parallel,seed=0",
        study.store,
        splits=["val"],
        metrics=["oIoU"],
    )
    values = []
    for order in ("channel", "parallel"):
        (record,) = find_side(f"scan_order={order},seed=0", study.store).records
        counts = CountsFile(record, study.store.counts_path(record)).of("val")
        values.append(measure("oIoU", counts.intersection, counts.union))
    assert [found.a, found.b] == pytest.approx(values)
    assert found.difference == pytest.approx(values[1] - values[0])
    assert found.low < found.difference < found.high
    assert (found.images, found.expressions, found.seeds) == (60, 180, None)


def test_the_sides_change_places(study):
    there, back = (
        compared(*names, study.store, splits=["val"], metrics=["mIoU"])[0]
        for names in (
            ("scan_order=channel", "scan_order=parallel"),
            ("scan_order=parallel", "scan_order=channel"),
        )
    )
    assert there.difference == pytest.approx(-back.difference)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert (there.verdict, back.verdict) == ("better", "worse")


def test_a_variant_is_like_itself(study):
    found = compared("scan_order=spatial", "scan_order=spatial", study.store)
    assert [d.difference for d in found] == [0.0] * 6
    assert {d.verdict for d in found} == {"not distinguishable"}


def test_seeds_are_joined_by_number_and_reported_apart(study):
    (found,) = compared(
        "scan_order=channel", "scan_order=parallel", study.store, splits=["val"], metrics=["mIoU"]
    )
    assert found.seeds.n == 2
    assert found.seeds.mean == pytest.approx(found.difference)


def test_p_is_adjusted_over_everything_shown(study):
    names = ("scan_order=spatial", "scan_order=parallel", study.store)
    (alone,) = compared(*names, splits=["val"], metrics=["mIoU"])
    among = compared(*names)
    of_all = next(d for d in among if (d.split, d.metric) == ("val", "mIoU"))
    assert alone.p <= of_all.p <= min(1, alone.p * len(among)) + 1e-12


def test_two_stores_are_joined_by_equal_specs(tmp_path, study):
    other = simulated_study(
        tmp_path / "other", seeds=(0, 1), skill={"channel": 0.5, "spatial": 0.4}
    )
    found = compared(study.store.root, other.store.root, study.store, metrics=["mIoU"])
    orders = [d.pair["model.fusion.scan_order"] for d in found if d.split == "val"]
    assert sorted(orders) == ["channel", "spatial"]
    better = {d.pair["model.fusion.scan_order"]: d.verdict for d in found if d.split == "val"}
    assert better["channel"] == "better"


def test_runs_that_scored_nothing_are_left_out(tmp_path):
    stores = [simulated_study(tmp_path / n, bounds=False, skill={"channel": 0.3}) for n in "ab"]
    for study in stores:
        add_bounds(study)
    found = compared(stores[0].store.root, stores[1].store.root, stores[0].store)
    assert {d.split for d in found} == {"val", "testA", "testB"}


def test_other_data_with_the_same_ids_are_refused(study, tmp_path):
    other = simulated_study(tmp_path / "other", data="synth-refcocog", skill={"channel": 0.3})
    with pytest.raises(UserError, match="different data"):
        compared(study.run_ids[0], other.store.root / other.run_ids[0], study.store)


def test_one_image_cannot_be_resampled(tmp_path):
    study = simulated_study(tmp_path, images=1)
    with pytest.raises(UserError, match="one image"):
        compared("scan_order=channel", "scan_order=spatial", study.store)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("nothing", "unknown_run"),
        ("remamber", "ambiguous_run"),
        ("scan_order=diagonal", "no_record"),
        ("scan_ordre=channel", "unknown_key"),
    ],
)
def test_a_name_that_means_nothing_says_so(study, name, slug):
    with pytest.raises(UserError) as caught:
        find_side(name, study.store)
    assert caught.value.slug == slug


def test_an_empty_store_says_how_to_fill_it(tmp_path):
    with pytest.raises(UserError) as caught:
        find_side("anything", Store(tmp_path))
    assert caught.value.exit_code == ExitCode.MISSING


def test_a_failed_run_is_no_side(tmp_path):
    study = simulated_study(tmp_path, skill={"channel": 0.3})
    add_run(study, "spatial", skill=0.3, status="error", error="boom")
    with pytest.raises(UserError, match="ended well"):
        find_side("scan_order=spatial", study.store)


def test_no_seed_in_common_is_said(tmp_path):
    study = simulated_study(tmp_path, skill={"channel": 0.3}, seeds=(0,))
    add_run(study, "spatial", skill=0.3, seed=1)
    with pytest.raises(UserError, match="no seed in common"):
        compared("scan_order=channel", "scan_order=spatial", study.store)


def test_equal_variants_are_rarely_told_apart(tmp_path):
    """Six columns a pair at 5 % over all of them: far fewer than one in five may be told apart."""
    told_apart = 0
    for seed in range(20):
        study = simulated_study(
            tmp_path / str(seed), skill=dict.fromkeys(ORDERS[:2], 0.4), seeds=(seed,), bounds=False
        )
        found = compared(*(f"scan_order={o}" for o in ORDERS[:2]), study.store)
        told_apart += any(d.verdict != "not distinguishable" for d in found)
    assert told_apart <= 4
