"""Photographs: pixels as stored, or an error that names the file and the image."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from photographs import encoded, photograph
from PIL import Image

from remamber.datasets._images import MAX_BYTES, read_image
from remamber.datasets._transforms import resize_image
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


def test_an_image_turned_by_its_exif_after_which_masks_were_drawn_says_so(tmp_path, pixels):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif)
    what = "its masks 20x30: they were drawn after the turn that its EXIF orientation 6 asks for"
    with pytest.raises(UserError, match=what) as caught:
        read_image(tmp_path / "a.jpg", 7, height=30, width=20)
    assert caught.value.fix == (
        f"turn the stored pixels themselves, with: exiftran -ai {caught.value.path}",
    )


def deep_grey():
    return Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 100)


def png(width, height, *, depth, colours, rows=b""):
    """A PNG by hand: Pillow writes neither 16 bits a channel nor pixels that are not there."""
    header = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


DEEP_COLOURS = png(30, 20, depth=16, colours=2, rows=(b"\0" + bytes(range(180))) * 20)


@pytest.mark.parametrize("content", [encoded(deep_grey(), "PNG"), DEEP_COLOURS])
def test_sixteen_bit_pixels_are_refused_and_not_clipped(tmp_path, content):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(UserError, match="16 bits a channel, not 8 bits") as caught:
        read_image(path, 7, height=20, width=30)
    assert f"magick {path} -auto-level -depth 8 {path}" in caught.value.fix[0]


def test_transparency_is_ignored_and_palettes_with_it_are_read(tmp_path, pixels):
    clear = Image.fromarray(np.dstack([pixels, np.zeros((20, 30, 1), np.uint8)]))
    clear.save(tmp_path / "clear.png")
    read = read_image(tmp_path / "clear.png", 1, height=20, width=30)
    assert np.array_equal(read, pixels)
    palette = Image.fromarray(pixels).quantize(16)
    palette.save(tmp_path / "palette.png", transparency=bytes(range(16)))
    read = read_image(tmp_path / "palette.png", 1, height=20, width=30)
    assert np.array_equal(read, np.array(palette.convert("RGB")))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_an_animation_is_refused_because_masks_belong_to_one_picture(tmp_path, pixels, kind):
    path = tmp_path / f"a.{kind.lower()}"
    frames = [Image.fromarray(np.roll(pixels, k, axis=0)) for k in range(3)]
    frames[0].save(path, kind, save_all=True, append_images=frames[1:])
    with pytest.raises(UserError, match="it has 3 frames, and masks belong to one picture"):
        read_image(path, 7, height=20, width=30)


def test_the_first_of_a_phones_pictures_in_one_file_is_the_photograph(tmp_path, pixels):
    first, second = Image.fromarray(pixels), Image.fromarray(pixels[::-1])
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second], quality=95)
    read = read_image(tmp_path / "a.jpg", 1, height=20, width=30)
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.n_frames == 2
        assert np.array_equal(read, np.array(image))


@pytest.mark.parametrize("side", [9_200, 60_000])
def test_a_huge_image_is_refused_before_it_is_decoded(tmp_path, side):
    path = tmp_path / "a.png"
    path.write_bytes(png(side, side, depth=1, colours=0))
    with pytest.raises(UserError, match=r"more than (the )?80,000,000") as caught:
        read_image(path, 7, height=side, width=side)
    assert caught.value.exit_code == ExitCode.DAMAGED


def test_an_image_of_another_size_than_its_masks_is_not_decoded_to_find_out(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png(9_000, 9_000, depth=1, colours=0))
    with pytest.raises(UserError, match="it has 9000x9000 pixels, its masks 640x480"):
        read_image(path, 7, height=480, width=640)


def test_a_file_of_absurd_length_is_not_read(tmp_path):
    path = tmp_path / "a.jpg"
    with path.open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    with pytest.raises(UserError, match="268,435,457 bytes, more than the 268,435,456"):
        read_image(path, 7, height=20, width=30)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "the file is empty"),
        (bytes(5000), "it holds nothing but zeros"),
        (b"\n<!DOCTYPE html><html>404</html>", "it is a web page"),
        (b"version https://git-lfs.github.com/spec/v1", r"it is not an image in JPEG.* b'version "),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 30 20\n", "it is not an image"),
    ],
)
def test_what_is_no_image_is_called_what_it_is(tmp_path, content, what):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"image 7 cannot be read: 'a.jpg' .{what}") as caught:
        read_image(path, 7, height=20, width=30)
    assert caught.value.exit_code == ExitCode.DAMAGED
    assert caught.value.path == str(path)


def test_a_folder_in_place_of_an_image_is_called_one(tmp_path):
    (tmp_path / "a.jpg").mkdir()
    with pytest.raises(UserError, match="it is a folder"):
        read_image(tmp_path / "a.jpg", 7, height=20, width=30)


def test_an_image_that_may_not_be_read_says_how_to_permit_it(tmp_path, pixels, monkeypatch):
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    # Not by chmod: the administrator, as whom tests run in containers, may read everything.
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(UserError, match="may not be read: 'a.png'") as caught:
        read_image(path, 7, height=20, width=30)
    assert caught.value.exit_code == ExitCode.MISSING
    assert caught.value.fix == (f"chmod -R u+rX {tmp_path}",)


def test_a_jpeg_that_pillow_would_fill_with_grey_is_refused(tmp_path):
    whole = encoded(photograph(0, height=120, width=160))
    path = tmp_path / "a.jpg"
    path.write_bytes(whole[: len(whole) // 2] + b"\xff\xd9")
    with Image.open(path) as image:
        assert np.array(image)[-1].std() < 5
    with pytest.raises(UserError, match="image 7 cannot be read: 'a.jpg'") as caught:
        read_image(path, 7, height=120, width=160)
    assert caught.value.fix[0] == "unpack a.jpg again"


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_reading_at_the_models_size_is_reading_and_then_resizing(tmp_path, mode):
    image = photograph(0, height=120, width=160).convert(mode)
    for ending in ("jpg", "png") if mode != "CMYK" else ("jpg",):
        path = tmp_path / f"a.{ending}"
        image.save(path)
        for size in (16, 64, 200):
            small = read_image(path, 1, height=120, width=160, size=size)
            assert np.array_equal(
                small, resize_image(read_image(path, 1, height=120, width=160), size)
            )


def test_exif_rotation_is_not_applied_because_masks_belong_to_stored_pixels(tmp_path, pixels):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "a.png", 1, height=20, width=30), pixels)
