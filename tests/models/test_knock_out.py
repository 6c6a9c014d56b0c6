"""Silenced scan directions: exactly nothing of them is left, and all of the others."""

import pytest
import torch

from remamber.errors import UserError
from remamber.layers.dual_scan import DualSSM, dual_spatial_scan
from remamber.layers.spatial_scan import SpatialScan
from remamber.layers.ssm import SelectiveSSM
from remamber.models import ModelInputs, build_model
from remamber.models._knock_out import Silence, _without, knocked_out
from remamber.plan.alterations import DIRECTION_BITS
from remamber.plan.spec import EvaluateSpec, FusionSpec, ModelSpec

TEXTS = ["the red ball on the left", "blue cone"]
WAYS = set(DIRECTION_BITS.values())


def model_of(**spec):
    return build_model(ModelSpec(**spec), ModelInputs(TEXTS)).eval()


def logits(model):
    tokens = model.tokenizer(TEXTS)
    image = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return model(image, tokens.ids, tokens.mask)


def scans(module):
    return [part for part in module.modules() if isinstance(part, SpatialScan)]


@pytest.mark.parametrize("make", [SelectiveSSM, DualSSM])
def test_what_the_directions_give_one_by_one_is_what_they_give_together(make):
    torch.manual_seed(0)
    ssm = make(12, dt_rank=2) if make is SelectiveSSM else make(12)
    with torch.no_grad():
        for parameter in ssm.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        u = torch.randn(2, 5, 4, 12)
        alone = [_without(ssm, WAYS - {way})(u) for way in sorted(WAYS)]
        torch.testing.assert_close(sum(alone), ssm(u))
        for gone in WAYS:
            rest = sum(y for way, y in zip(sorted(WAYS), alone, strict=True) if way != gone)
            torch.testing.assert_close(_without(ssm, {gone})(u), rest)


def test_nothing_of_a_scan_without_directions_is_left_not_even_its_skip_connection():
    ssm = SelectiveSSM(12, dt_rank=2)
    silent = _without(ssm, WAYS)
    assert isinstance(silent, Silence)
    assert not silent(torch.randn(1, 4, 4, 12)).any()


def test_the_model_itself_stays_as_it_is():
    model = model_of()
    before = logits(model)
    silenced = knocked_out(model, ["rows"])
    assert torch.equal(logits(model), before)
    assert (logits(silenced) - before).abs().max() > 1e-6


@pytest.mark.parametrize("place", ["model", "backbone", "fusion", "decoder"])
def test_only_the_scans_of_the_named_part_are_silenced(place):
    model = knocked_out(model_of(decoder="mamba"), ["rows", "columns-back"], place=place)
    parts = {"backbone": model.encoder.blocks, "fusion": model.encoder.fusions}
    parts["decoder"] = model.decoder
    for name, part in parts.items():
        left = (1, 2) if place in (name, "model") else (0, 1, 2, 3)
        assert {scan.ssm.directions for scan in scans(part)} == {left}, name


def test_all_directions_of_a_part_can_be_silenced():
    model = knocked_out(model_of(), tuple(DIRECTION_BITS), place="fusion")
    assert all(isinstance(scan.ssm, Silence) for scan in scans(model.encoder.fusions))
    assert torch.isfinite(logits(model)).all()


def test_a_scan_of_mamba_2s_kind_can_be_silenced_too():
    model = model_of(fusion=FusionSpec(spatial_scan="ssd", depth=1))
    left = knocked_out(model, ["columns"], place="fusion")
    assert {scan.ssm.directions for scan in scans(left.encoder.fusions)} == {(0, 2, 3)}
    scan = dual_spatial_scan(8, 4)
    assert _without(scan.ssm, {0, 1, 2, 3})(torch.ones(1, 2, 2, 8)).sum() == 0


def test_a_direction_that_the_model_does_not_read_is_named_with_those_that_it_does():
    with pytest.raises(UserError, match="along 'columns'") as caught:
        knocked_out(model_of(scan_directions="two"), ["columns"])
    assert caught.value.where == ("they read  rows, rows-back",)


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        ({"name": "lavt"}, "model"),
        ({"backbone": "swin"}, "backbone"),
        ({}, "decoder"),
        ({"fusion": FusionSpec(name="in-context")}, "fusion"),
        ({"fusion": FusionSpec(scan_order="channel")}, "fusion"),
    ],
)
def test_a_part_without_spatial_scans_is_refused(spec, place):
    with pytest.raises(UserError, match="no spatial scan"):
        knocked_out(model_of(**spec), ["rows"], place=place)


def test_directions_have_one_order_in_a_spec():
    one, other = (EvaluateSpec(knock_out=k) for k in (("rows", "columns"), ("columns", "rows")))
    assert one == other
    with pytest.raises(ValueError, match="knock_out"):
        EvaluateSpec(knock_out=("diagonals",))
