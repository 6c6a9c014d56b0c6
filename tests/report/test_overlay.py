"""Masks laid over images: seen in colour, seen in grey, and no file too large."""

import io

import numpy as np
import pytest
from PIL import Image

from remamber.report.contact_sheet import MAX_BYTES, contact_sheet
from remamber.report.gallery import Exhibit, Tile
from remamber.report.gallery_image import fitting_image, side_for
from remamber.report.overlay import overlay, resized, tile_size


def disc(side=64, radius=16):
    rows, columns = np.indices((side, side)) - side / 2
    return rows**2 + columns**2 < radius**2


def laid_over(pixels, layer):
    """The overlay on an image of one colour, as grey levels."""
    base = Image.new("RGB", Image.open(io.BytesIO(layer)).size, pixels)
    mask = Image.open(io.BytesIO(layer)).convert("RGBA")
    base.paste(mask, (0, 0), mask)
    return np.asarray(base.convert("L")).astype(int)


@pytest.mark.parametrize("pixels", ["black", "white", "#808080", "#0072b2", "#009e73"])
@pytest.mark.parametrize("colour", ["green", "blue"])
def test_the_contour_survives_greyscale_print_on_any_ground(pixels, colour):
    grey = laid_over(pixels, overlay(disc(), size=(256, 256), colour=colour))
    across = grey[128, :128]
    steps = np.abs(np.diff(across))
    assert across.max() == 255
    assert steps.max() > 200
    assert np.count_nonzero(steps > 60) >= 2


def test_an_empty_mask_and_a_whole_one_are_drawn():
    for mask in (np.zeros((9, 7), dtype=bool), np.ones((9, 7), dtype=bool)):
        layer = Image.open(io.BytesIO(overlay(mask, size=(90, 70), colour="blue")))
        assert layer.size == (70, 90)
        alpha = np.asarray(layer.convert("RGBA"))[..., 3]
        assert (alpha > 0).all()


def test_the_dashed_outline_is_the_other_mask():
    plain = overlay(disc(), size=(128, 128), colour="blue")
    dashed = overlay(disc(), size=(128, 128), colour="blue", dashed=disc(radius=28))
    differs = laid_over("#808080", plain) != laid_over("#808080", dashed)
    rows, columns = np.nonzero(differs)
    distance = np.hypot(rows - 63.5, columns - 63.5)
    assert len(rows) > 100
    assert (np.abs(distance - 56) < 4).all()


def test_a_mask_grows_without_blur_and_shrinks_by_majority():
    mask = disc(8, 3)
    assert np.array_equal(resized(mask, (64, 64))[::8, ::8], mask)
    large = np.zeros((40, 40), dtype=bool)
    large[:20] = True
    assert np.array_equal(
        resized(large, (4, 4)), np.repeat([[True], [True], [False], [False]], 4, 1)
    )


def test_a_tile_keeps_the_shape_of_its_image():
    assert tile_size(480, 640, 256) == (192, 256)
    assert tile_size(5000, 1, 256) == (256, 1)


def noise(height, width, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def exhibit(content, *, tiles=7, title="“the cup”", height=192, width=256):
    layer = overlay(disc(), size=(height, width), colour="blue")
    return Exhibit(
        title=title,
        image=content,
        height=height,
        width=width,
        tiles=(Tile(label="Image"), *(Tile(label=f"Row {i}", overlay=layer) for i in range(tiles))),
    )


def test_a_contact_sheet_stays_small_even_of_noise():
    sheet = contact_sheet([exhibit(noise(192, 256, seed)) for seed in range(16)])
    assert len(sheet) <= MAX_BYTES
    with Image.open(io.BytesIO(sheet)) as image:
        assert image.format == "PNG"
        assert image.width > 800


def test_a_long_expression_and_tall_images_fit_into_the_sheet():
    long = exhibit(noise(64, 8), title="word " * 200, height=256, width=32)
    with Image.open(io.BytesIO(contact_sheet([long, exhibit(noise(8, 8))]))) as image:
        pixels = np.asarray(image.convert("L"))
    assert (pixels[:, -8:] == 255).all()
    assert (pixels[-8:] == 255).all()


def test_a_fuller_page_has_smaller_images():
    assert side_for(16, tiles=7) == 256
    assert 96 <= side_for(64, tiles=12) < 120
    small, large = noise(60, 60), noise(300, 200)
    assert fitting_image(small, side=256).content == small
    made = fitting_image(large, side=150)
    assert (made.height, made.width) == (150, 100)
    assert len(made.content) < len(large)
