"""Resized images and masks: the same with and without a cache, and each decoded once."""

import numpy as np
import pytest
from small_refcoco import write_small_refcoco

from remamber.datasets import DataPlace, open_dataset
from remamber.datasets._split_reader import SplitReader
from remamber.datasets._transforms import resize_image, resize_mask
from remamber.plan.spec import DataSpec


class Counting:
    """A data set that counts what is decoded."""

    def __init__(self, dataset):
        self.dataset = dataset
        self.decoded = []

    def image(self, image_id):
        self.decoded.append(("image", image_id))
        return self.dataset.image(image_id)

    def mask(self, ref):
        self.decoded.append(("mask", ref.ref_id))
        return self.dataset.mask(ref)


@pytest.fixture
def counting(tmp_path):
    write_small_refcoco(tmp_path)
    return Counting(open_dataset(DataSpec(name="refcoco"), DataPlace(root=tmp_path)))


@pytest.fixture
def refs(counting):
    return counting.dataset.refs("train")


def test_a_sample_is_the_resized_image_and_mask_of_its_ref(counting, refs):
    reader = SplitReader(counting, refs, size=32)
    assert len(reader) == len(refs)
    for index, ref in enumerate(refs):
        sample = reader.sample(index)
        assert np.array_equal(sample.image, resize_image(counting.dataset.image(ref.image_id), 32))
        assert np.array_equal(sample.mask, resize_mask(counting.dataset.mask(ref), 32))


def test_a_batch_is_its_samples_in_the_order_asked_for(counting, refs):
    reader = SplitReader(counting, refs, size=32)
    indices = [3, 0, 3]
    images, masks = reader.images(indices), reader.masks(indices)
    assert (images.shape, masks.shape) == ((3, 32, 32, 3), (3, 32, 32))
    assert (images.dtype, masks.dtype) == (np.uint8, np.bool_)
    for row, index in enumerate(indices):
        assert np.array_equal(images[row], reader.sample(index).image)
        assert np.array_equal(masks[row], reader.sample(index).mask)


def test_what_fits_is_decoded_once(counting, refs):
    reader = SplitReader(counting, refs, size=32)
    for _ in range(3):
        reader.images(range(len(refs)))
        reader.masks(range(len(refs)))
    assert len(counting.decoded) == len(set(counting.decoded))
    assert len([what for what, _ in counting.decoded if what == "mask"]) == len(refs)


def test_a_full_cache_changes_no_pixel_and_is_never_exceeded(counting, refs):
    everything = range(len(refs))
    roomy, tight = (
        SplitReader(counting, refs, size=32, cache_bytes=limit) for limit in (2**20, 7000)
    )
    for _ in range(2):
        assert np.array_equal(roomy.images(everything), tight.images(everything))
        assert np.array_equal(roomy.masks(everything), tight.masks(everything))
    assert 0 < tight.cached_bytes <= 7000 < roomy.cached_bytes


def test_changing_a_sample_does_not_change_the_next_one(counting, refs):
    reader = SplitReader(counting, refs, size=32)
    first = reader.sample(0)
    kept = first.image.copy(), first.mask.copy()
    first.image[:] = 0
    first.mask[:] = True
    again = reader.sample(0)
    assert np.array_equal(again.image, kept[0])
    assert np.array_equal(again.mask, kept[1])


def test_a_mask_of_a_size_that_is_no_multiple_of_eight_survives_packing(counting, refs):
    reader = SplitReader(counting, refs, size=37)
    expected = resize_mask(counting.dataset.mask(refs[0]), 37)
    assert np.array_equal(reader.sample(0).mask, expected)
