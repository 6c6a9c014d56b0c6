"""A disturbed evaluation: what it scores, what it counts, and what it leaves as it is."""

import json

import numpy as np
import pytest
import torch
from evaluation_run import asked, read, run
from tiny_run import tiny_spec

from remamber.datasets import Expression, Referent
from remamber.errors import ExitCode
from remamber.models import ModelInputs, build_model
from remamber.models._evaluable import find_evaluable
from remamber.plan.spec import EvaluateSpec, FusionSpec, ModelSpec, RunSpec
from remamber.record.store import Store
from remamber.runner import Interruption, execute
from remamber.tasks._reading import PaddedReader, read_plainly
from remamber.tasks._scoring import Item

TEXTS = ["the red ball on the left", "blue cone"]
FUSIONS = ("twister", "attention", "in-context", "norm-adaptation")
METRICS = ("changed_masks", "changed_pixels", "mask_agreement")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def trained(root, tmp_path_factory):
    spec, store = tiny_spec(root, steps=2), tmp_path_factory.mktemp("store")
    assert execute(asked(spec, store, root), lambda event: None, Interruption()) is ExitCode.DONE
    return spec, find_evaluable(Store(store).folder(spec))


def scored(trained, root, store, **evaluate):
    spec, found = trained
    spec = RunSpec(
        task="evaluate",
        model=found.model,
        data=spec.data.model_copy(update={"splits": ("testA",)}),
        evaluate=EvaluateSpec(batch=8, **evaluate),
        weights=found.weights,
    )
    assert run(spec, found.path, store, root)[0] is ExitCode.DONE
    return read(Store(store), spec)


def changes(record):
    return {m.metric: m.value for m in record.measurements if m.metric in METRICS}


def items():
    found = []
    for place, text in enumerate(TEXTS):
        expression = Expression(place, text)
        ref = Referent(place, place, (1,), "ball", "val", (expression,))
        found.append(Item(place, ref, expression, text))
    return found


def masks(model, reader):
    image = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return reader(model, image, model.tokenizer(TEXTS), items())


def padded(how, seed=0):
    return PaddedReader(how, words=("red", "ball", "left", "the"), seed=seed)


@pytest.mark.parametrize("how", ["words", "noise"])
@pytest.mark.parametrize("fusion", FUSIONS)
def test_what_stands_in_masked_padding_changes_no_mask(fusion, how):
    spec = ModelSpec(decoder="mamba", fusion=FusionSpec(name=fusion, depth=1))
    model = build_model(spec, ModelInputs(TEXTS)).eval()
    assert torch.equal(masks(model, padded(how)), masks(model, read_plainly))


@pytest.mark.parametrize("how", ["words", "noise"])
def test_in_release_mode_it_does_as_in_the_release(how):
    model = build_model(ModelSpec(release=True), ModelInputs(TEXTS)).eval()
    plain, other = masks(model, read_plainly), masks(model, padded(how))
    assert (other - plain).abs().max() > 1e-6
    assert torch.equal(masks(model, padded(how)), other)
    assert not torch.equal(masks(model, padded(how, seed=1)), other)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_padding_that_is_no_longer_masked_is_read_by_what_reads_words_one_by_one(fusion):
    model = build_model(ModelSpec(fusion=FusionSpec(name=fusion)), ModelInputs(TEXTS)).eval()
    change = (masks(model, padded("unmasked")) - masks(model, read_plainly)).abs().max()
    # Norm adaptation reads the pooled text, which is the end token's.
    assert change == 0 if fusion == "norm-adaptation" else change > 1e-6


def test_an_undisturbed_evaluation_has_no_further_columns_and_its_old_hash(trained, root, tmp_path):
    record, counts = scored(trained, root, tmp_path)
    assert not {k for k in counts if k.endswith(("/plain", "/changed"))}
    assert not changes(record)
    content = json.loads(record.spec.canonical())
    assert set(content["evaluate"]) == {"batch", "protocol", "shuffled_text"}


def test_the_whole_expression_changes_nothing_when_changes_are_counted(trained, root, tmp_path):
    record, counts = scored(trained, root, tmp_path, count_changed=True)
    assert changes(record) == {"changed_masks": 0, "changed_pixels": 0, "mask_agreement": 1}
    np.testing.assert_array_equal(counts["testA/plain"], counts["testA/predicted"])


def test_changed_pixels_are_those_of_the_two_masks(trained, root, tmp_path):
    """Without a word the mask is another; both runs' own masks say how many pixels may differ."""
    whole = scored(trained, root, tmp_path)[1]
    record, counts = scored(trained, root, tmp_path, text="empty", count_changed=True)
    assert record.data["testA altered"] == record.data["testA emptied"] == 1
    np.testing.assert_array_equal(counts["testA/plain"], whole["testA/predicted"])
    plain, own, changed = (counts[f"testA/{n}"] for n in ("plain", "predicted", "changed"))
    assert (changed >= abs(plain - own)).all()
    assert (changed <= plain + own).all()
    either = (plain + own + changed) / 2
    agreement = np.where(either > 0, 1 - changed / np.maximum(either, 1), 1)
    assert changes(record)["mask_agreement"] == pytest.approx(agreement.mean())
    assert changes(record)["changed_masks"] == pytest.approx((changed > 0).mean())


def test_an_altered_run_says_so_in_its_name_and_how_many_it_altered(trained, root, tmp_path):
    record, _ = scored(trained, root, tmp_path, text="no-attributes")
    assert record.run_id.startswith("evaluate-refcoco-32-no-attributes-w")
    assert 0 < record.data["testA altered"] <= 1
    assert 0 <= record.data["testA emptied"] < 1
    record, _ = scored(
        trained, root, tmp_path, knock_out=("columns",), knock_out_in="fusion", count_changed=True
    )
    assert record.run_id.startswith("evaluate-refcoco-32-without-columns-in-fusion-w")
    assert 0 <= changes(record)["mask_agreement"] <= 1


def test_padding_is_altered_where_there_is_some(trained, root, tmp_path):
    record, _ = scored(trained, root, tmp_path, padding="words", count_changed=True)
    assert record.data["testA altered"] == 1
    assert changes(record)["changed_pixels"] == 0
