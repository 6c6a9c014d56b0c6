"""Gates pass on what the generator makes and fail on sets that are broken on purpose."""

import io
import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_refcoco import write_small_refcoco

from remamber.datasets import DataPlace, open_dataset, synthetic
from remamber.datasets._converted_write import write_converted
from remamber.datasets._gates.check import check
from remamber.datasets._gates.shortcuts import learn, measure_shortcuts
from remamber.datasets._gates.subject import Subject, iou
from remamber.datasets._sample_sheet import sample_sheet, sheet_words
from remamber.datasets._sources import SourcePlace, read_source
from remamber.datasets._synthetic import picture, scene
from remamber.datasets._synthetic.form import Form
from remamber.datasets._synthetic.knobs import SplitSize
from remamber.datasets._synthetic.recipes import recipe_of
from remamber.errors import ExitCode
from remamber.plan.spec import DataSpec

SIZES = {"train": 100, "val": 80, "testC": 16}


def recipe(style="synth-refcoco", **knobs):
    made = recipe_of(style, "quick")
    names = [n for n, _ in made.knobs.splits if n in SIZES]
    splits = tuple((name, SplitSize(SIZES[name], 2)) for name in names)
    return replace(made, knobs=replace(made.knobs, splits=splits, **knobs))


def export(made, folder):
    synthetic.export(made, folder, DataPlace(workers=1), form=Form())
    return folder


@pytest.fixture
def copy(made, tmp_path):
    """A copy of the data that a test may break."""
    return Path(shutil.copytree(made, tmp_path / "copy"))


def checked(root):
    dataset = synthetic.open_exported(root)
    spec = DataSpec(name=dataset.name)
    return check(dataset, spec, DataPlace(root=root), size=64, length=20)


def failed(report):
    assert [f for f in report.findings if f.severity in ("damaged", "missing")] == []
    return {gate.name for gate in report.gates if gate.state == "fail"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return export(recipe(), tmp_path_factory.mktemp("gates") / "data")


@pytest.fixture(scope="module")
def report(made):
    return checked(made)


def test_the_generators_own_data_pass_every_gate(report):
    assert failed(report) == set()
    assert report.exit_code is ExitCode.DONE
    measured = {gate.name: gate.state for gate in report.gates}
    assert measured["evaluator"] == measured["predict-all"] == measured["held-out pairs"] == "pass"
    assert measured["stride 4"] == "shown", "64 px cannot hold small objects at stride 4"


def test_a_gate_says_its_number_its_limit_and_what_it_may_see(report):
    (whole, *_) = report.gates
    assert (whole.name, whole.metric, whole.state) == ("whole image", "mIoU", "shown")
    everything = next(gate for gate in report.gates if gate.name == "predict-all")
    assert 0.15 < everything.value < 0.25
    assert everything.limit == "<= 0.25"
    assert everything.meaning


@pytest.mark.parametrize("style", ["synth-refcoco+", "synth-refcocog", "synth-grefcoco"])
def test_every_style_passes(style, tmp_path):
    assert failed(checked(export(recipe(style), tmp_path / "data"))) == set()


def test_two_objects_are_too_few(tmp_path):
    found = failed(checked(export(recipe(objects=(2, 2)), tmp_path / "data")))
    assert "predict-all" in found


def test_without_distractors_a_noun_is_enough(tmp_path, monkeypatch):
    def alone(scene, knobs, split):
        kinds = [thing.category for thing in scene.things]
        return [i for i, kind in enumerate(kinds) if kinds.count(kind) == 1]

    monkeypatch.setattr(picture, "_eligible", alone)
    found = failed(checked(export(recipe(), tmp_path / "data")))
    assert {"noun only", "noun and attributes"} <= found


def rewritten(root, change):
    """The exported data with their refs changed; the exact pickle is left out."""
    path = root / "refcoco" / "refs(unc).json"
    refs = json.loads(path.read_text())
    path.write_text(json.dumps(change(refs)))
    return root


def test_text_that_does_not_matter_is_found_by_reading_it(copy):
    def shifted(refs):
        texts = [ref["sentences"] for ref in refs]
        moved = texts[7:] + texts[:7]
        for ref, other in zip(refs, moved, strict=True):
            for sentence, source in zip(ref["sentences"], other, strict=False):
                sentence["sent"] = source["sent"]
        return refs

    report = checked(rewritten(copy, shifted))
    assert any("not what was generated" in finding.what for finding in report.findings)
    assert "evaluator" in failed(report)
    assert report.exit_code is ExitCode.CHECK_FAILED
    gate = next(gate for gate in report.gates if gate.name == "evaluator")
    assert gate.value < 0.2
    assert "' in image " in gate.fix


def test_a_target_that_is_always_the_largest_needs_no_text(copy):
    content = json.loads((copy / "refcoco" / "instances.json").read_text())
    areas = {a["id"]: (a["area"], a["image_id"]) for a in content["annotations"]}
    best = {}
    for ann_id, (area, image_id) in areas.items():
        if area > areas.get(best.get(image_id), (0,))[0]:
            best[image_id] = ann_id

    def largest(refs):
        for ref in refs:
            ref["ann_id"] = best[ref["image_id"]]
        return refs

    found = failed(checked(rewritten(copy, largest)))
    assert {"largest object", "rank by area", "evaluator"} <= found


def test_a_training_image_that_is_tested_too_is_found_by_its_number(copy):
    def moved(refs):
        seen = set()
        for ref in refs:
            if ref["split"] == "train" and ref["image_id"] in seen and len(seen) < 9:
                ref["split"] = "val"
            seen.add(ref["image_id"])
        return refs

    report = checked(rewritten(copy, moved))
    assert "shared images" in failed(report)


def test_a_training_image_that_is_tested_too_is_found_by_its_pixels(copy):
    images = copy / "train2014"
    for place in range(3):
        copied = (images / f"synth_refcoco_train_{place:06d}.png").read_bytes()
        (images / f"synth_refcoco_val_{place:06d}.png").write_bytes(copied)
    report = checked(copy)
    shared = next(gate for gate in report.gates if gate.name == "shared images")
    assert (shared.state, shared.value) == ("fail", 3.0)
    assert any("more than once" in finding.what for finding in report.findings)


def test_a_held_out_pair_in_training_is_found(tmp_path, monkeypatch):
    def careless(dice, knobs, *, split, earlier):
        if split == "testC" and not earlier:
            color, category = dice.pick(sorted(knobs.held_out))
            return category, {**scene._fresh(dice, knobs, category), "color": color}
        return scene._free_kind(dice, knobs, split=split, earlier=earlier)

    monkeypatch.setattr(scene, "_next_kind", careless)
    assert "held-out pairs" in failed(checked(export(recipe(), tmp_path / "data")))


def opened_with(root, change):
    """What a check of a small set in RefCOCO's layout finds after a change to its folder."""
    small = write_small_refcoco(root, images=12)
    change(small)
    spec, place = DataSpec(name="refcoco"), DataPlace(root=root)
    return check(open_dataset(spec, place), spec, place, size=64, length=20)


def test_real_data_are_measured_but_not_judged(tmp_path):
    report = opened_with(tmp_path, lambda small: None)
    states = {gate.name: gate.state for gate in report.gates}
    assert states["predict-all"] == "shown"
    assert states["evaluator"] == states["noun only"] == "n/a"
    assert any("not the published number" in finding.what for finding in report.findings)


def test_a_truncated_image_is_damage_with_its_name_and_a_fix(tmp_path):
    def cut(small):
        path = sorted(small.images.iterdir())[0]
        path.write_bytes(path.read_bytes()[:200])

    report = opened_with(tmp_path, cut)
    assert report.exit_code is ExitCode.DAMAGED
    (finding,) = [f for f in report.findings if f.severity == "damaged"]
    assert "1 of " in finding.what
    assert "COCO_train2014" in " ".join(finding.where)
    assert finding.fix
    assert report.gates == ()


def test_a_changed_column_of_the_converted_layout_is_damage(tmp_path):
    write_small_refcoco(tmp_path, images=12)
    source = read_source(SourcePlace(tmp_path / "refcoco", name="refcoco", split_by="unc"))
    write_converted(source, tmp_path, shape="refer")
    spec, place = DataSpec(name="refcoco"), DataPlace(root=tmp_path)
    whole = check(open_dataset(spec, place), spec, place, size=64, length=20)
    assert whole.exit_code is ExitCode.DONE
    path = open_dataset(spec, place).location / "columns" / "sent_text.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    report = check(open_dataset(spec, place), spec, place, size=64, length=20)
    assert report.exit_code is ExitCode.DAMAGED
    (finding,) = [f for f in report.findings if f.severity == "damaged"]
    assert "sent_text.npy" in finding.where[0]
    assert "data convert" in finding.fix


def test_a_missing_image_is_named_with_a_fix(tmp_path):
    report = opened_with(tmp_path, lambda small: sorted(small.images.iterdir())[0].unlink())
    assert report.exit_code is ExitCode.MISSING
    assert report.findings[0].fix


def with_refs(small, change):
    refs = pickle.loads(small.refs.read_bytes(), encoding="latin1")
    small.refs.with_suffix(".json").write_text(json.dumps(change(refs)))


def test_long_expressions_and_expressions_of_two_targets_are_counted(tmp_path):
    def change(refs):
        refs[-1]["sentences"][0]["sent"] = " ".join(["very"] * 30)
        first = refs[1]
        other = next(r for r in refs if r["image_id"] == first["image_id"] and r is not first)
        other["sentences"][0]["sent"] = first["sentences"][0]["sent"]
        return refs

    report = opened_with(tmp_path, lambda small: with_refs(small, change))
    said = " ".join(finding.what for finding in report.findings)
    assert "have more than 18 words and are cut" in said
    assert "said of different targets in their image" in said


def test_a_target_of_one_pixel_vanishes_at_a_small_size(tmp_path):
    def shrink(small):
        content = json.loads(small.instances.read_text())
        for annotation in content["annotations"]:
            annotation["segmentation"] = [[1.0, 1.0, 2.0, 1.0, 2.0, 2.0, 1.0, 2.0]]
        small.instances.write_text(json.dumps(content))

    report = opened_with(tmp_path, shrink)
    assert any("vanish at 64 px" in finding.what for finding in report.findings)


def test_images_of_the_family_that_training_shares_are_counted(tmp_path):
    write_small_refcoco(tmp_path, images=12)
    plus = tmp_path / "refcoco+"
    plus.mkdir()
    for path in (tmp_path / "refcoco").iterdir():
        (plus / path.name).write_bytes(path.read_bytes())

    def swapped(small):
        refs = pickle.loads((plus / "refs(unc).p").read_bytes(), encoding="latin1")
        other = {"train": "val", "val": "train"}
        for ref in refs:
            ref["split"] = other.get(ref["split"], ref["split"])
        (plus / "refs(unc).json").write_text(json.dumps(refs))

    report = opened_with(tmp_path, swapped)
    notes = [finding.what for finding in report.findings if finding.severity == "note"]
    assert any(note.startswith("refcoco train holds images of refcoco+:") for note in notes)
    assert "refcocog is not under this data root: not compared with it" in notes


def test_predict_all_is_what_one_gets_by_hand(made):
    dataset = synthetic.open_exported(made)
    shortcuts = measure_shortcuts(
        subject := Subject(dataset, "train", "val"), learn(subject), size=64
    )
    ious = [
        iou(dataset.all_objects(ref.image_id), dataset.mask(ref))
        for ref in dataset.refs("val")
        for _ in ref.expressions
    ]
    assert shortcuts.scores["predict-all"].miou.value == pytest.approx(np.mean(ious))
    assert shortcuts.expressions == len(ious)


def test_a_sheet_shows_the_target_outlined(made):
    dataset = synthetic.open_exported(made)
    refs = dataset.refs("val")
    with Image.open(io.BytesIO(sample_sheet(dataset, refs))) as sheet:
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    outline = (np.abs(pixels - (255, 0, 170)).sum(axis=2) == 0).sum()
    assert outline > 8 * 60
    assert refs[0].expressions[0].text in sheet_words(refs)
