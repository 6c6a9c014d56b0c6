"""Photographs: pixels as stored, or an error that names the file and the image."""

import numpy as np
import pytest
from PIL import Image

from remamber.datasets._images import read_image
from remamber.errors import ExitCode, UserError


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_pixels_of_a_png_come_back_exactly(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png", 1, height=20, width=30), pixels)


@pytest.mark.parametrize(
    ("mode", "ending"), [("L", "jpg"), ("CMYK", "jpg"), ("P", "png"), ("RGBA", "png"), ("1", "png")]
)
def test_every_eight_bit_mode_becomes_rgb(tmp_path, pixels, mode, ending):
    path = tmp_path / f"a.{ending}"
    image = Image.fromarray(pixels).convert(mode)
    image.save(path)
    read = read_image(path, 1, height=20, width=30)
    assert read.shape == (20, 30, 3)
    assert read.dtype == np.uint8
    assert np.abs(read.astype(int) - np.array(image.convert("RGB")).astype(int)).mean() < 20


def test_a_missing_image_names_its_path_and_is_a_missing_prerequisite(tmp_path):
    with pytest.raises(UserError, match=r"image 581857 is missing: no file 'a\.jpg'") as caught:
        read_image(tmp_path / "a.jpg", 581857, height=20, width=30)
    assert caught.value.exit_code == ExitCode.MISSING
    assert str(tmp_path / "a.jpg") in caught.value.where[0]
    assert caught.value.fix


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_an_image_cut_anywhere_is_damaged_and_named(tmp_path, pixels, ending):
    path = tmp_path / f"a.{ending}"
    Image.fromarray(pixels).save(path)
    whole = path.read_bytes()
    for length in (0, 1, 10, len(whole) // 3, len(whole) // 2, len(whole) * 9 // 10):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=rf"image 7 cannot be read: 'a\.{ending}'") as caught:
            read_image(path, 7, height=20, width=30)
        assert caught.value.exit_code == ExitCode.DAMAGED
        assert caught.value.fix[0] == f"unpack a.{ending} again"


def test_an_image_of_another_size_than_its_masks_is_refused(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="it has 30x20 pixels, its masks 20x30"):
        read_image(tmp_path / "a.png", 7, height=30, width=20)


def test_sixteen_bit_pixels_are_refused_and_not_clipped(tmp_path):
    deep = np.arange(600, dtype=np.uint16).reshape(20, 30) * 100
    Image.fromarray(deep).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="not 8 bits a channel"):
        read_image(tmp_path / "a.png", 7, height=20, width=30)


def test_exif_rotation_is_not_applied_because_masks_belong_to_stored_pixels(tmp_path, pixels):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "a.png", 1, height=20, width=30), pixels)
