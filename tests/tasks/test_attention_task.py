"""Maps of a trained run measured on a whole split: chance, controls, repeatability, bad input."""

import numpy as np
import pytest
from evaluation_run import asked, run
from tiny_run import tiny_spec

from remamber.datasets import DataPlace, open_dataset
from remamber.errors import ExitCode, UserError
from remamber.models._evaluable import find_evaluable
from remamber.plan.spec import FusionSpec, ModelSpec, RunSpec
from remamber.record.store import Store
from remamber.runner import Interruption, execute
from remamber.table.arrays import read_arrays


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def store(root, tmp_path_factory):
    """A store with a trained Twister, and one of in-context conditioning."""
    store = Store(tmp_path_factory.mktemp("store"))
    spec = tiny_spec(root, steps=2)
    other = spec.model_copy(update={"model": ModelSpec(fusion=FusionSpec(name="in-context"))})
    for one in (spec, other):
        trained = asked(one, store.root, root)
        assert execute(trained, lambda event: None, Interruption()) is ExitCode.DONE
    return store


def planned(store, fusion="twister", batch=3, **wish):
    records = [r for r in store.records() if r.spec.task == "train"]
    record = next(r for r in records if r.spec.model.fusion.name == fusion)
    found = find_evaluable(store.folder(record.spec))
    return found.path, RunSpec.model_validate(
        {
            "task": "attention",
            "model": found.model,
            "data": record.spec.data,
            "evaluate": {"batch": batch},
            "weights": found.weights,
            "attention": {"pictures": 2, **wish},
        }
    )


def measured(store, root, **wish):
    path, spec = planned(store, **wish)
    assert run(spec, path, store.root, root)[0] is ExitCode.DONE
    record = store.find(spec)
    return record, read_arrays(record, store.arrays_path(record))


@pytest.fixture(scope="module")
def whole(store, root):
    return measured(store, root)


def expressions_of(record, root):
    dataset = open_dataset(record.spec.data, DataPlace(root=root))
    return dataset, [(ref, e) for ref in dataset.refs("val") for e in ref.expressions]


def test_every_expression_of_the_split_is_measured_against_its_own_target(whole, root):
    record, arrays = whole
    dataset, expressions = expressions_of(record, root)
    assert arrays["sent_id"].tolist() == [e.sent_id for _, e in expressions]
    areas = [dataset.mask(ref).mean() for ref, _ in expressions]
    np.testing.assert_allclose(arrays["area"], areas)
    among = [dataset.mask(r).sum() / dataset.all_objects(r.image_id).sum() for r, _ in expressions]
    known = np.isfinite(arrays["among_area"])
    np.testing.assert_allclose(arrays["among_area"][known], np.array(among)[known])
    assert np.allclose(np.array(among)[~known], 1.0)


def test_scores_are_shares_and_none_beats_the_grid(whole):
    record, arrays = whole
    places = [str(place) for place in arrays["places"]]
    assert places == [f"stage {stage}" for stage in (1, 2, 3, 4)]
    for place in places:
        for score in ("pointing", "rank", "best"):
            assert ((arrays[f"{score}/{place}"] >= 0) & (arrays[f"{score}/{place}"] <= 1)).all()
        best = arrays[f"best/{place}"] + 1e-6
        assert (arrays[f"energy/{place}"][:, 0] <= best).all()
        assert (arrays[f"pointing/{place}"] <= best).all()
    # An image of 32 pixels has one cell at the last stage: all that is left is chance.
    np.testing.assert_allclose(arrays["energy/stage 4"][:, 0], arrays["area"], rtol=1e-6)
    assert (arrays["rank/stage 4"] == 0.5).all()
    told = {m.where["place"]: m.value for m in record.measurements if m.metric == "target_energy"}
    assert told["stage 1"] == pytest.approx(arrays["energy/stage 1"][:, 0].mean(), rel=1e-6)


def test_batches_do_not_change_what_is_measured(whole, store, root):
    again = measured(store, root, batch=5)[1]
    for name, array in whole[1].items():
        if array.dtype.kind == "f":
            np.testing.assert_allclose(again[name], array, rtol=2e-3, atol=2e-4)
        else:
            np.testing.assert_array_equal(again[name], array)


def test_the_same_run_again_gives_the_same_numbers_to_the_digit(whole, store, root, tmp_path):
    path, spec = planned(store)
    other = Store(tmp_path)
    assert run(spec, path, other.root, root)[0] is ExitCode.DONE
    again = other.find(spec)
    repeated = read_arrays(again, other.arrays_path(again))
    for name, array in whole[1].items():
        np.testing.assert_array_equal(repeated[name], array)


def test_pictured_maps_are_of_each_word_and_of_mean_one(whole):
    arrays = whole[1]
    for number in range(2):
        words = arrays[f"shown/{number}/words"].tolist()
        assert words[0] == "all" and words[1:] == str(arrays[f"shown/{number}/text"]).split()
        density = arrays[f"shown/{number}/density/stage 1"]
        assert density.shape == (len(words), 8, 8) and density.min() == 0
        np.testing.assert_allclose(density.mean(axis=(1, 2)), 1, rtol=1e-5)
        row = arrays["sent_id"].tolist().index(arrays[f"shown/{number}/ids"][2])
        energies = arrays[f"shown/{number}/energy/stage 1"]
        assert energies[0] == pytest.approx(arrays["energy/stage 1"][row, 0], rel=1e-3)
    assert "shown/2/text" not in arrays


def test_untrained_weights_are_measured_on_the_same_expressions(whole, store, root):
    arrays = measured(store, root, trained=False)[1]
    np.testing.assert_array_equal(arrays["sent_id"], whole[1]["sent_id"])
    assert arrays["shown/0/ids"].tolist() == whole[1]["shown/0/ids"].tolist()
    assert not np.array_equal(arrays["energy/stage 1"], whole[1]["energy/stage 1"])


def test_a_limit_is_evenly_spaced_and_said_so(whole, store, root):
    record, arrays = measured(store, root, limit=3)
    n = len(whole[1]["sent_id"])
    assert arrays["sent_id"].tolist() == [whole[1]["sent_id"][i * n // 3] for i in range(3)]
    assert any("a quick look: 3 expressions" in warning for warning in record.warnings)


def test_one_image_an_empty_target_and_unknown_words_are_said(store, root, monkeypatch):
    record = store.records()[0]
    dataset, expressions = expressions_of(record, root)
    first = expressions[0][0]
    cls = type(dataset)
    own_mask = cls.mask
    odd = first.__class__(
        first.ref_id + 1000,
        first.image_id,
        first.ann_ids,
        first.category,
        first.split,
        (expressions[0][1].__class__(9001, "xyzzy qwrt"), expressions[0][1].__class__(9002, "")),
    )
    monkeypatch.setattr(cls, "refs", lambda self, split: [first, odd])
    monkeypatch.setattr(
        cls, "mask", lambda self, ref: own_mask(self, first) & (ref.ref_id == first.ref_id)
    )
    found, arrays = measured(store, root, limit=50)
    said = " | ".join(found.warnings)
    assert "2 expressions have an empty target and are left out" in said
    assert "of 1 expressions the weights know no word" in said
    assert "all expressions are of one image: there are no intervals" in said
    assert "only 1 images to show" in said
    told = {m.where["place"]: m.value for m in found.measurements if m.metric == "target_energy"}
    known = arrays["energy/stage 1"][arrays["area"] > 0, 0]
    assert told["stage 1"] == pytest.approx(known.mean(), rel=1e-6)
    # An empty sentence still has its start and end; no word of it is of any kind.
    assert np.isfinite(arrays["energy/stage 1"][-1, 0])
    assert np.isnan(arrays["energy/stage 1"][-1, 1:]).all()


def test_a_variant_without_maps_and_an_unknown_sentence_are_clear_errors(store, root):
    path, spec = planned(store, "in-context")
    with pytest.raises(UserError, match="no interaction or attention map") as caught:
        run(spec, path, store.root, root)
    assert caught.value.exit_code is ExitCode.USAGE
    path, spec = planned(store, shown=(12345678,))
    with pytest.raises(UserError, match="no sentence 12345678"):
        run(spec, path, store.root, root)


def test_a_stop_before_the_end_leaves_no_record(store, root):
    path, spec = planned(store, limit=4)
    asked_to_stop = Interruption()
    asked_to_stop.ask()
    assert run(spec, path, store.root, root, asked_to_stop)[0] is ExitCode.INTERRUPTED
    assert store.find(spec) is None
