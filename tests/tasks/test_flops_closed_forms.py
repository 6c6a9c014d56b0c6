"""Scan, SS2D, Twister and Swin's attention cost what their formulas say."""

import math

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from remamber.fusions import FusionShape
from remamber.fusions.twister import Twister
from remamber.layers.channel_scan import ChannelScan, GatedScan
from remamber.layers.spatial_scan import SpatialScan
from remamber.models._swin import SwinBlocks
from remamber.ops import directional_scan, selective_scan
from remamber.plan.spec import FusionSpec
from remamber.tasks._flops_ledger import Counter
from remamber.tasks._flops_operators import Cost

WAYS = 4


def cost(function, *inputs):
    counter = Counter()
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        function(*inputs)
    total = Cost()
    for line, found in counter.pages[0].items():
        assert line.known
        total = total.plus(found)
    return total


def expected(products, elements, states=1):
    """FLOPs and MACs of products of matrices and of scans."""
    return (
        2 * products + elements * (7 * states + 3),
        products + elements * (5 * states + 2),
    )


def rank(channels):
    return math.ceil(channels / 16)


def ss2d(positions, channels_in, channels, states=1):
    """Products and scanned elements of SS2D, by position."""
    inner, r = 2 * channels, rank(channels)
    projections = WAYS * inner * (r + 2 * states) + WAYS * inner * r
    products = positions * (channels_in * inner + 9 * inner + projections + inner * channels)
    return products, positions * WAYS * inner


def channel_scan(channels, grid):
    """The same of the channel scan, by channel; positions of the grid are its features."""
    p = grid * grid
    inner, r = 2 * p, rank(p)
    projections = WAYS * inner * (r + 2) + WAYS * inner * r
    products = channels * (p * 2 * inner + 3 * inner + projections + inner * p)
    return products, channels * WAYS * inner


def test_a_selective_scan_costs_7_bldn_and_3_bdl():
    u, A, B = torch.randn(2, 6, 9), torch.randn(6, 3), torch.randn(2, 2, 3, 9)
    found = cost(lambda: selective_scan(u, u, A, B, B))
    elements = 2 * 6 * 9
    assert (found.flops, found.macs) == expected(0, elements, 3)
    assert found.paper == 9 * elements * 3 + elements


def test_a_directional_scan_costs_as_many_scans_as_it_has_directions():
    u, delta = torch.randn(2, 3, 5, 4), torch.randn(2, 2, 3, 5, 4)
    A, B = torch.randn(8, 3), torch.randn(2, 2, 3, 5, 3)
    found = cost(lambda: directional_scan(u, delta, A, B, B, directions=(0, 3)))
    assert (found.flops, found.macs) == expected(0, 2 * (2 * 3 * 5 * 4), 3)


@pytest.mark.parametrize(("channels_in", "channels", "states"), [(12, 8, 1), (8, 40, 4)])
def test_ss2d_costs_its_projections_convolution_and_scans(channels_in, channels, states):
    block = SpatialScan(channels_in, channels, d_state=states)
    found = cost(block, torch.randn(1, channels_in, 6, 5))
    products, elements = ss2d(30, channels_in, channels, states)
    assert (found.flops, found.macs) == expected(products, elements, states)


def test_the_channel_scan_costs_the_same_on_any_image():
    block = ChannelScan(4, scan=GatedScan(16))
    small, large = (cost(block, torch.randn(1, 10, s, s)) for s in (4, 12))
    assert (small.flops, small.macs) == (large.flops, large.macs) == expected(*channel_scan(10, 4))


@pytest.mark.parametrize("side", [4, 6])
def test_a_twister_costs_its_cube_and_two_scans_a_layer(side):
    c, width, tokens, text, grid, depth = 8, 16, 5, 12, 4, 2
    shape = FusionShape(
        spec=FusionSpec(depth=depth),
        channels=c,
        text_width=text,
        text_length=tokens,
        channel_grid=grid,
        interaction_width=width,
        release=False,
        backend="auto",
        seed="0",
    )
    image, words = torch.randn(1, c, side, side), torch.randn(1, tokens, text)
    mask = torch.ones(1, tokens, dtype=torch.bool)
    found = cost(Twister(shape), image, words, mask, torch.randn(1, text))
    hw = side * side
    cube = text * c + tokens * text * width
    cube += hw * (c * width + tokens * width + 9 * tokens * width + width * c)
    by_channel, by_position = channel_scan(3 * c, grid), ss2d(hw, 3 * c, c)
    products = cube + depth * (by_channel[0] + by_position[0])
    elements = depth * (by_channel[1] + by_position[1])
    assert (found.flops, found.macs) == expected(products, elements)


@pytest.mark.parametrize("side", [8, 10])
def test_swins_attention_costs_its_windows_padding_included(side):
    c, window, heads = 64, 4, 2
    found = cost(SwinBlocks(c, rates=[0.0, 0.0], window=window), torch.randn(1, c, side, side))
    padded = (math.ceil(side / window) * window) ** 2
    attention = 2 * padded * window**2 * (c // heads) * heads + padded * 4 * c * c
    mlp = side * side * 8 * c * c
    assert found.flops == 2 * 2 * (attention + mlp)
    assert found.macs == 2 * (attention + mlp)
