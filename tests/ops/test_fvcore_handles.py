"""fvcore counts the scans through our handlers, and agrees with torch's own counter."""

import logging
import warnings

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from remamber.layers.channel_scan import ChannelScan, GatedScan
from remamber.layers.mamba_channel_scan import MambaBlock
from remamber.layers.spatial_scan import SpatialScan
from remamber.ops import directional_scan, fvcore_handles, selective_scan

OURS = ("remamber::selective_scan", "remamber::directional_scan")
pytestmark = pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")


class Selective(nn.Module):
    def forward(self, u, A, B):
        return selective_scan(u, u, A, B, B, A[:, 0], u)


class Directional(nn.Module):
    def forward(self, u, delta, A, B):
        return directional_scan(u, delta, A, B, B, directions=(0, 3))


CASES = {
    "selective": (Selective(), [(2, 6, 9), (6, 3), (2, 2, 3, 9)], 2 * 6 * 9, 3),
    "directional": (
        Directional(),
        [(2, 3, 5, 4), (2, 2, 3, 5, 4), (8, 3), (2, 2, 3, 5, 3)],
        2 * 2 * 3 * 5 * 4,
        3,
    ),
}


def analysis(module, inputs):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.script", category=DeprecationWarning)
        from fvcore.nn import FlopCountAnalysis
    logging.getLogger("fvcore").setLevel(logging.ERROR)
    return FlopCountAnalysis(module, inputs)


def analysed(module, inputs, **options):
    return analysis(module, inputs).set_op_handle(**fvcore_handles(**options))


@pytest.mark.parametrize("wants_gradient", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_a_scan_costs_what_its_convention_says(name, wants_gradient):
    module, shapes, steps, states = CASES[name]
    inputs = tuple(torch.randn(shape, requires_grad=wants_gradient) for shape in shapes)
    counted = analysed(module, inputs)
    assert counted.total() == steps * (5 * states + 2)
    assert not set(counted.unsupported_ops()) & set(OURS)
    assert analysed(module, inputs, convention="published").total() == steps * (9 * states + 1)


def test_without_the_handlers_fvcore_counts_nothing_and_names_the_operator():
    module, shapes, _, _ = CASES["selective"]
    counted = analysis(module, tuple(torch.randn(shape) for shape in shapes))
    assert counted.total() == 0
    assert "remamber::selective_scan" in counted.unsupported_ops()


@pytest.mark.parametrize(
    ("block", "shape"),
    [
        (SpatialScan(12, 8), (1, 12, 6, 5)),
        (SpatialScan(8, 8, d_state=4), (2, 8, 3, 7)),
        (ChannelScan(4, scan=GatedScan(16)), (1, 10, 4, 4)),
        (ChannelScan(4, scan=MambaBlock(16)), (1, 10, 4, 4)),
    ],
    ids=["SS2D", "SS2D with 4 states", "channel scan", "causal channel scan"],
)
def test_a_block_costs_half_of_torchs_flops_but_for_what_is_no_multiply_add(block, shape):
    """torch counts 2 for a multiply-add and fvcore 1; of the scan 3 n + 1 are none."""
    x = torch.randn(shape)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        block(x)
    counts = counter.get_flop_counts()["Global"]
    scan = sum(n for op, n in counts.items() if str(op).startswith("remamber"))
    others = counter.get_total_flops() - scan
    counted = analysed(block.eval(), x)
    by_operator = counted.by_operator()
    states = block.ssm.d_state if hasattr(block, "ssm") else _states(block.scan)
    ours = by_operator["selective_scan"] + by_operator["directional_scan"]
    assert ours == scan // (7 * states + 3) * (5 * states + 2) > 0
    products = sum(by_operator[name] for name in ("linear", "matmul", "bmm", "einsum", "conv"))
    assert products == others // 2 > 0


def _states(scan):
    return scan.d_state if hasattr(scan, "d_state") else scan.ssm.d_state
