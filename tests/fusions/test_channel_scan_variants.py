"""The Twister with either channel scan: chosen in the spec, and nothing else of it changes."""

from typing import get_args

import pytest
import torch
from pydantic import ValidationError

from remamber.fusions.twister import CHANNEL_SCANS
from remamber.layers.channel_scan import GatedScan
from remamber.layers.mamba_channel_scan import MambaBlock
from remamber.models import ModelInputs, build_model, parameter_counts
from remamber.plan.spec import FusionSpec, ModelSpec, RunSpec

TEXTS = ["the red ball", "blue cone"]


def build(channel_scan, order="channel-spatial"):
    fusion = FusionSpec(scan_order=order, channel_scan=channel_scan)
    return build_model(ModelSpec(fusion=fusion), ModelInputs(TEXTS))


def test_every_choice_of_the_spec_is_built_and_the_release_is_the_default():
    choices = get_args(FusionSpec.model_fields["channel_scan"].annotation)
    assert set(choices) == set(CHANNEL_SCANS)
    assert CHANNEL_SCANS[FusionSpec().channel_scan] is GatedScan
    assert CHANNEL_SCANS["causal"] is MambaBlock


def test_another_name_is_refused():
    with pytest.raises(ValidationError, match="channel_scan"):
        FusionSpec(channel_scan="three-way")


def test_the_variant_is_another_run():
    specs = [
        RunSpec(model=ModelSpec(fusion=FusionSpec(channel_scan=name))) for name in CHANNEL_SCANS
    ]
    assert specs[0].digest != specs[1].digest


def test_all_but_the_channel_scan_starts_equal():
    released, causal = (dict(build(name).named_parameters()) for name in CHANNEL_SCANS)
    common = released.keys() & causal.keys()
    assert {
        name for name in released.keys() ^ causal.keys() if ".channel.scan." not in name
    } == set()
    differ = {name for name in common if not torch.equal(released[name], causal[name])}
    assert differ and all(".channel.scan." in name for name in differ)


def test_the_budgets_of_the_base_size_are_within_two_percent():
    counts = []
    for name in CHANNEL_SCANS:
        spec = ModelSpec(size="base", fusion=FusionSpec(channel_scan=name))
        with torch.device("meta"):
            counts.append(parameter_counts(build_model(spec, ModelInputs(TEXTS)))["fusion"])
    assert counts[0] == 29_110_272
    assert abs(counts[1] - counts[0]) < 0.02 * counts[0]


@pytest.mark.parametrize("order", ["channel", "channel-spatial", "spatial-channel", "parallel"])
def test_a_step_of_training_moves_every_weight_of_the_causal_scan(order):
    model = build("causal", order)
    tokens = model.tokenizer(TEXTS)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
    logits = model(torch.randn(2, 3, 64, 64), tokens.ids, tokens.mask)
    (logits * torch.randn_like(logits)).sum().backward()
    optimiser.step()
    scans = [name for name in before if ".channel.scan." in name]
    assert scans
    still = [name for name in scans if torch.equal(before[name], model.get_parameter(name))]
    assert still == []
