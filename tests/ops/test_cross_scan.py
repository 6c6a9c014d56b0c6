import pytest
import torch
from golden import golden

from remamber.ops import cross_merge, cross_scan, two_way_merge, two_way_scan

STORED = "ops_cross_scan.safetensors"


def test_the_order_of_directions_is_the_releases():
    stored = golden(STORED)
    assert torch.equal(cross_scan(stored["x"]), stored["scan4"])
    assert torch.equal(two_way_scan(stored["x"]), stored["scan2"])


def test_merging_is_the_releases():
    stored = golden(STORED)
    h, w = stored["x"].shape[2:]
    y = stored["y"].flatten(3)
    for merge, name in ((cross_merge, "merge4"), (two_way_merge, "merge2")):
        torch.testing.assert_close(merge(y, h, w).flatten(2), stored[name])


def test_a_merged_scan_is_four_times_the_image():
    x = torch.randint(-9, 9, (2, 3, 5, 7)).float()
    assert torch.equal(cross_merge(cross_scan(x), 5, 7), 4 * x)
    assert torch.equal(two_way_merge(two_way_scan(x), 5, 7), 4 * x)


def test_gradients_are_right_for_any_strides():
    x = torch.randn(2, 5, 7, 3, dtype=torch.float64, requires_grad=True)
    y = torch.randn(2, 35, 3, 4, dtype=torch.float64, requires_grad=True)
    for scan, merge in ((cross_scan, cross_merge), (two_way_scan, two_way_merge)):
        assert torch.autograd.gradcheck(lambda v, f=scan: f(v.permute(0, 3, 1, 2)), x)
        assert torch.autograd.gradcheck(lambda v, f=merge: f(v.permute(0, 3, 2, 1), 5, 7), y)


def test_an_image_of_one_row_and_of_one_pixel_pass():
    for shape in ((1, 2, 1, 6), (1, 2, 6, 1), (1, 1, 1, 1)):
        x = torch.randn(shape)
        assert torch.equal(cross_merge(cross_scan(x), *shape[2:]), 4 * x)


# torch's own tracing of an autograd function raises it.
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
def test_it_compiles_as_one_graph():
    x = torch.randn(1, 2, 3, 4, requires_grad=True)
    compiled = torch.compile(
        lambda v: cross_merge(cross_scan(v), 3, 4), fullgraph=True, backend="aot_eager"
    )
    torch.testing.assert_close(compiled(x), 4 * x)
