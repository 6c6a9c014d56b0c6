"""Mamba's block as a channel scan: held to transformers' Mamba, and to what a channel scan is."""

import logging

import pytest
import torch

from remamber.layers.channel_scan import ChannelScan, GatedScan
from remamber.layers.mamba_channel_scan import MambaBlock

NAMES = {
    "in_proj.weight": (4 * 36, 36),
    "conv1d.weight": (72, 1, 4),
    "conv1d.bias": (72,),
    "x_proj.weight": (3 + 2 * 16, 72),
    "dt_proj.weight": (72, 3),
    "dt_proj.bias": (72,),
    "A_log": (72, 16),
    "D": (72,),
    "out_proj.weight": (36, 72),
}


@pytest.mark.parametrize("state", [1, 16])
def test_it_equals_the_mamba_of_transformers_in_values_and_gradients(state, caplog):
    from transformers import MambaConfig
    from transformers.models.mamba.modeling_mamba import MambaMixer

    caplog.set_level(logging.CRITICAL)
    config = MambaConfig(hidden_size=36, state_size=state, num_hidden_layers=1)
    theirs, ours = MambaMixer(config, 0).eval(), MambaBlock(36, d_state=state)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    results = []
    for block in (theirs, ours):
        steps = torch.randn(2, 11, 36, generator=torch.Generator().manual_seed(0)).requires_grad_()
        y = block(steps)
        y.square().sum().backward()
        results.append(
            {"y": y, "steps": steps.grad} | {n: p.grad for n, p in block.named_parameters()}
        )
    expected, found = results
    for name, value in expected.items():
        scale = value.abs().max()
        assert scale > 0, name
        torch.testing.assert_close(found[name] / scale, value / scale, atol=1e-5, rtol=0, msg=name)


def test_its_state_has_mambas_names_and_shapes():
    assert {n: tuple(v.shape) for n, v in MambaBlock(36).state_dict().items()} == NAMES


def test_first_step_sizes_are_mambas():
    sizes = torch.nn.functional.softplus(MambaBlock(256).dt_proj.bias.detach())
    assert 1e-3 * 0.999 <= sizes.min() < 2e-3
    assert 5e-2 < sizes.max() <= 1e-1 * 1.001


def test_a_step_sees_itself_and_earlier_ones_only():
    block, steps = MambaBlock(16), torch.randn(1, 12, 16)
    before = block(steps)
    steps = steps.clone()
    steps[:, 7] += 1
    after = block(steps)
    assert torch.equal(before[:, :7], after[:, :7])
    assert (before[:, 7:] != after[:, 7:]).any(dim=2).all()


@pytest.fixture(params=[GatedScan, MambaBlock], ids=lambda kind: kind.__name__)
def scan(request):
    return ChannelScan(6, scan=request.param(36))


@pytest.mark.parametrize("shape", [(1, 1, 6, 6), (2, 12, 6, 6), (1, 5, 9, 4), (2, 7, 3, 11)])
def test_any_number_of_channels_and_any_size_keep_their_shape(scan, shape):
    x = torch.randn(shape)
    y = scan(x)
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    assert torch.isfinite(y).all()
    assert not torch.equal(y, x)


def test_it_is_residual(scan):
    x = torch.randn(2, 5, 6, 6)
    with torch.no_grad():
        scan.scan.out_proj.weight.zero_()
    assert torch.equal(scan(x), x)


def test_samples_are_independent(scan):
    x = torch.randn(3, 8, 6, 6)
    alone = torch.cat([scan(x[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(scan(x), alone, atol=1e-6, rtol=1e-5)


def test_gradients_reach_the_map_and_every_parameter(scan):
    x = torch.randn(2, 8, 7, 5, requires_grad=True)
    (scan(x) * torch.randn(2, 8, 7, 5)).sum().backward()
    gradients = {"x": x.grad} | {name: p.grad for name, p in scan.named_parameters()}
    for name, gradient in gradients.items():
        assert torch.isfinite(gradient).all() and gradient.abs().max() > 0, name


def test_a_later_channel_reaches_an_earlier_one_only_where_both_ways_are_read():
    x = torch.randn(1, 8, 6, 6)
    changed = x.clone()
    changed[:, 5] += 1
    for kind, reaches in ((GatedScan, True), (MambaBlock, False)):
        scan = ChannelScan(6, scan=kind(36))
        assert torch.equal(scan(x)[:, :5], scan(changed)[:, :5]) != reaches


def test_it_compiles_as_one_graph_and_runs_in_bfloat16():
    scan, x = ChannelScan(6, scan=MambaBlock(36)), torch.randn(1, 8, 6, 6)
    compiled = torch.compile(scan, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), scan(x))
    exact = scan(x)
    with torch.autocast("cpu", torch.bfloat16):
        found = scan(x)
    assert not torch.equal(found, exact)
    torch.testing.assert_close(found.float(), exact, atol=0.05, rtol=0.05)
