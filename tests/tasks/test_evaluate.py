"""Weights scored as they are: the numbers of the training, resumed, limited, by protocols."""

import json
from itertools import count

import numpy as np
import pytest
from evaluation_run import asked, read, run
from tiny_run import request, start, tiny_spec

from remamber.datasets import open_dataset
from remamber.errors import ExitCode, UserError
from remamber.metrics import measure
from remamber.models import from_pretrained
from remamber.models._evaluable import find_evaluable
from remamber.plan.protocols import DEFAULT, PROTOCOLS
from remamber.plan.spec import EvaluateSpec, RunSpec
from remamber.record.store import Store
from remamber.runner import Interruption, execute
from remamber.tasks.evaluate import limited

SPLITS = ("val", "testA", "testB")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def trained(root, tmp_path_factory):
    """The spec, record, counts and folder of a training run that left its weights."""
    spec, store = tiny_spec(root, steps=2), tmp_path_factory.mktemp("store")
    assert execute(asked(spec, store, root), lambda event: None, Interruption()) is ExitCode.DONE
    return (spec, *read(Store(store), spec), Store(store).folder(spec))


@pytest.fixture(scope="module")
def whole(trained, root, tmp_path_factory):
    """The evaluation of the trained weights by the default protocol that nothing disturbed."""
    store = tmp_path_factory.mktemp("whole")
    spec, weights = planned(trained)
    assert run(spec, weights, store, root)[0] is ExitCode.DONE
    return read(Store(store), spec)


def planned(trained, *, evaluate=None, **data):
    spec, *_, folder = trained
    found = find_evaluable(folder)
    return (
        RunSpec(
            task="evaluate",
            model=found.model,
            data=spec.data.model_copy(update=data),
            evaluate=evaluate or EvaluateSpec(batch=spec.evaluate.batch),
            weights=found.weights,
        ),
        found.path,
    )


def test_a_finished_training_leaves_weights_that_score_exactly_what_it_recorded(trained, whole):
    _, trained_record, trained_counts, folder = trained
    assert (folder / "model.safetensors").is_file()
    record, counts = whole
    assert set(counts) == {k for k in trained_counts if "shuffled" not in k}
    for name, values in counts.items():
        np.testing.assert_array_equal(values, trained_counts[name])
    theirs = [
        m for m in trained_record.measurements if "split" in m.where and "control" not in m.where
    ]
    assert [m for m in record.measurements if "split" in m.where] == theirs


def test_a_training_counts_for_several_protocols_too(trained, root, tmp_path):
    spec, record, counts, _ = trained
    both = spec.evaluate.model_copy(update={"protocols": (DEFAULT, "lavt")})
    again = spec.model_copy(update={"evaluate": both})
    assert execute(asked(again, tmp_path, root), lambda e: None, Interruption()) is ExitCode.DONE
    more, counted = read(Store(tmp_path), again)
    assert set(counts) < set(counted)
    for name, values in counts.items():
        np.testing.assert_array_equal(counted[name], values)
    assert {k for k in counted if k.endswith("/union")} - set(counts) == {
        f"{split}@lavt/union" for split in SPLITS
    }
    assert {m.where.get("protocol") for m in more.measurements} == {None, "lavt"}


def test_the_record_is_named_after_weights_and_data_and_says_what_was_scored(trained, whole):
    record, _ = whole
    assert record.run_id.startswith("evaluate-refcoco-32-w")
    assert record.spec.weights.sha256[:8] in record.run_id
    assert record.data["weights"] == "model.safetensors"
    assert record.data["weights of run"] == trained[0].run_id
    assert record.data["testA expressions"] == len(whole[1]["testA/union"])
    assert record.environment.scan_backend in ("cpu", "reference")


def test_one_pass_counts_for_several_protocols_and_changes_nothing_for_the_first(
    trained, whole, root, tmp_path
):
    names = (DEFAULT, "lavt", "release", "cris", "cgformer-val", "cris-val", "gres")
    evaluate = EvaluateSpec(protocols=names, batch=8)
    spec, weights = planned(trained, evaluate=evaluate, splits=("testA",))
    assert run(spec, weights, tmp_path, root)[0] is ExitCode.DONE
    record, counts = read(Store(tmp_path), spec)
    for name in ("intersection", "union", "target", "sent_id"):
        np.testing.assert_array_equal(counts[f"testA/{name}"], whole[1][f"testA/{name}"])
    n = len(counts["testA/union"])
    assert (counts["testA@lavt/target"] <= 480 * 480).all()
    assert (counts["testA@lavt/target"] > counts["testA/target"]).all()
    refs = counts["testA/ref_id"]
    for name, chosen in (("cgformer-val", -1), ("cris-val", 0)):
        kept = counts[f"testA@{name}/sent_id"]
        wanted = [counts["testA/sent_id"][refs == ref][chosen] for ref in dict.fromkeys(refs)]
        np.testing.assert_array_equal(kept, wanted)
        assert len(kept) < n
    for m in record.measurements:
        if "split" in m.where:
            name = m.where.get("protocol", DEFAULT)
            place = "testA" if name == DEFAULT else f"testA@{name}"
            pair = counts[f"{place}/intersection"], counts[f"{place}/union"]
            value = measure(m.metric, *pair, target=counts[f"{place}/target"], protocol=name)
            assert m.value == value
    said = {m.where["protocol"] for m in record.measurements if "protocol" in m.where}
    assert said == set(names) - {DEFAULT}
    # All of these expressions have a target.
    assert not any(m.metric == "N-acc" for m in record.measurements)


class AfterEvents(Interruption):
    """Asks for a stop when it has been asked that often."""

    def __init__(self, times):
        super().__init__()
        self.calls, self.times = count(1), times

    def __call__(self):
        return next(self.calls) > self.times


@pytest.mark.parametrize("batches", [1, 2, 3])
def test_a_stopped_evaluation_goes_on_and_ends_with_the_same_counts(
    trained, whole, root, tmp_path, batches
):
    spec, weights = planned(trained, evaluate=EvaluateSpec(batch=3))
    # Two of the questions are asked before the first batch.
    status, events = run(spec, weights, tmp_path, root, AfterEvents(1 + batches))
    assert status is ExitCode.INTERRUPTED
    done = events[-1].done
    assert 0 < done < sum(len(whole[1][f"{split}/union"]) for split in SPLITS)
    folder = Store(tmp_path).folder(spec)
    assert (folder / "unfinished.npz").is_file()
    status, events = run(spec, weights, tmp_path, root)
    assert status is ExitCode.DONE
    scored = [e.done for e in events if e.kind == "evaluate"]
    assert min(scored) > done
    assert any(e.kind == "note" and f"after {done}" in e.message for e in events)
    _, counts = read(Store(tmp_path), spec)
    for name in whole[1]:
        # Ids of the same expressions; pixels may differ where a batch is another.
        if name.endswith("_id"):
            np.testing.assert_array_equal(counts[name], whole[1][name])
    assert not (folder / "unfinished.npz").exists()


def test_the_counts_of_a_stopped_and_an_undisturbed_evaluation_are_the_same(
    trained, whole, root, tmp_path
):
    spec, weights = planned(trained)
    run(spec, weights, tmp_path, root, AfterEvents(2))
    assert run(spec, weights, tmp_path, root)[0] is ExitCode.DONE
    _, counts = read(Store(tmp_path), spec)
    for name, values in whole[1].items():
        np.testing.assert_array_equal(counts[name], values)


def test_a_killed_evaluation_goes_on_where_it_last_saved(trained, whole, root, tmp_path):
    spec, weights = planned(trained)
    process = start(request(spec, tmp_path, root, weights=str(weights), checkpoint_s=0.0))
    seen = 0
    for line in process.stdout:
        seen += json.loads(line)["kind"] == "evaluate"
        if seen == 2:
            process.kill()
            break
    process.communicate()
    assert process.returncode == -9
    status, events = run(spec, weights, tmp_path, root)
    assert status is ExitCode.DONE
    assert any("going on after" in e.message for e in events)
    _, counts = read(Store(tmp_path), spec)
    for name, values in whole[1].items():
        np.testing.assert_array_equal(counts[name], values)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", "another run's"])
def test_unfinished_counts_that_are_damaged_or_of_another_run_are_set_aside(
    trained, whole, root, tmp_path, content
):
    spec, weights = planned(trained)
    folder = Store(tmp_path).folder(spec)
    folder.mkdir(parents=True)
    path = folder / "unfinished.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.savez(path, digest=np.array(content), **{"items/val": np.array(3)})
    assert run(spec, weights, tmp_path, root)[0] is ExitCode.DONE
    record, counts = read(Store(tmp_path), spec)
    assert (folder / "unfinished.npz.damaged").exists()
    assert any("set aside" in warning for warning in record.warnings)
    np.testing.assert_array_equal(counts["val/union"], whole[1]["val/union"])


def test_a_model_without_a_scan_names_no_scan_implementation(trained, root, tmp_path, monkeypatch):
    monkeypatch.setattr("remamber.tasks.evaluate.has_scan", lambda model: False)
    spec, weights = planned(trained, evaluate=EvaluateSpec(limit=1), splits=("val",))
    assert run(spec, weights, tmp_path, root)[0] is ExitCode.DONE
    assert read(Store(tmp_path), spec)[0].environment.scan_backend == "none"


def test_a_limit_scores_an_evenly_spaced_sample_and_the_record_says_so(
    trained, whole, root, tmp_path
):
    spec, weights = planned(trained, evaluate=EvaluateSpec(batch=8, limit=3), splits=("val",))
    assert spec.digest != planned(trained, splits=("val",))[0].digest
    assert run(spec, weights, tmp_path, root)[0] is ExitCode.DONE
    record, counts = read(Store(tmp_path), spec)
    every = whole[1]["val/sent_id"]
    n = len(every)
    np.testing.assert_array_equal(counts["val/sent_id"], [every[i * n // 3] for i in range(3)])
    assert any("quick look" in warning for warning in record.warnings)
    assert limited(list(range(5)), 9) == list(range(5))
    assert limited(list(range(10)), 4) == [0, 2, 5, 7]


class SomeWithoutTarget:
    """A data set whose every second ref names nothing in its image."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __getattr__(self, name):
        return getattr(self.dataset, name)

    def mask(self, ref):
        mask = self.dataset.mask(ref)
        return np.zeros_like(mask) if ref.ref_id % 2 else mask


def test_expressions_without_a_target_are_scored_by_the_metrics_made_for_them(
    trained, root, tmp_path, monkeypatch
):
    for module in ("evaluate", "_protocol_masks"):
        monkeypatch.setattr(
            f"remamber.tasks.{module}.open_dataset",
            lambda spec, place: SomeWithoutTarget(open_dataset(spec, place)),
        )
    evaluate = EvaluateSpec(protocols=("gres", DEFAULT), batch=8)
    spec, weights = planned(trained, evaluate=evaluate, splits=("val",))
    assert run(spec, weights, tmp_path, root)[0] is ExitCode.DONE
    record, counts = read(Store(tmp_path), spec)
    without = counts["val/ref_id"] % 2 == 1
    assert 0 < without.sum() < len(without)
    np.testing.assert_array_equal(counts["val/target"] == 0, without)
    values = {m.metric: m.value for m in record.measurements if m.where == {"split": "val"}}
    assert set(values) == set(PROTOCOLS["gres"].metrics)
    empty = counts["val/predicted"] == 0
    assert values["N-acc"] == np.mean(empty[without])
    assert values["T-acc"] == np.mean(~empty[~without])
    ious = counts["val/intersection"] / np.maximum(counts["val/union"], 1)
    assert values["gIoU"] == pytest.approx(np.mean(np.where(without, empty, ious)))
    first = {m.metric for m in record.measurements if m.where.get("protocol") == DEFAULT}
    assert {"mIoU", "oIoU", "gIoU", "N-acc"} < first


def test_weights_that_changed_since_the_plan_are_refused(trained, root, tmp_path):
    spec, weights = planned(trained)
    other = tmp_path / "model.safetensors"
    other.write_bytes(weights.read_bytes() + b" ")
    with pytest.raises(UserError, match="not those that this run was planned with") as caught:
        run(spec, other, tmp_path / "store", root)
    assert caught.value.exit_code == ExitCode.DAMAGED
    assert not (Store(tmp_path / "store").folder(spec) / "record.json").exists()


def test_weights_of_another_vocabulary_are_refused(trained, root, tmp_path, monkeypatch):
    spec, *_ = planned(trained)
    model = from_pretrained(trained[-1])
    model.tokenizer.ids = {
        f"word{i}": number for i, number in enumerate(sorted(model.tokenizer.ids.values()))
    }
    model.save_pretrained(tmp_path / "other")
    found = find_evaluable(tmp_path / "other")
    spec = spec.model_copy(update={"weights": found.weights})
    with pytest.raises(UserError, match="do not know 100 % of the words") as caught:
        run(spec, found.path, tmp_path / "store", root)
    assert "word0" in caught.value.where[0]
