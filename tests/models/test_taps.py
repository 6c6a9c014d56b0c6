"""Taps of every fusion and ordering: what stands there, and that looking changes nothing."""

import pytest
import torch

from remamber.errors import UserError
from remamber.models import ModelInputs, build_model
from remamber.models._taps import FUSED, chosen_taps, model_taps, watching
from remamber.plan.spec import FusionSpec, ModelSpec, TextSpec
from remamber.plan.tap_names import PLACES
from remamber.registry import FUSIONS, SCAN_ORDERS

TEXTS = ["the red ball on the left", "blue cone"]
CASES = {
    **{name: {"name": name} for name in FUSIONS.names()},
    **{order: {"scan_order": order} for order in SCAN_ORDERS.names()},
    "image-local": {"cube": "image-local"},
    "depth 2": {"depth": 2},
    "ssd": {"spatial_scan": "ssd"},
    "causal": {"channel_scan": "causal"},
    "scan-first": {"name": "attention", "options": {"order": "scan-first"}},
}


def build(**fusion):
    spec = ModelSpec(fusion=FusionSpec(**{"depth": 1, **fusion}), text=TextSpec(length=9))
    return build_model(spec, ModelInputs(TEXTS)).eval()


def run(model, texts=TEXTS):
    tokens = model.tokenizer(texts)
    image = torch.randn(len(texts), 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return model(image, tokens.ids, tokens.mask)


def seen(model, texts=TEXTS):
    taps = model_taps(model)
    with watching(model, taps) as take:
        logits = run(model, texts)
        return logits, take()


@pytest.fixture(scope="module", params=CASES, ids=str)
def model(request):
    return build(**CASES[request.param])


def test_every_tap_of_every_stage_is_seen_and_looking_changes_nothing(model):
    logits, features = seen(model)
    assert torch.equal(logits, run(model))
    taps = model_taps(model)
    assert set(features) == {tap.name for tap in taps}
    assert {tap.stage for tap in taps} == {1, 2, 3, 4}
    places = {tap.place.partition("layer ")[2][2:] or tap.place for tap in taps}
    assert places <= set(PLACES)


def test_nothing_is_left_in_the_model_after_looking(model):
    seen(model)
    for module in model.modules():
        assert not module._forward_hooks and not module._forward_pre_hooks


def test_features_are_channels_by_positions_and_finite(model):
    for name, features in seen(model)[1].items():
        for group in (*features.groups.values(), *features.sources.values()):
            assert group.values.dim() == 3 and group.values.shape[0] == len(TEXTS), name
            assert torch.isfinite(group.values).all()


def test_taps_stand_in_the_order_in_which_features_pass():
    for order in ("channel-spatial", "spatial-channel"):
        model = build(scan_order=order)
        assert list(seen(model)[1]) == [tap.name for tap in model_taps(model)]


def test_the_cube_is_the_normed_parts_and_the_text_the_same_everywhere():
    groups = seen(build())[1]["stage 2 layer 1 cube"].groups
    assert list(groups) == ["image", "text", "local"]
    assert all(group.values.shape == (2, 64, 64) for group in groups.values())
    text = groups["text"].values
    assert torch.equal(text, text[:, :, :1].expand_as(text))
    assert groups["image"].values.std(dim=2).min() > 0


def test_attention_shows_what_asks_as_image_and_what_it_reads_as_local():
    model = build(name="attention")
    caught = []
    module = next(m for m in model.modules() if type(m).__name__ == "CrossAttention")
    hook = module.register_forward_hook(lambda _, given, read: caught.append((given[0], read)))
    groups = seen(model)[1]["stage 1 layer 1 attention"].groups
    hook.remove()
    assert torch.equal(groups["image"].values, caught[0][0].flatten(2))
    assert torch.equal(groups["local"].values, caught[0][1].flatten(2))


def test_after_the_channel_scan_the_groups_are_still_told_apart_if_it_read_the_cube():
    name = "stage 1 layer 1 after channel scan"
    for order in ("channel-spatial", "parallel", "channel"):
        assert set(seen(build(scan_order=order))[1][name].groups) == {"image", "text", "local"}
    assert set(seen(build(scan_order="spatial-channel"))[1][name].groups) == {FUSED}


@torch.no_grad()
def test_an_inner_channel_belongs_to_the_group_that_it_reads_most_of():
    """Against the input projection applied to one group at a time."""
    model = build()
    features = seen(model)[1]
    cube = features["stage 3 layer 1 after channel scan"].groups
    found = features["stage 3 layer 1 after spatial scan"]
    weight = model.encoder.fusions[2].layers[0].scans["spatial"].in_proj.weight
    parts = weight.chunk(3, dim=1)
    energy = torch.stack(
        [
            torch.einsum("ec,bcl->bel", own, group.values).square().mean(2)
            for own, group in zip(parts, cube.values(), strict=True)
        ]
    )
    owners = torch.stack([group.channels for group in found.sources.values()])
    assert torch.equal(owners.int().sum(0), torch.ones_like(owners[0]).int())
    assert torch.equal(owners.int().argmax(0), energy.argmax(0))
    shares = torch.stack(list(found.read.values()))
    torch.testing.assert_close(shares, energy.sum(2) / energy.sum((0, 2)), rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_inner_channels_projected_are_what_the_scan_adds_to_the_image():
    model = build()
    found = seen(model)[1]
    layer = model.encoder.fusions[0].layers[0]
    inner = found["stage 1 layer 1 after spatial scan"].groups[FUSED].values
    added = layer.scans["spatial"].out_proj(inner.transpose(1, 2)).transpose(1, 2)
    cube = found["stage 1 layer 1 cube"].groups["image"].values
    output = found["stage 1 layer 1 output"].groups["image"].values
    # The cube's image is the normed one: what the layer got is only known up to its LayerNorm.
    before = (output - added).unflatten(2, (16, 16))
    torch.testing.assert_close(layer.norm(before).flatten(2), cube, atol=1e-4, rtol=1e-3)


def test_tokens_come_with_the_mask_of_the_real_ones():
    groups = seen(build(name="in-context"))[1]["stage 1 layer 1 before spatial scan"].groups
    lengths = groups["text"].positions.sum(1).tolist()
    assert lengths == [len(text.split()) + 2 for text in TEXTS]


def test_taps_are_chosen_by_words_and_what_a_model_lacks_is_told():
    model = build(scan_order="spatial")
    chosen = chosen_taps(model, ["stage 2", "cube", "after channel scan"])
    assert chosen.lacking == ("after channel scan",)
    assert [tap.stage for tap in chosen.taps if tap.place != "layer 1 cube"] == [2, 2]
    assert len([tap for tap in chosen.taps if tap.place == "layer 1 cube"]) == 4


def test_a_word_that_no_model_has_is_refused():
    with pytest.raises(UserError, match="unknown tap 'cubus'"):
        chosen_taps(build(), ["cubus"])


def test_lavt_shows_picture_and_words_before_one_gates_the_other():
    model = build_model(ModelSpec(name="lavt", text=TextSpec(length=9)), ModelInputs(TEXTS)).eval()
    logits, features = seen(model)
    assert torch.equal(logits, run(model))
    assert list(features["stage 1 before gating"].groups) == ["image", "local"]
    assert list(features["stage 4 output"].groups) == [FUSED]


def test_an_expression_without_a_word_is_looked_at_too():
    for name in FUSIONS.names():
        _, features = seen(build(name=name), ["", "blue cone"])
        for found in features.values():
            assert all(torch.isfinite(group.values).all() for group in found.groups.values())
