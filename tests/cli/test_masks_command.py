"""``masks`` on a really trained run: pictures by rule, and of a photograph of one's own."""

import json

import numpy as np
import pytest
from evaluation_run import asked
from PIL import Image
from tiny_run import tiny_spec

from remamber.cli import main
from remamber.errors import ExitCode
from remamber.plan.study import StudyRuns
from remamber.record.store import Store
from remamber.runner import Interruption, execute


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A data root and a store in which ``ablate fusion`` has left one row."""
    root, place = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("store")
    spec, store = tiny_spec(root, steps=2), Store(place)
    assert execute(asked(spec, place, root), lambda event: None, Interruption()) is ExitCode.DONE
    runs = StudyRuns(
        study="fusion",
        profile="quick",
        run_ids=(spec.run_id,),
        rows={spec.run_id: "twister"},
        datasets={spec.run_id: "refcoco"},
        status="finished",
    )
    store.write_study_runs(runs)
    return root, store, spec.run_id


@pytest.fixture
def masks(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    root, store, _ = trained

    def run(*words):
        capsys.readouterr()
        place = ("--store", str(store.root), "--data-root", str(root), "--profile", "quick")
        status = main(["masks", *words, *place, "--out", str(tmp_path / "reports")])
        said = capsys.readouterr()
        return int(status), said.out, said.err

    return run


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "my photo.jpg"
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def known_word(trained):
    root, store, run_id = trained
    from remamber.models import from_pretrained

    return next(iter(from_pretrained(store.root / run_id).tokenizer.ids))


def test_pictures_are_chosen_predicted_checked_and_reported(masks, tmp_path):
    status, out, err = masks("twister", "--count", "1", "--rule", "best", "--rule", "worst")
    assert status == 0, err
    said = " ".join(out.split())
    assert "Hand-picked: no" in said
    assert "all 2 masks have the intersection and union, to the pixel" in said
    (path,) = (tmp_path / "reports").glob("masks*.html")
    page = path.read_text()
    assert page.count('<article class="exhibit') == 2
    again, _, _ = masks("twister", "--count", "1", "--rule", "best", "--rule", "worst")
    assert again == 0


def test_a_dry_run_plans_and_writes_nothing(masks, tmp_path):
    status, out, _ = masks("twister", "--dry-run")
    assert status == 0
    assert "to do" in out
    assert not (tmp_path / "reports").exists()


def test_a_photograph_gets_a_picture_and_a_page_by_its_name(masks, trained, photo, tmp_path):
    word = known_word(trained)
    status, out, err = masks("twister", "--image", str(photo), "--text", f"the {word} wibble")
    assert status == 0, err
    assert "Mamba Twister" in out
    assert "does not know" in err
    assert "'wibble'" in err
    made = sorted(path.name for path in (tmp_path / "reports" / "masks-own").iterdir())
    assert made == ["my photo.html", "my photo.png"]


def test_a_dry_run_of_a_photograph_says_what_it_would_look_at_and_writes_nothing(
    masks, trained, photo, tmp_path
):
    words = ("twister", "--image", str(photo), "--text", known_word(trained), "--dry-run")
    status, out, _ = masks(*words)
    assert status == 0
    assert "60 x 40 pixels" in out and "model.safetensors, at 32 px" in out
    status, out, _ = masks(*words, "--json")
    assert status == 0 and json.loads(out)["files"] == {}
    assert not (tmp_path / "reports").exists()


def test_a_weight_file_looks_at_a_photograph_at_the_size_that_is_said(masks, trained, photo):
    _, store, run_id = trained
    weights = str(store.root / run_id / "model.safetensors")
    word = known_word(trained)
    status, _, err = masks(weights, "--image", str(photo), "--text", word)
    assert status == 2
    assert "--image-size" in err
    status, out, _ = masks(
        weights, run_id, "--image", str(photo), "--text", word, "--image-size", "64", "--json"
    )
    assert status == 0
    document = json.loads(out)
    # The file and the run are the same weights.
    (model,) = document["models"]
    assert model["image_size"] == 64
    assert model["pixels"] == round(model["share"] * 40 * 60)
    assert (document["image"]["width"], document["image"]["height"]) == (60, 40)
    if model["box"]:
        left, top, right, bottom = model["box"]
        assert 0 <= left < right <= 60
        assert 0 <= top < bottom <= 40


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--image", "none.jpg", "--text", "cup"), 3, "no such file"),
        (("--image", "none.jpg"), 2, "--text is missing"),
        (("--text", "cup"), 2, "--image is missing"),
        (("--image", "my photo.jpg", "--text", "  "), 2, "the sentence is empty"),
        (("--image", "my photo.jpg", "--text", "?!"), 2, "no word"),
        (("--image", "my photo.jpg", "--text", "qqq zzz"), 2, "knows none of the words"),
        (("--image", "notes.txt", "--text", "cup"), 6, "no image that can be read"),
        (("--image", "my photo.jpg", "--text", "cup", "--count", "2"), 2, "--count chooses"),
        (("--image", "my photo.jpg", "--text", "cup", "--jobs", "2"), 2, "--jobs is for the runs"),
        (("--image", "my photo.jpg", "--text", "cup", "--scan-backend", "qq"), 2, "qq"),
        (("--rule", "wurst"), 2, "did you mean 'worst'?"),
        (("--slice", "needs=wings"), 2, "names no slice"),
        (("--split", "nowhere"), 2, "nowhere"),
        (("wibble",), 2, "'wibble' is no row"),
    ],
)
def test_what_cannot_be_done_is_one_clear_error_and_writes_nothing(
    masks, photo, tmp_path, words, status, said
):
    (tmp_path / "notes.txt").write_text("no image")
    found, out, err = masks("twister", *words) if words != ("wibble",) else masks(*words)
    assert (found, out) == (status, "")
    assert said in err
    reports = tmp_path / "reports"
    assert [p for p in reports.rglob("*") if p.is_file()] == []


def test_without_a_trained_run_the_command_that_makes_one_is_named(masks, tmp_path):
    found, _, err = masks("--data", "refcoco+")
    assert found == 3
    assert "remamber-bench ablate fusion" in err
