"""Generated data are whole or absent, the same from any number of workers, and read exactly."""

import errno
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from synthetic_recipes import SIZES, contents, small_recipe

from remamber.datasets import DataPlace, open_dataset, synthetic
from remamber.datasets._synthetic import recipes
from remamber.datasets._synthetic.crew import work
from remamber.datasets._synthetic.files import flaw
from remamber.datasets._synthetic.picture import make_picture
from remamber.datasets._synthetic.worker import Job
from remamber.errors import ExitCode, UserError
from remamber.plan.spec import DataSpec

RECIPE = small_recipe()
HERE = str(Path(__file__).parents[1])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    return synthetic.provide(RECIPE, DataPlace(cache=cache, workers=1))


@pytest.fixture
def copy(made, tmp_path):
    """A cache with a copy of the data that a test may damage."""
    root = tmp_path / made.name
    root.mkdir()
    for path in made.rglob("*"):
        target = root / path.relative_to(made)
        if path.is_dir():
            target.mkdir()
        else:
            target.write_bytes(path.read_bytes())
    return root


def test_two_workers_write_the_same_bytes_as_one(made, tmp_path):
    other = synthetic.provide(RECIPE, DataPlace(cache=tmp_path, workers=2))
    assert contents(other) == contents(made)


def test_the_layout_is_that_of_the_refer_api(made):
    names = {name for name in contents(made) if not name.startswith("train2014/")}
    assert names == {
        "refcoco/instances.json", "refcoco/refs(unc).p", "refcoco/refs(unc).json",
        "labels.txt", "label_orgid.txt", "synth.json",
    }  # fmt: skip
    assert len(list((made / "train2014").iterdir())) == sum(SIZES.values())
    refs = json.loads((made / "refcoco/refs(unc).json").read_text())
    raw = (made / "refcoco/refs(unc).p").read_bytes()
    assert raw[:2] == b"\x80\x02"
    assert pickle.loads(raw) == refs
    assert set(refs[0]) == {
        "ref_id", "ann_id", "category_id", "image_id", "split", "file_name", "sent_ids",
        "sentences",
    }  # fmt: skip
    for ref in refs:
        assert ref["sent_ids"] == [sentence["sent_id"] for sentence in ref["sentences"]]
        assert (made / "train2014" / ref["file_name"]).is_file()


def test_ids_are_unique(made):
    instances = json.loads((made / "refcoco/instances.json").read_text())
    refs = json.loads((made / "refcoco/refs(unc).json").read_text())
    for ids in (
        [image["id"] for image in instances["images"]],
        [annotation["id"] for annotation in instances["annotations"]],
        [ref["ref_id"] for ref in refs],
        [sent_id for ref in refs for sent_id in ref["sent_ids"]],
    ):
        assert len(set(ids)) == len(ids)
        assert max(ids) < 2**31


# pycocotools' own arrays do not know numpy 2's copy argument.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_masks_and_pixels_read_back_identical_to_what_was_drawn(made):
    instances = json.loads((made / "refcoco/instances.json").read_text())
    by_image = {}
    for annotation in instances["annotations"]:
        by_image.setdefault(annotation["image_id"], []).append(annotation)
    images = {image["file_name"]: image["id"] for image in instances["images"]}
    for split, index in (("train", 0), ("val", 5), ("testC", 2)):
        name = f"synth_refcoco_{split}_{index:06d}.png"
        picture = make_picture(RECIPE, split, index)
        with Image.open(made / "train2014" / name) as stored:
            assert np.array_equal(np.asarray(stored), picture.canvas.image)
        for number, annotation in enumerate(by_image[images[name]], start=1):
            (segmentation,) = annotation["segmentation"]
            mask = coco_mask.decode(segmentation).astype(bool)
            assert np.array_equal(mask, picture.canvas.ids == number)
            assert annotation["area"] == mask.sum()


def test_provenance_names_every_knob_and_every_expression(made):
    kept = json.loads((made / "synth.json").read_text())
    refs = json.loads((made / "refcoco/refs(unc).json").read_text())
    needs = {s["sent_id"]: s["needs"] for ref in refs for s in ref["sentences"]}
    assert {e["sent_id"]: e["needs"] for e in kept["expressions"]} == needs
    assert all({"program", "minimal"} <= set(e) for e in kept["expressions"])
    assert kept["knobs"]["side"] == 64
    assert kept["fingerprint"] == RECIPE.fingerprint
    assert kept["refused"] == 0


def test_the_data_set_opens_by_name_with_its_fingerprint_known_before(made, monkeypatch):
    monkeypatch.setitem(recipes.PRESETS, "quick", RECIPE.knobs)
    spec = DataSpec()
    expected = synthetic.config_fingerprint(spec)
    dataset = open_dataset(spec, DataPlace(cache=made.parent))
    assert dataset.fingerprint == expected == RECIPE.fingerprint
    assert set(dataset.splits()) == set(SIZES)
    ref = dataset.refs("val")[0]
    assert ref.expressions[0].needs
    assert (dataset.mask(ref) & dataset.all_objects(ref.image_id)).sum() == dataset.mask(ref).sum()
    assert dataset.image(ref.image_id).shape == (64, 64, 3)


def test_every_setting_changes_the_fingerprint_but_not_how_masks_are_read():
    spec = DataSpec()
    fingerprint = synthetic.config_fingerprint(spec)
    assert synthetic.config_fingerprint(DataSpec(preset="quick", mask_rule="eq1")) == fingerprint
    for other in (DataSpec(seed=1), DataSpec(preset="default")):
        assert synthetic.config_fingerprint(other) != fingerprint


def test_only_synthetic_data_have_a_fingerprint_of_their_settings():
    with pytest.raises(UserError, match="unknown synthetic data set 'refcoco'"):
        synthetic.config_fingerprint(DataSpec(name="refcoco"))


def test_splits_by_another_author_are_refused(tmp_path):
    with pytest.raises(UserError, match="no refs split by 'umd'") as caught:
        open_dataset(DataSpec(split_by="umd"), DataPlace(cache=tmp_path))
    assert caught.value.exit_code is ExitCode.USAGE


def test_intact_data_are_not_made_again(made):
    told = []
    place = DataPlace(cache=made.parent, on_progress=lambda *step: told.append(step))
    assert synthetic.provide(RECIPE, place) == made
    assert told == []


def test_progress_counts_every_picture(tmp_path):
    told = []
    recipe = small_recipe(sizes={"train": 3, "val": 1})
    place = DataPlace(cache=tmp_path, on_progress=lambda *step: told.append(step))
    synthetic.provide(recipe, place)
    assert told == [("generating synth-refcoco", n, 4) for n in range(1, 5)]


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("train2014/synth_refcoco_val_000003.png", Path.unlink),
        ("train2014/synth_refcoco_val_000003.png", cut),
        ("refcoco/instances.json", cut),
        ("refcoco/instances.json", flip),
        ("refcoco/refs(unc).json", Path.unlink),
        ("refcoco/refs(unc).p", flip),
        ("synth.json", cut),
        ("synth.json", Path.unlink),
        ("synth.json", lambda path: path.write_text("[]")),
        ("synth.json", lambda path: path.write_text('{"fingerprint": "other"}')),
    ],
)
def test_damaged_data_are_set_aside_and_made_again(copy, made, name, harm, caplog):
    harm(copy / name)
    reason = flaw(copy, RECIPE)
    assert reason is not None
    again = synthetic.provide(RECIPE, DataPlace(cache=copy.parent))
    assert contents(again) == contents(made)
    assert (copy.parent / f"{copy.name}.damaged").is_dir()
    assert reason in caplog.text


def visible(cache):
    return [path.name for path in cache.iterdir() if not path.name.endswith(".lock")]


def test_an_interrupt_leaves_nothing(tmp_path):
    def interrupt(what, done, total):
        if done == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthetic.provide(RECIPE, DataPlace(cache=tmp_path, workers=2, on_progress=interrupt))
    assert visible(tmp_path) == []


def test_a_full_disk_is_said_in_one_sentence_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(UserError, match="no space left on the disk") as caught:
        synthetic.provide(RECIPE, DataPlace(cache=tmp_path))
    assert caught.value.exit_code is ExitCode.MISSING
    assert caught.value.slug == "disk_full"
    assert visible(tmp_path) == []


def test_a_worker_that_cannot_write_tells_its_caller(tmp_path):
    pictures = [("train", index) for index in range(40)]
    with pytest.raises(FileNotFoundError):
        list(work(Job(RECIPE, pictures, tmp_path / "absent"), workers=2))


def test_a_worker_that_fails_is_not_overlooked(tmp_path, capfd):
    pictures = [("unknown", index) for index in range(40)]
    with pytest.raises(RuntimeError, match="worker"):
        list(work(Job(RECIPE, pictures, tmp_path), workers=2))
    assert "KeyError" in capfd.readouterr().err


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from synthetic_recipes import small_recipe
from remamber.datasets import DataPlace
from remamber.datasets.synthetic import provide
told = []
recipe = small_recipe(sizes={"train": int(sys.argv[3])})
cache, hear = Path(sys.argv[2]), lambda *step: told.append(step)
place = DataPlace(cache=cache, workers=2, on_progress=hear)
print(provide(recipe, place), len(told))
"""


def start(cache, count):
    command = [sys.executable, "-c", SCRIPT, HERE, str(cache), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def test_a_killed_generation_leaves_no_data_and_no_process_and_the_next_one_ends(tmp_path):
    process = start(tmp_path, 2000)
    wait_for(lambda: len(list(tmp_path.glob(".*.making/train2014/*"))) > 10)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert workers
    process.send_signal(signal.SIGKILL)
    process.communicate()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert alive == []
    assert [name for name in visible(tmp_path) if not name.startswith(".")] == []
    (left,) = tmp_path.glob(".*.making")
    small = small_recipe(sizes={"train": 4})
    stale = tmp_path / f".{small.folder}.making"
    left.rename(stale)
    root = synthetic.provide(small, DataPlace(cache=tmp_path))
    assert len(list((root / "train2014").iterdir())) == 4
    assert not stale.exists()


def test_two_processes_at_once_make_the_data_once(tmp_path):
    running = [start(tmp_path, 64) for _ in range(2)]
    answers = [process.communicate(timeout=60)[0].split() for process in running]
    assert answers[0][0] == answers[1][0]
    assert sorted(int(told) for _, told in answers) == [0, 64]
    assert flaw(Path(answers[0][0]), small_recipe(sizes={"train": 64})) is None
