"""Resizing and normalising as the release does, against its golden file."""

from pathlib import Path

import numpy as np
import pytest

from remamber.datasets._transforms import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    normalise,
    resize_image,
    resize_mask,
)

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "transform.npz"


@pytest.fixture
def golden():
    with np.load(GOLDEN) as arrays:
        return dict(arrays)


def test_a_resized_image_is_the_releases_to_the_last_bit(golden):
    assert np.array_equal(resize_image(golden["image"], 24), golden["resized"])


def test_a_resized_mask_is_the_releases(golden):
    resized = resize_mask(golden["mask"] > 0, 24)
    assert resized.dtype == np.bool_
    assert np.array_equal(resized, golden["out_mask"] > 0)


def test_a_normalised_image_is_the_releases_to_the_last_bit(golden):
    batch = np.stack([golden["resized"]] * 2)
    out = normalise(batch)
    assert out.dtype == np.float32
    assert out.flags.c_contiguous
    assert np.array_equal(out, np.stack([golden["out_image"]] * 2))


def test_every_level_of_every_channel_is_normalised_by_its_own_mean_and_deviation():
    levels = np.repeat(np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1), 3, axis=3)
    exact = levels.astype(np.float64).transpose(0, 3, 1, 2) / 255
    mean, std = (np.reshape(values, (1, 3, 1, 1)) for values in (IMAGENET_MEAN, IMAGENET_STD))
    np.testing.assert_allclose(normalise(levels), (exact - mean) / std, atol=1e-6)
