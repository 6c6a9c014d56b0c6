"""Masks from polygons and run lengths, against hand computations and pycocotools."""

import math

import numpy as np
import pytest
from pycocotools import mask as coco

from remamber.datasets._segmentation import (
    BadSegmentationError,
    compressed,
    decode,
    decode_text,
    run_lengths,
)


def square(left, top, right, bottom):
    return [left, top, right, top, right, bottom, left, bottom]


def rle(mask):
    return coco.encode(np.asfortranarray(mask.astype(np.uint8)))


def runs(mask):
    """Uncompressed run lengths down the columns, zeros first, as COCO's crowd masks have them."""
    flat = mask.T.reshape(-1).astype(int)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat, [1 - flat[-1]]])))
    return np.diff(np.concatenate([[0], edges])).tolist()


@pytest.fixture
def blob():
    grid = np.random.default_rng(3).random((13, 21)) > 0.6
    grid[4:9, 5:15] = True
    return grid


def test_a_square_polygon_is_the_square_of_its_pixels():
    expected = np.zeros((10, 12), dtype=bool)
    expected[2:6, 3:8] = True
    assert np.array_equal(decode([square(3, 2, 8, 6)], 10, 12), expected)


def test_two_parts_apart_are_both_in_the_mask_by_either_rule():
    parts = [square(0, 0, 2, 2), square(5, 5, 9, 8)]
    expected = np.zeros((10, 10), dtype=bool)
    expected[0:2, 0:2] = True
    expected[5:8, 5:9] = True
    for rule in ("union", "eq1"):
        assert np.array_equal(decode(parts, 10, 10, rule=rule), expected)


def test_union_keeps_and_eq1_drops_the_overlap_of_two_parts():
    parts = [square(0, 0, 6, 6), square(4, 4, 10, 10)]
    union, eq1 = (decode(parts, 10, 10, rule=rule) for rule in ("union", "eq1"))
    assert (union.sum(), eq1.sum()) == (36 + 36 - 4, 36 + 36 - 8)
    overlap = np.zeros((10, 10), dtype=bool)
    overlap[4:6, 4:6] = True
    assert np.array_equal(union & ~eq1, overlap)


def test_eq1_drops_what_three_parts_share_too():
    parts = [square(0, 0, 4, 4)] * 3
    assert decode(parts, 5, 5, rule="eq1").sum() == 0
    assert decode(parts, 5, 5).sum() == 16


def test_every_shape_of_run_lengths_gives_the_same_mask(blob):
    compressed = rle(blob)
    text = {"size": compressed["size"], "counts": compressed["counts"].decode()}
    plain = {"size": compressed["size"], "counts": runs(blob)}
    for segmentation in (compressed, text, plain, [compressed], [text], [plain]):
        assert np.array_equal(decode(segmentation, 13, 21), blob)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("seed", range(20))
def test_compressed_run_lengths_agree_with_pycocotools(seed):
    generator = np.random.default_rng(seed)
    height, width = generator.integers(1, 200, size=2)
    mask = generator.random((height, width)) < generator.choice([0, 0.001, 0.1, 0.5, 1])
    assert np.array_equal(coco.decode(rle(mask)).astype(bool), mask)
    assert np.array_equal(decode(rle(mask), int(height), int(width)), mask)


def test_a_thin_polygon_beside_a_real_one_adds_nothing():
    with_line = [[1, 1, 5, 5], square(3, 2, 8, 6)]
    assert np.array_equal(decode(with_line, 10, 12), decode([square(3, 2, 8, 6)], 10, 12))


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [
        ([], "neither"),
        (None, "neither"),
        ("abc", "neither"),
        ([[]], "fewer than three points"),
        ([[1, 2, 3, 4]], "fewer than three points"),
        ([[1, 2, 3, 4, 5, 6, 7]], "odd"),
        ([[1, 2, 3, 4, 5, "6"]], "not a list of numbers"),
        ([[1, 2, 3, 4, 5, math.nan]], "not a list of numbers"),
        ([{"size": [4, 4], "counts": [16]}, [1, 2, 3, 4, 5, 6]], "not a list of numbers"),
        ([[0, 0, 1e9, 0, 1e9, 1e9]], "far outside"),
        ({"size": [4, 5], "counts": [20]}, "size"),
        ({"counts": [16]}, "size None"),
        ({"size": [4, 4]}, "not a list of counts"),
        ({"size": [4, 4], "counts": [20, -4]}, "not a list of counts"),
        ({"size": [4, 4], "counts": [8.0, 8.0]}, "not a list of counts"),
        ({"size": [4, 4], "counts": [15]}, "15 pixels, not 16"),
        ({"size": [4, 4], "counts": [10**15]}, "not 16"),
        ({"size": [4, 4], "counts": ""}, "0 pixels, not 16"),
        ({"size": [4, 4], "counts": "00000"}, "not 16"),
        ({"size": [4, 4], "counts": "o" * 40}, "text form"),
        ({"size": [4, 4], "counts": b"\xff\x00"}, "text form"),
        ({"size": [4, 4], "counts": "\u20ac !"}, "text form"),
        ({"size": [4, 4], "counts": "`"}, "cut short"),
    ],
)
def test_what_describes_no_mask_is_refused_with_the_reason(segmentation, reason):
    with pytest.raises(BadSegmentationError, match=reason):
        decode(segmentation, 4, 4)


def test_run_lengths_cut_anywhere_are_refused(blob):
    counts = rle(blob)["counts"]
    for length in range(len(counts)):
        with pytest.raises(BadSegmentationError):
            decode({"size": [13, 21], "counts": counts[:length]}, 13, 21)


@pytest.mark.parametrize("seed", range(20))
def test_run_lengths_hold_what_decode_gives_by_either_rule(seed):
    generator = np.random.default_rng(seed)
    parts = [
        (generator.uniform(0, 60, size=(int(generator.integers(3, 20)), 2))).reshape(-1).tolist()
        for _ in range(int(generator.integers(1, 4)))
    ]
    found = run_lengths(parts, 50, 60)
    union, eq1 = (decode(parts, 50, 60, rule=rule) for rule in ("union", "eq1"))
    assert np.array_equal(decode_text(found.union, 50, 60), union)
    assert np.array_equal(decode_text(found.eq1 or found.union, 50, 60), eq1)
    assert (found.eq1 is None) == np.array_equal(union, eq1)


def test_run_lengths_of_every_shape_are_the_same_text(blob):
    packed = rle(blob)
    text = {"size": packed["size"], "counts": packed["counts"].decode()}
    plain = {"size": packed["size"], "counts": runs(blob)}
    for segmentation in (packed, text, plain, [text], compressed(blob)):
        assert decode_text(run_lengths(segmentation, 13, 21).union, 13, 21).sum() == blob.sum()
        assert run_lengths(segmentation, 13, 21) == (packed["counts"], None)


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": 5, "counts": [16]},
        {"size": "ab", "counts": [16]},
        {"size": [[4], [4]], "counts": [16]},
        {"size": [4, 4], "counts": "\u4e2d"},
        [[10**400, 1, 2, 3, 4, 5]],
        [[float("inf"), 1, 2, 3, 4, 5]],
        [[-(10**6), 1, 2, 3, 4, 5]],
        [[1, -(10**6), 2, 3, 4, 5]],
    ],
    ids=range(8),
)
def test_values_that_json_may_hold_and_no_mask_has_are_refused(segmentation):
    with pytest.raises(BadSegmentationError):
        decode(segmentation, 4, 4)
    with pytest.raises(BadSegmentationError):
        run_lengths(segmentation, 4, 4)


@pytest.mark.parametrize("counts", [b"", b"00", b"`", b"oooooo0", b"0" * 5, b"\xff", b"1O4"])
def test_run_lengths_that_do_not_fill_the_image_are_refused_and_never_copied(counts):
    segmentation = {"size": [4, 4], "counts": counts}
    with pytest.raises(BadSegmentationError):
        run_lengths(segmentation, 4, 4)
    with pytest.raises(BadSegmentationError):
        decode_text(counts, 4, 4)
