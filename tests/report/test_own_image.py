"""A reader's own photograph with the masks of some models: one picture and one page."""

import io

import numpy as np
import pytest
from PIL import Image

from remamber.errors import UserError
from remamber.report.own_image import Found, write_own


def found(label="Mamba Twister", **more):
    mask = np.zeros((48, 64), dtype=bool)
    mask[10:20, 10:30] = True
    return Found(**{"label": label, "weights": "run r", "image_size": 64, "mask": mask, **more})


def photograph():
    return np.full((48, 64, 3), 120, dtype=np.uint8)


def test_the_page_shows_every_model_and_says_what_it_did_not_know(tmp_path):
    several = [found(), found("LAVT <b>", unknown=("wibble",), is_cut=True)]
    paths = write_own(photograph(), "the <i>cup", several, stem="photo", out=tmp_path)
    assert paths["html"] == tmp_path / "masks-own" / "photo.html"
    page = paths["html"].read_text()
    assert page.count("<use ") == 2
    assert "LAVT &lt;b&gt; does not know &#39;wibble&#39;" in page
    assert "the &lt;i&gt;cup" in page
    assert "did not read the end" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_the_picture_has_a_tile_for_the_image_and_each_model(tmp_path):
    one = write_own(photograph(), "cup", [found()], stem="a", out=tmp_path)["png"]
    two = write_own(photograph(), "cup", [found(), found("B")], stem="b", out=tmp_path)["png"]
    widths = [Image.open(io.BytesIO(path.read_bytes())).width for path in (one, two)]
    assert widths[0] < widths[1]


def test_a_mask_of_nothing_is_said_so(tmp_path):
    nothing = found(mask=np.zeros((48, 64), dtype=bool))
    paths = write_own(photograph(), "cup", [nothing], stem="a", out=tmp_path)
    assert "found nothing" in paths["html"].read_text()


def test_a_folder_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "masks-own").write_text("in the way")
    with pytest.raises((UserError, OSError)):
        write_own(photograph(), "cup", [found()], stem="a", out=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["masks-own"]
