"""Which spatial scan, and in which directions: chosen in the spec, and nothing else changes."""

from typing import get_args

import pytest
import torch
from fusion_cases import build as build_fusion
from fusion_cases import inputs, shape_of
from pydantic import ValidationError

from remamber.fusions._budget import parameter_count, twisting_budget
from remamber.fusions._prefix_ssm import PrefixSSM
from remamber.fusions.twister import SPATIAL_SCANS
from remamber.layers.dual_scan import DualSSM
from remamber.layers.spatial_scan import SpatialScan
from remamber.layers.ssm import SelectiveSSM
from remamber.models import ModelInputs, build_model, parameter_counts
from remamber.ops import SPATIAL_DIRECTIONS
from remamber.plan.spec import FusionSpec, ModelSpec, RunSpec, TrainSpec
from remamber.registry import FUSIONS

TEXTS = ["the red ball", "blue cone"]
FEWER = {name: ways for name, ways in SPATIAL_DIRECTIONS.items() if name != "four"}


def build(*, spatial_scan="selective", order="channel-spatial", fusion="twister", **more):
    spec = FusionSpec(name=fusion, scan_order=order, spatial_scan=spatial_scan, depth=1)
    return build_model(ModelSpec(fusion=spec, **more), ModelInputs(TEXTS))


def steps(model):
    """Names of the encoder's parameters, and of those that a step of training does not move."""
    tokens = model.tokenizer(TEXTS)
    before = {
        n: p.detach().clone() for n, p in model.named_parameters() if n.startswith("encoder.")
    }
    optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
    logits = model(torch.randn(2, 3, 64, 64), tokens.ids, tokens.mask)
    (logits * torch.randn_like(logits)).sum().backward()
    optimiser.step()
    return set(before), {n for n, p in before.items() if torch.equal(p, model.get_parameter(n))}


def test_every_choice_of_the_spec_is_built_and_the_release_is_the_default():
    scans = get_args(FusionSpec.model_fields["spatial_scan"].annotation)
    ways = get_args(ModelSpec.model_fields["scan_directions"].annotation)
    assert set(scans) == set(SPATIAL_SCANS) and set(ways) == set(SPATIAL_DIRECTIONS)
    assert SPATIAL_SCANS[FusionSpec().spatial_scan] is SpatialScan
    assert ModelSpec().scan_directions == "four"


def test_another_name_is_refused():
    with pytest.raises(ValidationError, match="spatial_scan"):
        FusionSpec(spatial_scan="dual")
    with pytest.raises(ValidationError, match="scan_directions"):
        ModelSpec(scan_directions="three")


def run(**model):
    return RunSpec(model=ModelSpec(**model), train=TrainSpec(steps=1))


def test_each_variant_is_another_run_and_says_so_in_its_name():
    runs = {
        "": run(),
        "causal-": run(fusion=FusionSpec(channel_scan="causal")),
        "ssd-": run(fusion=FusionSpec(spatial_scan="ssd")),
        "one-directions-": run(scan_directions="one"),
        "swin-": run(backbone="swin"),
    }
    assert len({spec.digest for spec in runs.values()}) == len(runs)
    for word, spec in runs.items():
        assert (word in spec.run_id) and (word == "" or word not in runs[""].run_id)
    assert runs[""].run_id.startswith("remamber-tiny-twister-channel-spatial-synth-refcoco-64-s0-")


def test_older_runs_keep_their_hash_and_variants_stand_in_theirs():
    assert not any(
        word in run().canonical() for word in ("scan_directions", "spatial_scan", "backbone")
    )
    assert '"scan_directions":"two"' in run(scan_directions="two").canonical()
    assert '"backbone":"swin"' in run(backbone="swin").canonical()
    assert '"spatial_scan":"ssd"' in run(fusion=FusionSpec(spatial_scan="ssd")).canonical()


def test_every_scan_of_the_model_reads_in_the_directions_of_the_spec():
    for name, ways in SPATIAL_DIRECTIONS.items():
        model = build(scan_directions=name, decoder="mamba")
        found = [
            (path, part.directions)
            for path, part in model.named_modules()
            if isinstance(part, SelectiveSSM) and ".channel." not in path
        ]
        assert {path.split(".")[0] for path, _ in found} == {"encoder", "decoder"}
        assert {directions for _, directions in found} == {ways}


@pytest.mark.parametrize("fusion", FUSIONS.names())
@pytest.mark.parametrize("directions", FEWER)
def test_every_fusion_follows(fusion, directions):
    four = dict(build(fusion=fusion, spatial_scan="selective").named_parameters())
    model = build(fusion=fusion, scan_directions=directions)
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    assert steps(model)[1] == set()
    fitted = set()
    for name in start.keys() & four.keys():
        if start[name].shape == four[name].shape:
            assert torch.equal(start[name], four[name]), name
        else:
            fitted.add(name.split(".")[1])
    assert fitted <= {"blocks", "fusions"}


def test_other_parts_of_the_twister_start_equal_whatever_the_directions():
    four, one = (dict(build(scan_directions=name).named_parameters()) for name in ("four", "one"))
    assert four.keys() == one.keys()
    for name, value in four.items():
        inside = ".ssm." in name and ".channel." not in name
        assert inside == (value.shape != one[name].shape), name
        assert inside or torch.equal(value, one[name]), name


@pytest.mark.parametrize("directions", FEWER)
@pytest.mark.parametrize("fusion", FUSIONS.names())
def test_padding_changes_nothing_and_any_size_works(fusion, directions):
    part = build_fusion(fusion, directions=FEWER[directions])
    for size in [(1, 1), (5, 7)]:
        image, text, mask, pooled = inputs(size)
        other = torch.where(mask.unsqueeze(-1), text, 100 * torch.randn_like(text))
        with torch.no_grad():
            out = part(image, text, mask, pooled)
            assert torch.equal(out, part(image, other, mask, pooled))
        assert out.shape == image.shape and torch.isfinite(out).all()


@pytest.mark.parametrize("directions", FEWER)
@pytest.mark.parametrize("fusion", FUSIONS.names())
def test_the_budget_shrinks_with_the_directions_for_all_alike(fusion, directions):
    shape = shape_of(fusion, channels=128, text_width=96)
    fewer = shape._replace(directions=FEWER[directions])
    budgets = [twisting_budget(s) for s in (shape, fewer)]
    assert budgets[1] < 0.97 * budgets[0]
    part = FUSIONS.get(fusion)(fewer)
    children = part.named_children()
    total = sum(parameter_count(m) for n, m in children if not n.endswith("interaction"))
    assert abs(total / budgets[1] - 1) < 0.05


def test_one_way_of_a_prefixed_scan_is_the_plain_scan_of_text_and_image():
    prefixed, plain = (make(8, dt_rank=2, directions=(0,)) for make in (PrefixSSM, SelectiveSSM))
    plain.load_state_dict(prefixed.state_dict())
    words, sequence = torch.randn(2, 3, 8), torch.randn(2, 5, 8)
    y = plain(torch.cat([words, sequence], dim=1).unsqueeze(1)).squeeze(1)
    found = prefixed.scan(words, sequence)
    torch.testing.assert_close(found.prefix, y[:, :3], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(found.sequence, y[:, 3:], atol=1e-6, rtol=1e-5)


def test_all_but_the_ssm_of_the_spatial_scan_starts_equal():
    released, dual = (dict(build(spatial_scan=name).named_parameters()) for name in SPATIAL_SCANS)
    outside = {n for n in released.keys() ^ dual.keys() if ".scans.spatial.ssm." not in n}
    assert outside == set()
    common = released.keys() & dual.keys()
    differ = {n for n in common if not torch.equal(released[n], dual[n])}
    assert differ and all(".scans.spatial.ssm." in name for name in differ)


def test_only_the_twisters_spatial_scan_is_mamba_2s():
    model = build(spatial_scan="ssd", decoder="mamba")
    found = {path for path, part in model.named_modules() if isinstance(part, DualSSM)}
    assert found == {f"encoder.fusions.{i}.layers.0.scans.spatial.ssm" for i in range(4)}


def test_the_budgets_of_the_base_size_are_within_five_percent():
    counts = {}
    for name in SPATIAL_SCANS:
        spec = ModelSpec(size="base", fusion=FusionSpec(spatial_scan=name))
        with torch.device("meta"):
            counts[name] = parameter_counts(build_model(spec, ModelInputs(TEXTS)))["fusion"]
    assert counts == {"selective": 29_110_272, "ssd": 27_852_192}
    assert abs(counts["ssd"] / counts["selective"] - 1) < 0.05


@pytest.mark.parametrize("order", ["spatial", "channel-spatial", "spatial-channel", "parallel"])
def test_a_step_of_training_moves_every_weight_around_mamba_2s_scan(order):
    names, still = steps(build(spatial_scan="ssd", order=order))
    assert any(".scans.spatial.ssm.dt_bias" in name for name in names)
    assert still == set()
