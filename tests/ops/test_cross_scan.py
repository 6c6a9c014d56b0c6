import pytest
import torch
from golden import golden

from remamber.ops import FOUR_WAYS, TWO_WAYS
from remamber.ops.cross_scan import cross_merge, cross_merge_each, cross_scan, cross_scan_each

STORED = "ops_cross_scan.safetensors"
WAYS = [FOUR_WAYS, TWO_WAYS, (3,), (1, 0, 2, 3, 1)]


def test_the_order_of_directions_is_the_releases():
    stored = golden(STORED)
    image = stored["x"].permute(0, 2, 3, 1)
    assert torch.equal(cross_scan(image, FOUR_WAYS), stored["scan4"])
    assert torch.equal(cross_scan(image, TWO_WAYS), stored["scan2"])


def test_merging_is_the_releases():
    stored = golden(STORED)
    h = stored["x"].shape[2]
    for ways, name in ((FOUR_WAYS, "merge4"), (TWO_WAYS, "merge2")):
        merged = cross_merge(stored["y"].flatten(3), ways, height=h)
        torch.testing.assert_close(merged.permute(0, 3, 1, 2).flatten(2), stored[name])


@pytest.mark.parametrize("ways", WAYS, ids=str)
@pytest.mark.parametrize("shape", [(2, 5, 7, 3), (1, 1, 6, 2), (1, 6, 1, 2), (1, 1, 1, 1)], ids=str)
def test_merging_undoes_scanning(shape, ways):
    image = torch.randint(-9, 9, shape).float()
    merged = cross_merge(cross_scan(image, ways), ways, height=shape[1])
    assert torch.equal(merged, len(ways) * image)
    images = torch.randn(shape[0], len(ways), *shape[1:])
    each = cross_merge_each(cross_scan_each(images, ways), ways, height=shape[1])
    assert torch.equal(each, images)


@pytest.mark.parametrize("ways", WAYS, ids=str)
def test_gradients_are_right_for_any_strides(ways):
    image = torch.randn(2, 3, 5, 7, dtype=torch.float64, requires_grad=True)
    sequences = torch.randn(2, 35, 3, len(ways), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: cross_scan(v.permute(0, 2, 3, 1), ways), image)
    for merge in (cross_merge, cross_merge_each):
        assert torch.autograd.gradcheck(
            lambda v, merge=merge: merge(v.permute(0, 3, 2, 1), ways, height=5), sequences
        )


def test_merging_leaves_its_argument_alone():
    sequences = torch.ones(1, 4, 1, 6)
    cross_merge(sequences, FOUR_WAYS, height=2)
    assert torch.equal(sequences, torch.ones(1, 4, 1, 6))
