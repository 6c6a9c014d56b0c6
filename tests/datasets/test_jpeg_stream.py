"""JPEG files that a decoder takes without a word although pixels are missing."""

import io

import numpy as np
import pytest
from photographs import encoded, photograph
from PIL import Image

from remamber.datasets._jpeg_stream import BadJpegError, is_jpeg, strict


@pytest.fixture(scope="module")
def picture():
    return photograph(0, height=120, width=160)


FORMS = {
    "baseline": {"quality": 92},
    "progressive": {"quality": 92, "progressive": True},
    "optimised": {"quality": 50, "optimize": True},
    "restarts": {"quality": 92, "restart_marker_blocks": 4},
    "full colour": {"quality": 95, "subsampling": 0},
    "comment": {"quality": 92, "comment": b"\xff\xd9 in a comment"},
    "exif": {"quality": 92, "exif": b"Exif\x00\x00" + b"\xff\xd8\xff\xd9" * 8},
}


def pixels(content):
    with Image.open(io.BytesIO(content)) as image:
        return np.array(image)


def strict_pixels(content):
    stream = strict(content)
    with Image.open(stream) as image:
        decoded = np.array(image)
    stream.require_read()
    return decoded


def share_refused(damage, whole, *, places=60):
    """Of damaged files that Pillow takes, how many are refused."""
    taken = refused = 0
    for place in np.linspace(900, len(whole) - 700, places).astype(int):
        damaged = damage(whole, int(place))
        try:
            pixels(damaged)
        except OSError:
            continue
        taken += 1
        try:
            strict_pixels(damaged)
        except (BadJpegError, OSError):
            refused += 1
    assert taken > places / 8
    return refused / taken


@pytest.mark.parametrize("options", FORMS.values(), ids=FORMS)
def test_a_whole_file_of_any_form_gives_the_decoders_pixels(picture, options):
    content = encoded(picture, **options)
    assert is_jpeg(content)
    assert np.array_equal(strict_pixels(content), pixels(content))


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_a_whole_file_of_other_colours_gives_the_decoders_pixels(picture, mode):
    content = encoded(picture.convert(mode))
    assert np.array_equal(strict_pixels(content), pixels(content))


def test_files_of_every_size_and_quality_give_the_decoders_pixels():
    rng = np.random.default_rng(0)
    for seed in range(60):
        height, width = (int(n) for n in rng.integers(1, 70, 2))
        flat = Image.new("RGB", (width, height), (255, 255, 255))
        image = photograph(seed, height=height, width=width) if height > 1 < width else flat
        options = {"subsampling": seed % 3, "optimize": seed % 2 == 0}
        for shown in (image, flat):
            content = encoded(shown, quality=int(rng.integers(1, 100)), **options)
            assert np.array_equal(strict_pixels(content), pixels(content))


def test_bytes_after_the_image_are_not_looked_at(picture):
    whole = encoded(picture)
    for more in (b"\xff\x01" * 9, whole, bytes(5000)):
        assert np.array_equal(strict_pixels(whole + more), pixels(whole))


@pytest.mark.parametrize("options", FORMS.values(), ids=FORMS)
def test_a_file_cut_anywhere_is_refused(picture, options):
    whole = encoded(picture, **options)
    for length in {*range(3, len(whole) - 1, 97), len(whole) - 1}:
        with pytest.raises(BadJpegError):
            strict(whole[:length])


def test_a_file_whose_end_is_zeros_is_refused_although_it_decodes(picture):
    assert share_refused(lambda w, k: w[:k] + bytes(3 * len(w)), encoded(picture)) == 1


def test_a_file_that_was_cut_and_closed_again_is_refused_although_it_decodes(picture):
    whole = encoded(picture, quality=92)
    assert share_refused(lambda w, k: w[:k] + b"\xff\xd9", whole) == 1


def test_most_holes_and_noise_in_the_pixels_are_found_although_they_decode(picture):
    whole = encoded(picture, quality=92)
    noise = np.random.default_rng(0).bytes(512).replace(b"\xff", b"\xfe")
    assert share_refused(lambda w, k: w[:k] + bytes(512) + w[k + 512 :], whole) > 0.9
    assert share_refused(lambda w, k: w[:k] + noise + w[k + 512 :], whole) > 0.9


def test_an_impossible_marker_in_the_pixels_is_named_with_its_place(picture):
    whole = bytearray(encoded(picture))
    whole[-400:-398] = b"\xff\x3c"
    with pytest.raises(BadJpegError, match=f"damaged at byte {len(whole) - 400:,}"):
        strict(bytes(whole))


def test_other_files_are_not_jpeg(picture):
    assert not is_jpeg(encoded(picture, "PNG"))
    assert not is_jpeg(b"")
    with pytest.raises(BadJpegError, match="it ends before its first pixel"):
        strict(b"\xff\xd8\xff\xd9")
