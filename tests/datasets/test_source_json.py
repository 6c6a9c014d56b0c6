"""JSON and TSV of MDETR, SeqTR and PolyFormer, and archives: what is wrong, where, and a fix."""

import base64
import json
import shlex
import zipfile

import pytest
from more_shapes import polyformer_lines, write_mdetr, write_polyformer, write_seqtr
from other_shapes import told, told_by_refer, write_content

from remamber.datasets._sources import SourcePlace, read_source, recognised, shapes
from remamber.errors import ExitCode, UserError


@pytest.fixture
def content(tmp_path):
    return write_content(tmp_path / "data", images=6)


def refused(path, **given):
    with pytest.raises(UserError) as caught:
        read_source(SourcePlace(path, **given))
    assert caught.value.fix
    return caught.value


def damaged(path, **given):
    error = refused(path, **given)
    assert error.exit_code == ExitCode.DAMAGED
    assert error.where[0].startswith("file  ")
    return error.what


# MDETR


def test_mdetr_without_instances_asks_for_them(content, tmp_path):
    error = refused(write_mdetr(content, tmp_path / "m"))
    assert error.exit_code == ExitCode.MISSING
    assert "has boxes only" in error.what
    assert "--instances PATH/instances.json" in error.fix[0]


def test_mdetr_finds_instances_beside_its_files(content, tmp_path):
    folder = write_mdetr(content, tmp_path / "m")
    (folder / "instances.json").write_bytes(content.small.instances.read_bytes())
    assert told(read_source(SourcePlace(folder))) == told_by_refer(content)


def test_mdetr_with_another_releases_instances_is_refused(content, tmp_path):
    folder = write_mdetr(content, tmp_path / "m")
    other = {**content.instances, "annotations": content.instances["annotations"][3:]}
    (tmp_path / "instances.json").write_text(json.dumps(other))
    what = damaged(folder, instances=tmp_path / "instances.json")
    assert "3 of" in what
    assert "point to annotations that are not there" in what


def test_mdetr_of_several_sets_asks_which(content, tmp_path):
    folder = write_mdetr(content, tmp_path / "m")
    write_mdetr(content, folder, name="refcoco+")
    given = {"instances": content.small.instances}
    error = refused(folder, **given)
    assert error.exit_code == ExitCode.USAGE
    assert "holds several data sets: refcoco, refcoco+" in error.what
    source = read_source(SourcePlace(folder, name="refcoco+", **given))
    assert source.name == "refcoco+"
    assert len(source.files) == 1 + len(content.splits())


@pytest.mark.parametrize(
    ("table", "change", "problem"),
    [
        ("images", {"caption": None}, r"images[1]: 'caption' is None, expected str"),
        ("images", {"original_id": "5"}, r"images[1]: 'original_id' is '5', expected int"),
        ("annotations", {"image_id": 10**6}, "has no annotation"),
        ("annotations", {"original_id": 2**70}, "is a number of 71 bits, expected int"),
    ],
)
def test_a_damaged_entry_of_mdetr_says_where(table, change, problem, content, tmp_path):
    folder = write_mdetr(content, tmp_path / "m")
    path = folder / "finetune_refcoco_val.json"
    whole = json.loads(path.read_text())
    whole[table][1].update(change)
    path.write_text(json.dumps(whole))
    assert problem in damaged(folder, instances=content.small.instances)


def test_annotations_that_belong_to_no_entry_are_refused(content, tmp_path):
    folder = write_mdetr(content, tmp_path / "m")
    path = folder / "finetune_refcoco_val.json"
    whole = json.loads(path.read_text())
    whole["annotations"].append({**whole["annotations"][0], "image_id": 10**6})
    path.write_text(json.dumps(whole))
    assert "1 annotations belong to no image entry" in damaged(
        folder, instances=content.small.instances
    )


def test_expressions_without_a_word_are_left_out_and_counted(content, tmp_path):
    folder = write_mdetr(content, tmp_path / "m")
    path = folder / "finetune_refcoco_val.json"
    whole = json.loads(path.read_text())
    whole["images"][0]["caption"] = "  "
    path.write_text(json.dumps(whole))
    source = read_source(SourcePlace(folder, instances=content.small.instances))
    assert "expressions without a word left out: 1" in source.notes
    assert len(source.annotations.splits["val"][0].expressions) == 1


def test_a_name_that_the_files_deny_is_refused(content, tmp_path):
    folder = write_mdetr(content, tmp_path / "m")
    error = refused(folder, name="refcoco+", instances=content.small.instances)
    assert error.exit_code == ExitCode.USAGE
    assert "holds refcoco, not refcoco+" in error.what


# SeqTR


def test_a_mixed_file_of_seqtr_gives_the_splits_of_one_set(content, tmp_path):
    keys = {split: f"{split}_refcocoplus_unc" for split in content.splits() if split != "train"}
    path = write_seqtr(content, tmp_path / "mixed-seg" / "instances_nogoogle.json", keys)
    whole = json.loads(path.read_text())
    whole["val_refcocog_umd"] = whole["val_refcocoplus_unc"]
    path.write_text(json.dumps(whole))
    error = refused(path)
    assert "holds several data sets: refcoco+ unc, refcocog umd" in error.what
    source = read_source(SourcePlace(path, name="refcoco+"))
    assert (source.name, source.split_by) == ("refcoco+", "unc")
    assert list(source.annotations.splits) == ["val", "testA", "testB"]
    ours, theirs = told(source), told_by_refer(content)
    assert ours == {split: theirs[split] for split in ours}
    assert "splits of other data sets left out: train, val_refcocog_umd" in source.notes


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"mask": "gone"}, "boxes only, no 'mask': this is the file for detection"),
        ({"expressions": "one"}, "'expressions' is 'one', expected list"),
        ({"expressions": [1]}, "'expressions' is not a list of text"),
        ({"expressions": []}, "have no sentence"),
        ({"height": 0}, "'height' is 0, which is no number of pixels"),
        ({"mask": [[1.0, 2.0, 3.0, 4.0]]}, "have polygons of fewer than three points only"),
    ],
)
def test_a_damaged_row_of_seqtr_says_where(change, problem, content, tmp_path):
    path = write_seqtr(content, tmp_path / "refcoco-unc" / "instances.json")
    whole = json.loads(path.read_text())
    row = whole["val"][1]
    row.update(change)
    if change == {"mask": "gone"}:
        del row["mask"]
    path.write_text(json.dumps(whole))
    assert problem in damaged(path)


def test_polygons_of_two_points_are_counted_where_others_remain(content, tmp_path):
    path = write_seqtr(content, tmp_path / "refcoco-unc" / "instances.json")
    whole = json.loads(path.read_text())
    whole["val"][0]["mask"].append([1.0, 2.0, 3.0, 4.0])
    path.write_text(json.dumps(whole))
    notes = read_source(SourcePlace(path)).notes
    assert "polygons of fewer than three points, which enclose nothing: 1" in notes


def test_json_that_breaks_off_says_where(content, tmp_path):
    path = write_seqtr(content, tmp_path / "refcoco-unc" / "instances.json")
    path.write_bytes(path.read_bytes()[:-200])
    assert "is not whole JSON" in damaged(path)


# PolyFormer


def rewritten(content, folder, change):
    folder.mkdir(parents=True)
    lines = polyformer_lines(content, [r for r in content.refs if r["split"] == "val"])
    path = folder / "refcoco_val.tsv"
    path.write_bytes(change([line.encode() for line in lines]))
    return path


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda lines: b"".join(lines)[:-50], "(line"),
        (lambda lines: b"".join(lines)[:-1], "the last line is cut short"),
        (lambda lines: lines[0].replace(b"\t1.0,2.0\n", b"\n"), "7 columns, not 8: boxes only"),
        (lambda lines: lines[0].replace(b"_0\t", b"_zero\t"), "no numbers where the ids"),
        (lambda lines: lines[0] + lines[0].replace(b"_0\t5", b"_1\t6"), "mixes several data sets"),
        (lambda lines: b"".join([*lines[:4], *lines[:2]]), "stands twice"),
        (lambda lines: lines[1], "sentence 1 of ref 8 where 0 belongs"),
    ],
    ids=["cut", "no-newline", "columns", "ids", "two-images", "twice", "lost-line"],
)
def test_damaged_lines_of_polyformer_say_where(change, problem, content, tmp_path):
    path = rewritten(content, tmp_path / "finetune", change)
    assert problem in damaged(path)


def test_text_that_is_not_utf8_says_its_line(content, tmp_path):
    def change(lines):
        cells = lines[1].split(b"\t")
        cells[2] = b"caf\xe9"
        return lines[0] + b"\t".join(cells)

    what = damaged(rewritten(content, tmp_path / "finetune", change))
    assert "(line 2): text that is not UTF-8" in what


def test_a_mask_that_is_no_base64_is_refused(content, tmp_path):
    def change(lines):
        cells = lines[0].split(b"\t")
        cells[6] = b"!!!!"
        return b"\t".join(cells)

    assert "the mask is not base64" in damaged(rewritten(content, tmp_path / "finetune", change))


def test_both_alphabets_of_base64_are_read(content, tmp_path):
    def change(lines):
        cells = [line.split(b"\t") for line in lines]
        for row in cells:
            for k in (5, 6):
                row[k] = base64.urlsafe_b64encode(base64.b64decode(row[k]))
        return b"".join(b"\t".join(row) for row in cells)

    source = read_source(SourcePlace(rewritten(content, tmp_path / "finetune", change)))
    assert told(source)["val"] == told_by_refer(content, "eq1")["val"]
    for ref in source.annotations.splits["val"]:
        row = next(r for r in content.refs if r["image_id"] == ref.image_id)
        assert source.images(ref.image_id) == content.jpeg(row)


def test_the_shuffled_file_of_three_sets_is_left_out_and_said(content, tmp_path):
    folder = write_polyformer(content, tmp_path / "finetune")
    (folder / "refcoco+g_train_shuffled.tsv").write_bytes((folder / "refcoco_val.tsv").read_bytes())
    source = read_source(SourcePlace(folder))
    assert "'refcoco+g_train_shuffled.tsv' left out: it mixes three data sets" in source.notes
    assert told(source) == told_by_refer(content, "eq1")


def test_an_id_of_polyformer_that_no_column_holds_is_refused(content, tmp_path):
    folder = write_polyformer(content, tmp_path / "refcoco")
    path = folder / "refcoco_val.tsv"
    whole = path.read_text()
    path.write_text(whole.replace("\t", f"\t{'9' * 30}", 1))
    assert "line 1" in refused(folder).what
    assert "an id of more digits than any has" in refused(folder).what


# Archives, and places that hold nothing


def test_an_archive_is_refused_with_the_command_that_unpacks_it(tmp_path):
    path = tmp_path / "refcoco.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../outside", "x")
    assert recognised(path) == "archive"
    error = refused(path)
    assert error.exit_code == ExitCode.USAGE
    assert shlex.split(error.fix[0]) == ["unzip", str(path), "-d", str(tmp_path / "refcoco")]
    quoted = path.rename(tmp_path / "it's here; rm x.zip")
    assert shlex.split(refused(quoted).fix[0])[1] == str(quoted)
    quoted.rename(path)
    assert [found.name for found in tmp_path.iterdir()] == ["refcoco.zip"]
    tar = tmp_path / "mdetr_annotations.tar.gz"
    tar.write_bytes(b"")
    assert "tar -xf" in refused(tar).fix[0]


@pytest.mark.parametrize("shape", sorted(set(shapes()) - {"refer", "archive"}))
def test_an_empty_folder_is_missing_data_in_every_shape(shape, tmp_path):
    with pytest.raises(UserError) as caught:
        read_source(SourcePlace(tmp_path), shape=shape)
    assert caught.value.exit_code == ExitCode.MISSING
    assert str(tmp_path) in caught.value.what


def test_a_folder_of_images_that_is_none_is_said(content, tmp_path):
    path = write_seqtr(content, tmp_path / "refcoco-unc" / "instances.json")
    assert refused(path, images=tmp_path / "nowhere").exit_code == ExitCode.MISSING
    assert read_source(SourcePlace(path)).images is None
    assert read_source(SourcePlace(path, images=content.small.images)).images
