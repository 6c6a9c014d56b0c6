"""``evaluate``: from the command line to a table, a document, a file, or a clear refusal."""

import json
import shutil
import signal

import numpy as np
import pandas as pd
import pytest
from tiny_run import request, tiny_spec

from remamber.errors import ExitCode
from remamber.models import from_pretrained
from remamber.record.schema import Record
from remamber.record.store import Store
from remamber.runner import Interruption, Request, execute
from remamber.tasks._scoring import Scorer


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A data root and the folder of a run trained on it."""
    root, store = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("trained")
    spec = tiny_spec(root, steps=1)
    wanted = Request.model_validate_json(request(spec, store, root))
    assert execute(wanted, lambda event: None, Interruption()) is ExitCode.DONE
    return root, Store(store).folder(spec)


@pytest.fixture
def evaluate(bench, trained, monkeypatch):
    root, folder = trained

    def run(*arguments, weights=folder):
        return bench("evaluate", str(weights), "--data-root", str(root), *arguments)

    return run


def records(folder):
    return [Record.model_validate_json(p.read_bytes()) for p in folder.glob("evaluate-*/record.*")]


def test_a_runs_folder_is_scored_on_the_data_that_it_was_trained_on(evaluate, tmp_path):
    said = evaluate("--batch", "8")
    assert said.status == 0, said.err
    lines = said.out.splitlines()
    assert "refcoco, 32 px" in lines[0]
    assert lines[2].startswith("protocol orig-bilinear-0.5: logits resized bilinearly")
    assert lines[3].split()[:5] == ["split", "expressions", "images", "mIoU", "oIoU"]
    assert [line.split()[0] for line in lines[4:7]] == ["val", "testA", "testB"]
    (record,) = records(tmp_path / "runs")
    assert record.run_id in said.err
    assert record.command.startswith("remamber-bench evaluate")
    assert "scoring testB 24/24" not in said.out


def test_the_same_command_again_scores_nothing_and_says_the_same(evaluate, tmp_path, monkeypatch):
    first = evaluate("--split", "val")
    (before,) = records(tmp_path / "runs")

    def refuse(*_, **__):
        raise AssertionError("scored again")

    monkeypatch.setattr(Scorer, "batches", refuse)
    again = evaluate("--split", "val")
    assert again.status == 0
    assert again.out == first.out
    assert records(tmp_path / "runs") == [before]
    monkeypatch.undo()


def test_every_protocol_has_a_block_and_a_document_entry_of_its_own(evaluate):
    asked = ("--split", "val", "--protocol", "lavt", "--protocol", "gres")
    said = evaluate(*asked)
    blocks = said.out.split("\n\n")
    assert len(blocks) == 3
    assert "protocol lavt" in blocks[1]
    assert "Pr@90" in blocks[1]
    assert "gIoU" not in blocks[1]
    assert "protocol gres" in blocks[2]
    assert "mIoU" not in blocks[2]
    # Every expression here has a target.
    assert "N-acc" not in blocks[2]
    document = json.loads(evaluate(*asked, "--json").out)
    assert [r["protocol"] for r in document["results"]] == ["lavt", "gres"]
    assert set(document["results"][1]["metrics"]) == {
        "gIoU",
        "cIoU",
        "T-acc",
        "Pr@70",
        "Pr@80",
        "Pr@90",
    }
    miou = document["results"][0]["metrics"]["mIoU"]
    low, high = miou["interval"]
    assert low <= miou["value"] <= high
    assert document["weights"]["holds"] == "model"


def test_a_narrow_terminal_leaves_the_intervals_out(evaluate, monkeypatch):
    monkeypatch.setenv("COLUMNS", "75")
    narrow = evaluate("--split", "val").out
    assert max(map(len, narrow.splitlines()[3:])) <= 75
    assert "±" not in narrow
    monkeypatch.setenv("COLUMNS", "160")
    assert "± half the 95 % interval over images" in evaluate("--split", "val").out


def test_a_limit_is_marked_in_the_output(evaluate):
    said = evaluate("--limit", "2", "--split", "val")
    assert "quick look, at most 2 expressions a split" in said.out.splitlines()[0]
    document = json.loads(evaluate("--limit", "2", "--split", "val", "--json").out)
    assert document["limit"] == 2
    assert document["results"][0]["expressions"] == 2
    assert any("quick look" in warning for warning in document["warnings"])


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".parquet"])
def test_every_expression_can_be_written_with_its_ids(evaluate, tmp_path, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"counts{suffix}"
    said = evaluate(
        "--split",
        "val",
        "--split",
        "testB",
        "--protocol",
        "orig-bilinear-0.5",
        "--protocol",
        "cgformer-val",
        "--per-expression",
        str(path),
    )
    assert said.status == 0, said.err
    read = {".csv": pd.read_csv, ".parquet": pd.read_parquet}
    if suffix == ".npz":
        with np.load(path) as arrays:
            table = pd.DataFrame(dict(arrays))
    else:
        table = read[suffix](path)
    (record,) = records(tmp_path / "runs")
    with np.load(tmp_path / "runs" / record.run_id / "counts.npz") as counts:
        for place, protocol in (
            ("val", "orig-bilinear-0.5"),
            ("testB@cgformer-val", "cgformer-val"),
        ):
            mine = table[(table.split == place.partition("@")[0]) & (table.protocol == protocol)]
            for name in ("image_id", "ref_id", "sent_id", "intersection", "union", "target"):
                np.testing.assert_array_equal(mine[name], counts[f"{place}/{name}"])
    assert f"{len(table):,} rows" in said.err


def test_a_format_that_cannot_be_written_is_refused_before_anything_is_scored(evaluate, tmp_path):
    said = evaluate("--per-expression", "counts.xlsx")
    assert said.status == ExitCode.USAGE
    assert "cannot be written as '.xlsx'" in said.err
    assert "--per-expression counts.csv" in said.err
    assert not (tmp_path / "runs").exists()


def test_without_pyarrow_parquet_names_the_extra(evaluate, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    said = evaluate("--per-expression", "counts.parquet")
    assert said.status == ExitCode.MISSING
    assert "remamber-bench[parquet]" in said.err


REFUSED = [
    (("--protocol", "lavta"), ExitCode.USAGE, "did you mean 'lavt'?"),
    (("--split", "testC"), ExitCode.USAGE, "unknown split 'testC'"),
    (("--data", "refcocoo"), ExitCode.USAGE, "did you mean 'refcoco'?"),
    (("--mask-rule", "both"), ExitCode.USAGE, "union"),
    (("--image-size", "100"), ExitCode.USAGE, "32"),
    (("--set", "train.steps=3"), ExitCode.USAGE, "the weights decide it"),
    (("--set", "model.size=base"), ExitCode.USAGE, "the weights decide it"),
    (("--native-size",), ExitCode.USAGE, "--image-size 480"),
    (("--native-size", "--protocol", "lavt", "--protocol", "cris"), ExitCode.USAGE, "cris  416"),
    (("--limit", "0"), ExitCode.USAGE, "limit"),
]


@pytest.mark.parametrize(("arguments", "status", "words"), REFUSED)
def test_what_does_not_exist_is_refused_with_a_fix(evaluate, tmp_path, arguments, status, words):
    said = evaluate(*arguments)
    assert said.status == status, said.err
    assert words in said.err
    assert "Traceback" not in said.err
    assert not list(tmp_path.glob("runs/evaluate-*"))


def test_the_native_size_is_the_protocols(evaluate):
    said = evaluate("--native-size", "--protocol", "cris", "--limit", "1", "--split", "val")
    assert "416 px" in said.out


def test_weights_apart_from_their_run_need_data_and_size(evaluate, trained, tmp_path):
    alone = tmp_path / "alone.safetensors"
    shutil.copy(trained[1] / "model.safetensors", alone)
    said = evaluate(weights=alone)
    assert said.status == ExitCode.USAGE
    assert "--image-size 256" in said.err or "--data refcoco" in said.err
    said = evaluate("--data", "refcoco", weights=alone)
    assert said.status == ExitCode.USAGE
    assert "--image-size 256" in said.err
    said = evaluate("--image-size", "32", weights=alone)
    assert "--data refcoco" in said.err
    own = evaluate("--split", "val")
    said = evaluate("--data", "refcoco", "--image-size", "32", "--split", "val", weights=alone)
    assert said.status == 0, said.err
    assert said.out.split("\n\n")[1:] == own.out.split("\n\n")[1:]


def test_a_run_is_found_by_its_name_in_the_store(bench, trained):
    root, folder = trained
    said = bench(
        "evaluate",
        folder.name,
        "--store",
        str(folder.parent),
        "--data-root",
        str(root),
        "--split",
        "val",
    )
    assert said.status == 0, said.err
    assert list(folder.parent.glob("evaluate-*"))


def test_files_that_are_no_weights_are_refused(evaluate, tmp_path):
    page = tmp_path / "page.pth"
    page.write_text("<!DOCTYPE html><html>not found</html>")
    said = evaluate(weights=page)
    assert said.status == ExitCode.DAMAGED
    assert "web page" in said.err
    assert evaluate(weights=tmp_path / "nothing.pth").status == ExitCode.MISSING
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"")
    said = evaluate(weights=tmp_path / "run")
    assert said.status == ExitCode.MISSING
    assert "there are no weights in the run" in said.err


def test_a_mask_of_another_size_than_its_image_is_named(evaluate, trained, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(trained[0], root)
    path = root / "refcoco" / "instances.json"
    content = json.loads(path.read_text())
    for annotation in content["annotations"]:
        annotation["segmentation"] = {"size": [7, 9], "counts": [60, 3]}
    path.write_text(json.dumps(content))
    said = evaluate("--split", "val", "--data-root", str(root))
    assert said.status == ExitCode.DAMAGED, said.err
    assert "7" in said.err
    assert "instances.json" in said.err
    assert not list(tmp_path.glob("runs/evaluate-*/record.json"))


def test_weights_of_other_words_are_refused(evaluate, trained, tmp_path):
    model = from_pretrained(trained[1])
    numbers = sorted(model.tokenizer.ids.values())
    model.tokenizer.ids = {f"word{i}": number for i, number in enumerate(numbers)}
    model.save_pretrained(tmp_path / "other")
    said = evaluate("--data", "refcoco", "--image-size", "32", weights=tmp_path / "other")
    assert said.status == ExitCode.DAMAGED
    assert "trained on another vocabulary" in said.err


def test_ctrl_c_saves_what_is_done_and_the_same_command_goes_on(evaluate, tmp_path, monkeypatch):
    undisturbed = evaluate("--batch", "4", "--store", str(tmp_path / "other"))
    batches = Scorer.batches

    def interrupted(self, model, items):
        for number, part in enumerate(batches(self, model, items)):
            if number == 1:
                signal.raise_signal(signal.SIGINT)
            yield part

    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patched:
        patched.setattr(Scorer, "batches", interrupted)
        said = evaluate("--batch", "4")
    assert said.status == ExitCode.INTERRUPTED
    assert "stopped after 8 expressions; run the same command to go on" in said.err
    assert not said.out
    assert signal.getsignal(signal.SIGINT) is before
    said = evaluate("--batch", "4")
    assert said.status == 0
    assert "going on after 8 of 24 expressions" in said.err
    assert said.out == undisturbed.out


def test_a_failure_is_recorded_and_named(evaluate, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("the device is on fire")

    with monkeypatch.context() as patched:
        patched.setattr(Scorer, "batches", fail)
        said = evaluate("--split", "val")
    assert said.status == ExitCode.PARTIAL
    assert "the device is on fire" in said.err
    (record,) = records(tmp_path / "runs")
    assert record.status == "error"
    assert evaluate("--split", "val").status == 0


def test_fresh_scores_again(evaluate, tmp_path):
    evaluate("--split", "val")
    assert evaluate("--split", "val", "--fresh").status == 0
    assert len(list((tmp_path / "runs").glob("evaluate-*"))) == 2
