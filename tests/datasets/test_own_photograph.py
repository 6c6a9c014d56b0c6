"""A reader's own photograph: as its viewer sees it, or one clear error."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from remamber.datasets import _own_photograph
from remamber.datasets._own_photograph import read_photograph
from remamber.errors import ExitCode, UserError

TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 3),
    7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda a: np.rot90(a, 1),
}


def picture(height=6, width=9):
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("orientation", TURNS)
def test_it_is_turned_as_its_orientation_asks(tmp_path, orientation):
    path = tmp_path / "turned.png"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(picture()).save(path, exif=exif)
    np.testing.assert_array_equal(read_photograph(path), TURNS[orientation](picture()))


@pytest.mark.parametrize("extension", ["png", "bmp", "tif", "webp", "jpg", "gif"])
def test_every_usual_format_gives_three_channels(tmp_path, extension):
    path = tmp_path / f"photo.{extension}"
    flat = np.full((8, 8, 3), (200, 30, 90), dtype=np.uint8)
    Image.fromarray(flat).save(path)
    pixels = read_photograph(path)
    assert pixels.shape == (8, 8, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - flat).max() <= 6


def test_grey_is_grey_and_bilevel_is_black_and_white(tmp_path):
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8) * 3
    Image.fromarray(grey).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(
        read_photograph(tmp_path / "grey.png"), grey[..., None].repeat(3, 2)
    )
    Image.fromarray(grey > 90).save(tmp_path / "two.png")
    assert set(np.unique(read_photograph(tmp_path / "two.png"))) == {0, 255}


def test_what_is_transparent_is_laid_on_white(tmp_path):
    layer = np.zeros((4, 4, 4), dtype=np.uint8)
    layer[:2] = (10, 20, 30, 255)
    layer[3] = (0, 0, 0, 51)
    Image.fromarray(layer).save(tmp_path / "alpha.png")
    pixels = read_photograph(tmp_path / "alpha.png")
    assert pixels[0, 0].tolist() == [10, 20, 30]
    assert pixels[2, 0].tolist() == [255, 255, 255]
    assert pixels[3, 0].tolist() == [204, 204, 204]


def test_a_palette_with_a_transparent_entry_is_laid_on_white(tmp_path):
    image = Image.new("P", (2, 1), 0)
    image.putpalette([0, 0, 0, 9, 8, 7])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "palette.png", transparency=0)
    assert read_photograph(tmp_path / "palette.png").tolist() == [[[255, 255, 255], [9, 8, 7]]]


def test_sixteen_bits_keep_their_brightness(tmp_path):
    levels = np.array([[0, 128 * 257, 65535]], dtype=np.uint16)
    Image.fromarray(levels).save(tmp_path / "deep.png")
    assert read_photograph(tmp_path / "deep.png")[0, :, 0].tolist() == [0, 128, 255]
    (tmp_path / "colour.png").write_bytes(_png_of_16_bit_colour())
    assert read_photograph(tmp_path / "colour.png").tolist() == [[[255, 128, 0]]]


def _png_of_16_bit_colour() -> bytes:
    """One pixel of 16 bits a channel, which Pillow itself cannot write."""
    return _png(1, 1, depth=16, rows=b"\0" + struct.pack(">3H", 65535, 128 * 257, 0))


def _png(width: int, height: int, *, depth: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        total = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + total

    head = struct.pack(">2I5B", width, height, depth, 2, 0, 0, 0)
    parts = {b"IHDR": head, b"IDAT": zlib.compress(rows), b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts.items())


def test_numbers_of_an_unknown_range_are_refused(tmp_path):
    Image.fromarray(np.ones((3, 3), dtype=np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(UserError, match="no image") as caught:
        read_photograph(tmp_path / "float.tif")
    assert "range is not known" in caught.value.where[0]


def test_of_an_animation_the_first_frame_is_seen(tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:])
    assert read_photograph(tmp_path / "two.gif")[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"hello world", "begins with"),
        (b"<!DOCTYPE html><p>not found", "web page"),
        (b"%PDF-1.7 and so on", "begins with"),
        (b"\xff\xd8\xff\xe0 torn", ""),
    ],
)
def test_what_is_no_image_is_said_so(tmp_path, content, said):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(UserError, match="no image that can be read") as caught:
        read_photograph(path)
    assert said in caught.value.where[0]
    assert caught.value.exit_code is ExitCode.DAMAGED
    assert caught.value.fix


def test_a_torn_image_is_refused(tmp_path):
    stream = io.BytesIO()
    Image.fromarray(picture(200, 200)).save(stream, "PNG")
    (tmp_path / "torn.png").write_bytes(stream.getvalue()[:-4000])
    with pytest.raises(UserError, match="no image that can be read"):
        read_photograph(tmp_path / "torn.png")


def test_an_enormous_image_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    for side in (9_500, 60_000):
        (tmp_path / "bomb.png").write_bytes(_png(side, side, depth=8, rows=b""))
        with pytest.raises(UserError, match="too large") as caught:
            read_photograph(tmp_path / "bomb.png")
        assert "-resize" in caught.value.fix[0]
    monkeypatch.setattr(_own_photograph, "MAX_PIXELS", 50)
    Image.new("RGB", (6, 9)).save(tmp_path / "small.png")
    with pytest.raises(UserError, match="more than 50 pixels"):
        read_photograph(tmp_path / "small.png")


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    for path in (tmp_path / "none.jpg", tmp_path):
        with pytest.raises(UserError, match="cannot be read") as caught:
            read_photograph(path)
        assert caught.value.exit_code is ExitCode.MISSING
        assert caught.value.path == str(path)
