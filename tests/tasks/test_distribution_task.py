"""The task of feature distributions: bounded, repeatable, with a control, and clear words."""

import json

import numpy as np
import pytest
import torch
from evaluation_run import run
from tiny_run import tiny_spec

from remamber.datasets import DataPlace, open_dataset
from remamber.errors import ExitCode, UserError
from remamber.models import ModelInputs, build_model, from_pretrained
from remamber.models._evaluable import find_evaluable
from remamber.models._taps import Features, Group
from remamber.plan.look import DistributionSpec
from remamber.plan.spec import EvaluateSpec, RunSpec
from remamber.record.store import Store
from remamber.runner import Interruption
from remamber.table.arrays import read_arrays
from remamber.tasks._distribution_points import MOST_MEANS, Collector, Sampled
from remamber.tasks._scoring import items_of
from remamber.tasks.distribution import _images, _Sample, _sampled

SEED = 3


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def initial(root, tmp_path_factory):
    """A file with the weights that a training from the seed would begin with, and the data."""
    spec = tiny_spec(root, order="channel-spatial")
    dataset = open_dataset(spec.data, DataPlace(root=root))
    texts = [e.text for ref in dataset.refs("train") for e in ref.expressions]
    folder = tmp_path_factory.mktemp("weights")
    build_model(spec.model, ModelInputs(texts, seed=SEED)).save_pretrained(folder)
    return find_evaluable(folder), spec.data


def planned(initial, *, data=None, batch=4, **wish):
    found, read = initial
    return RunSpec(
        task="distribution",
        seed=SEED,
        model=found.model,
        data=data or read,
        evaluate=EvaluateSpec(batch=batch),
        weights=found.weights,
        distribution=DistributionSpec(**{"points": 40, **wish}),
    )


def looked(initial, store, root, **wish):
    spec = planned(initial, **wish)
    code, _ = run(spec, initial[0].path, store, root)
    record = Store(store).find(spec)
    assert code is ExitCode.DONE, record.error
    return record, read_arrays(record, Store(store).arrays_path(record))


def numbers(record):
    return {(m.metric, *m.where.values()): m.value for m in record.measurements if "tap" in m.where}


@pytest.fixture(scope="module")
def whole(initial, root, tmp_path_factory):
    return looked(initial, tmp_path_factory.mktemp("whole"), root)


def test_every_tap_has_points_axes_and_numbers_with_resamples(whole):
    record, arrays = whole
    found = numbers(record)
    for stage in (1, 2, 3):
        for place in ("cube", "after channel scan", "after spatial scan", "output"):
            tap = f"stage {stage} layer 1 {place}"
            for group in ("image", "text", "local"):
                assert arrays[f"{tap}/scores/{group}"].shape[1] == 3
                assert np.isfinite(arrays[f"{tap}/line_share/{group}"]).all()
            assert ("modality_gap", tap, "image-text") in found
            assert ("explained_variance", tap, "1") in found
    assert all(np.isfinite(value) for value in found.values())


def test_before_the_scans_the_text_lies_on_a_line_exactly(whole):
    found = numbers(whole[0])
    for stage in (1, 2, 3):
        tap = f"stage {stage} layer 1 cube"
        assert found["line_share", tap, "text"] == pytest.approx(1.0, abs=1e-6)
        assert found["line_share", tap, "image"] < 0.99


def test_the_same_seed_gives_the_same_digits_whatever_the_batch(whole, initial, root, tmp_path):
    again, arrays = looked(initial, tmp_path, root)
    assert numbers(again) == numbers(whole[0])
    for name, values in whole[1].items():
        np.testing.assert_array_equal(arrays[name], values)
    other, _ = looked(initial, tmp_path, root, batch=3)
    for key, value in numbers(other).items():
        assert value == pytest.approx(numbers(whole[0])[key], abs=1e-3)


def test_the_control_is_the_model_before_its_first_step(whole, initial, root, tmp_path):
    """These weights are initial: looked at as trained or as the control, all is the same."""
    control, arrays = looked(initial, tmp_path, root, trained=False)
    assert control.run_id != whole[0].run_id
    assert numbers(control) == numbers(whole[0])
    for name, values in whole[1].items():
        np.testing.assert_array_equal(arrays[name], values)


def test_another_seed_has_another_control(initial, root, tmp_path):
    spec = planned(initial, trained=False).model_copy(update={"seed": SEED + 1})
    run(spec, initial[0].path, tmp_path, root)
    own, _ = looked(initial, tmp_path, root, trained=False)
    assert numbers(Store(tmp_path).find(spec)) != numbers(own)


def test_points_as_positions_and_a_joint_basis(initial, root, tmp_path):
    record, arrays = looked(initial, tmp_path, root, point="position", basis="joint")
    found = numbers(record)
    assert ("modality_gap", "stage 1 layer 1 cube", "image-text") in found
    # After the spatial scan no position is of one group: nothing is compared there.
    assert ("modality_gap", "stage 1 layer 1 after spatial scan", "image-text") not in found
    assert "stage 1 layer 1 after spatial scan/scores/fused" in arrays
    shares = [
        found["explained_variance", f"stage 1 layer 1 {place}", "1"]
        for place in ("cube", "after channel scan", "output")
    ]
    assert len(set(shares)) == 1


def test_taps_that_the_model_lacks_are_told_and_an_unknown_one_is_refused(initial, root, tmp_path):
    record, _ = looked(initial, tmp_path, root, taps=("attention", "stage 1 layer 1 cube"))
    assert record.warnings[0] == "this model has no tap 'attention'"
    assert {tap for _, tap, *_ in numbers(record)} == {"stage 1 layer 1 cube"}
    with pytest.raises(UserError, match="unknown tap 'cubus'"):
        run(planned(initial, taps=("cubus",)), initial[0].path, tmp_path, root)


def test_one_image_gives_values_and_says_why_there_are_no_intervals(initial, root, tmp_path):
    record, arrays = looked(initial, tmp_path, root, samples=1)
    assert any("all expressions are of one image" in warning for warning in record.warnings)
    found = numbers(record)
    assert ("modality_gap", "stage 1 layer 1 cube", "image-text") in found
    assert ("probe_accuracy", "stage 1 layer 1 cube", "image-text") not in found
    assert not any("/modality_gap/" in name for name in arrays)
    assert all(np.isfinite(value) for value in found.values())


def test_a_stop_is_heard_between_two_batches(initial, root, tmp_path):
    interruption = Interruption()
    spec = planned(initial)
    asked = []

    def emit(event):
        asked.append(event.kind)
        interruption.ask()

    from evaluation_run import asked as request

    from remamber.runner import execute

    code = execute(request(spec, tmp_path, root, initial[0].path), emit, interruption)
    assert code is ExitCode.INTERRUPTED
    assert Store(tmp_path).find(spec) is None


def test_weights_that_diverged_are_refused_in_words(initial, root, tmp_path):
    found, data = initial
    model = from_pretrained(found.path)
    with torch.no_grad():
        model.encoder.fusions[0].layers[0].norm.weight.fill_(3e38)
    model.save_pretrained(tmp_path / "bad")
    bad = find_evaluable(tmp_path / "bad")
    with pytest.raises(UserError, match="are not finite numbers") as error:
        run(planned((bad, data)), bad.path, tmp_path, root)
    assert error.value.exit_code is ExitCode.DAMAGED


def features(batch, channels=6, positions=9, *, first=0, masked=False):
    rows = torch.arange(first, first + batch)[:, None, None] * 1000.0
    values = rows + torch.arange(channels)[None, :, None] * 10 + torch.arange(positions)
    mask = torch.arange(positions).expand(batch, positions) < 2 if masked else None
    return {"t": Features({"image": Group(values, positions=mask)}, {}, {})}


def collected(total, *, points=12, batch=5, **more):
    wish = DistributionSpec(points=points, **more)
    collector = Collector(wish, total=total, seed=0)
    sampled = [Sampled(i, 100 + i, i // 2) for i in range(total)]
    for first in range(0, total, batch):
        group = sampled[first : first + batch]
        collector.add(group, features(len(group), first=first, masked=more.get("masked", False)))
    return collector.finished()["t"]


@pytest.mark.parametrize("total", [1, 3, 7, 40, 2000])
def test_as_many_points_as_asked_are_kept_whatever_the_size_of_the_split(total):
    kept = collected(total)
    number = min(12, 6 * total)
    assert len(kept.groups["image"].values) == number
    shares = np.bincount(kept.groups["image"].values[:, 0].astype(int) // 1000, minlength=total)
    assert shares.max() - shares.min() <= 1
    assert len(kept.means) <= MOST_MEANS


def test_expressions_that_give_no_point_take_no_memory():
    """A split of any size leaves as many arrays as points, not as expressions."""
    collector = Collector(DistributionSpec(points=12), total=5000, seed=0)
    for first in range(0, 5000, 500):
        group = [Sampled(i, i, i) for i in range(first, first + 500)]
        collector.add(group, features(500, first=first))
    assert len(collector._kept["t"]["image"]) <= 13
    assert len(collector.finished()["t"].groups["image"].values) == 12


def test_a_point_is_a_channel_over_positions_or_a_position_over_channels():
    channel, position = collected(2).groups["image"].values, collected(2, point="position")
    assert channel.shape == (12, 9)
    assert (np.diff(channel, axis=1) == 1).all()
    assert position.groups["image"].values.shape == (12, 6)
    assert (np.diff(position.groups["image"].values, axis=1) == 10).all()


def test_an_expressions_points_do_not_depend_on_who_else_is_read():
    one, other = collected(4, batch=1), collected(4, batch=3)
    np.testing.assert_array_equal(one.groups["image"].values, other.groups["image"].values)


def test_which_channels_are_kept_follows_from_the_expression_and_not_from_its_place():
    found = []
    for number in (0, 1):
        collector = Collector(DistributionSpec(points=4), total=2, seed=0)
        collector.add([Sampled(number, 77, 0)], features(1))
        found.append(collector.finished()["t"].groups["image"].values)
    np.testing.assert_array_equal(*found)


def test_the_expressions_that_are_read_are_evenly_spaced_over_the_split(root):
    spec = tiny_spec(root)
    items = items_of(open_dataset(spec.data, DataPlace(root=root)).refs("val"))
    ids = [item.expression.sent_id for item in items]
    half = _sampled(items, len(items) // 2)
    assert [item.expression.sent_id for item in half.items] == ids[: len(ids) // 2 * 2 : 2]
    assert [one.number for one in half.of_batch] == list(range(len(ids) // 2))
    assert half.images == len({item.ref.image_id for item in half.items})
    assert len(_sampled(items, 10_000).items) == len(items)


@pytest.mark.parametrize("total", [3, MOST_MEANS, MOST_MEANS + 1, 3 * MOST_MEANS + 5])
def test_every_kept_mean_has_its_own_image(total):
    of_batch = [Sampled(i, i, i // 2) for i in range(total)]
    images = _images(_Sample(range(total), of_batch, total // 2 + 1), seed=0).of_means
    collector = Collector(DistributionSpec(points=2), total=total, seed=0)
    collector.add(of_batch, features(total))
    rows = collector.finished()["t"].means[:, 0] // 1000
    assert [int(row) // 2 for row in rows] == list(images)


def test_tokens_of_padding_are_no_points_and_no_token_is_a_position_of_the_image():
    wish = DistributionSpec(points=12, point="position")
    for given, kept in ((wish, 2), (DistributionSpec(points=12), 0)):
        collector = Collector(given, total=1, seed=0)
        collector.add([Sampled(0, 1, 0)], features(1, masked=True))
        tap = collector.finished()["t"]
        assert sum(len(group.values) for group in tap.groups.values()) == kept
        assert tap.lacking == ({} if kept else {"image": "tokens are nowhere in the image"})


def test_a_group_without_a_token_is_told_and_not_a_number():
    collector = Collector(DistributionSpec(points=12, point="position"), total=1, seed=0)
    seen = features(1)["t"].groups["image"].values
    nothing = torch.zeros(1, seen.shape[2], dtype=torch.bool)
    collector.add(
        [Sampled(0, 1, 0)], {"t": Features({"text": Group(seen, positions=nothing)}, {}, {})}
    )
    tap = collector.finished()["t"]
    assert tap.lacking == {"text": "no point belongs to it"}
    assert (tap.means == 0).all()


def test_the_spec_of_a_record_is_the_hash_it_had_before_the_field(initial):
    """Runs without a distribution keep their names."""
    plain = RunSpec()
    assert "distribution" not in json.loads(plain.canonical())
