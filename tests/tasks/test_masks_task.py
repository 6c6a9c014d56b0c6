"""Predicted masks of chosen expressions: those that the trained run counted, to the pixel."""

import io

import numpy as np
import pytest
from evaluation_run import asked, run
from PIL import Image
from tiny_run import tiny_spec

from remamber.errors import ExitCode, UserError
from remamber.metrics import iou
from remamber.models._evaluable import find_evaluable
from remamber.plan.look import MaskExample, MasksSpec
from remamber.plan.spec import RunSpec
from remamber.plan.study import StudyRuns
from remamber.record.store import Store
from remamber.runner import Interruption, execute
from remamber.table.arrays import read_arrays
from remamber.table.counts import CountsFile
from remamber.table.example_choice import RowCounts, choose_examples
from remamber.table.masks import build_masks


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def store(root, tmp_path_factory):
    """A store with one trained run in it."""
    store = Store(tmp_path_factory.mktemp("store"))
    trained = asked(tiny_spec(root, steps=2), store.root, root)
    assert execute(trained, lambda event: None, Interruption()) is ExitCode.DONE
    return store


def trained_in(store):
    return next(record for record in store.records() if record.spec.task == "train")


def planned(store, *, protocol=None, **wish):
    """The run that shows masks of the trained one."""
    record = trained_in(store)
    row = RowCounts("mine", (CountsFile(record, store.counts_path(record)),))
    found = find_evaluable(store.folder(record.spec))
    evaluate = {"batch": 3, **({"protocols": (protocol,)} if protocol else {})}
    return found.path, RunSpec.model_validate(
        {
            "task": "masks",
            "model": found.model,
            "data": record.spec.data,
            "evaluate": evaluate,
            "weights": found.weights,
            "masks": choose_examples(MasksSpec(**{"count": 2, **wish}), [row]),
        }
    )


@pytest.fixture(scope="module")
def shown(store, root):
    path, spec = planned(store)
    assert run(spec, path, store.root, root)[0] is ExitCode.DONE
    return store.find(spec)


def results(store, *records, rows=None):
    names = rows or {record.run_id: f"row {i}" for i, record in enumerate(records)}
    ids = tuple(record.run_id for record in records)
    return build_masks(StudyRuns(study="masks", profile="quick", run_ids=ids, rows=names), store)


def test_every_mask_has_the_pixels_that_the_trained_run_counted(store, shown):
    found = results(store, shown)
    assert found.agreement.compared == len(found.examples) == len(shown.spec.masks.items) == 2
    assert found.agreement.differing == 0
    for example in found.examples:
        predicted = example.predicted["row 0"]
        assert predicted.intersection == np.count_nonzero(predicted.mask & example.target)
        assert predicted.union == np.count_nonzero(predicted.mask | example.target)
        assert predicted.mask.shape == example.target.shape
    arrays = read_arrays(shown, store.arrays_path(shown))
    for place, example in enumerate(found.examples):
        assert arrays["predicted"][place] == example.predicted["row 0"].mask.sum()
        assert arrays["target"][place] == example.target.sum()


def test_every_example_has_the_iou_that_its_rule_asked_for(store, shown):
    record = trained_in(store)
    counts = CountsFile(record, store.counts_path(record)).of("val")
    values = iou(counts.intersection, counts.union)
    best, median = results(store, shown).examples
    assert (best.rule, median.rule) == ("best", "median")
    assert best.predicted["row 0"].iou == pytest.approx(values.max())
    others = values[counts.image != best.image_id]
    nearest = np.abs(others - np.median(values)).min()
    assert abs(median.predicted["row 0"].iou - np.median(values)) == pytest.approx(nearest)


def test_images_are_kept_small_and_readable(store, shown):
    arrays = read_arrays(shown, store.arrays_path(shown))
    for place in range(len(shown.spec.masks.items)):
        with Image.open(io.BytesIO(arrays[f"image/{place}"].tobytes())) as image:
            assert max(image.size) <= 320
            height, width = arrays[f"shape/{place}"]
            assert image.width / image.height == pytest.approx(width / height, rel=0.02)


def test_a_protocol_that_compares_elsewhere_shows_its_own_masks(store, root):
    path, spec = planned(store, protocol="lavt", count=1)
    assert run(spec, path, store.root, root)[0] is ExitCode.DONE
    found = results(store, store.find(spec))
    assert all(example.target.shape == (480, 480) for example in found.examples)
    # The trained run did not count by this protocol: nothing to hold them against.
    assert found.agreement.compared == 0
    assert found.means == {}


def test_masks_that_differ_from_the_counts_are_said_so(store, shown, tmp_path):
    class Changed:
        """The same records, with other counts of the trained run."""

        def records(self):
            free = {"counts_sha256": None}
            return [r.model_copy(update=free) for r in store.records()]

        def arrays_path(self, record):
            return store.arrays_path(record)

        def counts_path(self, record):
            path = tmp_path / "counts.npz"
            with np.load(store.counts_path(record)) as kept:
                arrays = dict(kept)
            arrays["val/union"] = arrays["val/union"] + 3
            np.savez(path, **arrays)
            return path

    found = results(Changed(), shown).agreement
    assert found.differing == found.compared > 0
    assert found.pixels == 3


def test_a_run_of_other_expressions_is_left_out_and_named(store, root, shown):
    path, spec = planned(store, rules=("worst",))
    assert run(spec, path, store.root, root)[0] is ExitCode.DONE
    found = results(store, shown, store.find(spec))
    assert set(found.records) == {"row 0"}
    assert found.failed == {"row 1": "shows other expressions"}


def test_nothing_chosen_an_unknown_expression_and_no_masks_are_clear_errors(store, root, shown):
    path, spec = planned(store)
    none = spec.model_copy(update={"masks": MasksSpec()})
    with pytest.raises(UserError, match="none were chosen"):
        run(none, path, store.root, root)
    lost = MasksSpec(items=(MaskExample(ref_id=-1, sent_id=5, rule="best"),))
    with pytest.raises(UserError, match="no sentence 5 of ref -1"):
        run(spec.model_copy(update={"masks": lost}), path, store.root, root)
    with pytest.raises(UserError, match="left masks") as caught:
        results(store, trained_in(store))
    assert caught.value.exit_code is ExitCode.MISSING


def test_a_stop_before_the_end_leaves_no_record(store, root):
    path, spec = planned(store, count=3)
    asked_to_stop = Interruption()
    asked_to_stop.ask()
    assert run(spec, path, store.root, root, asked_to_stop)[0] is ExitCode.INTERRUPTED
    assert store.find(spec) is None
