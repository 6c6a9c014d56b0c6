"""Swin as the backbone: Swin's own numbers, VMamba's shapes, and nothing else of the model."""

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from remamber.models import ModelInputs, build_model, from_pretrained, parameter_counts
from remamber.models._sizes import SIZES
from remamber.models._stages import BACKBONES
from remamber.models._swin import PatchMerging, SwinBlocks, swin_backbone
from remamber.ops import FOUR_WAYS
from remamber.plan.spec import FusionSpec, ModelSpec, StartSpec
from remamber.registry import FUSIONS

TEXTS = ["the red ball on the left", "blue cone"]
STRIDES = (4, 8, 16, 32)
SWIN_B = 86_741_176
"""Parameters of the published Swin-B without its classifier and the norm before it."""

WINDOW_8 = 56 * (2 * 4 + 2 * 8 + 18 * 16 + 2 * 32)
"""More position biases in Swin-B's heads with a window of 8 than with the published 7."""


def build(*, fusion="twister", **more):
    spec = ModelSpec(backbone="swin", fusion=FusionSpec(name=fusion, depth=1), **more)
    return build_model(spec, ModelInputs(TEXTS)).eval()


def encode(model, texts=TEXTS):
    tokens = model.tokenizer(texts)
    return tokens.ids, tokens.mask


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return build()


def test_the_spec_knows_every_backbone_and_vmamba_is_the_default():
    assert set(BACKBONES) == {"vmamba", "swin"} and ModelSpec().backbone == "vmamba"
    with pytest.raises(ValidationError, match="backbone"):
        ModelSpec(backbone="resnet")


def test_vmambas_weights_are_refused_as_a_start():
    start = StartSpec(name="vssm.pth")
    for other in ({"backbone": "swin"}, {"scan_directions": "one"}):
        with pytest.raises(ValidationError, match="start needs the vmamba backbone"):
            ModelSpec(start=start, **other)
    assert ModelSpec(start=start).start == start


@pytest.mark.parametrize("size", [(64, 64), (32, 32), (32, 96), (160, 64)])
def test_maps_have_vmambas_channels_and_strides(model, size):
    with torch.no_grad():
        text = model.encode_text(*encode(model))
        features = model.forward_features(torch.randn(2, 3, *size), text)
    dims = SIZES["tiny"].dims
    expected = [(2, c, size[0] // s, size[1] // s) for c, s in zip(dims, STRIDES, strict=True)]
    assert [tuple(f.shape) for f in features] == expected
    assert all(torch.isfinite(f).all() for f in features)


@pytest.fixture(scope="module")
def swins():
    """Ours without fusions, and transformers' own backbone with the same weights."""
    from transformers import SwinBackbone, SwinConfig

    size = SIZES["tiny"]._replace(dims=(32, 64, 128, 256), depths=(2, 1, 2, 2))
    torch.manual_seed(0)
    ours = swin_backbone(size, directions=FOUR_WAYS, backend="auto")
    for part in ours:
        for value in part.parameters():
            value.data.add_(0.1 * torch.randn_like(value))
    config = SwinConfig(
        embed_dim=32,
        depths=[len(stage.layers) for stage in ours.blocks],
        num_heads=[1, 2, 4, 8],
        window_size=8,
        image_size=256,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    theirs = SwinBackbone(config).eval()
    theirs.hidden_states_norms = nn.ModuleDict(
        {name: nn.Identity() for name in theirs.hidden_states_norms}
    )
    parts = nn.ModuleList([*ours]).eval()
    heads = {"0.0.": "embeddings.patch_embeddings.projection.", "0.1.": "embeddings.norm."}
    for i in range(4):
        heads[f"1.{i}.layers."] = f"encoder.layers.{i}.blocks."
        heads[f"2.{i}."] = f"encoder.layers.{i}.downsample."
    renamed = {}
    for key, value in parts.state_dict().items():
        head = next(h for h in heads if key.startswith(h))
        renamed[f"swin.{heads[head]}{key.removeprefix(head)}"] = value
    missing, surplus = theirs.load_state_dict(renamed, strict=False)
    assert surplus == [] and all(key.startswith("swin.layernorm") for key in missing)
    return ours, theirs


@pytest.mark.parametrize("size", [(256, 256), (64, 96), (160, 32)])
def test_maps_are_those_of_transformers_swin(swins, size):
    ours, theirs = swins
    image = torch.randn(2, 3, *size)
    with torch.no_grad():
        expected = theirs(image).feature_maps
        x, found = ours.patch_embed(image), []
        for i, blocks in enumerate(ours.blocks):
            x = blocks(ours.downsamples[i - 1](x) if i else x)
            found.append(x)
    for one, two in zip(found, expected, strict=True):
        torch.testing.assert_close(one, two, atol=1e-4, rtol=1e-4)


def test_a_small_map_leaves_the_window_as_it_is():
    blocks = SwinBlocks(32, rates=[0.0, 0.0]).eval()
    large, small = torch.randn(1, 32, 16, 16), torch.randn(1, 32, 2, 3)
    with torch.no_grad():
        before = blocks(large)
        blocks(small)
        assert torch.equal(blocks(large), before)


def test_merging_reads_each_position_once():
    merge = PatchMerging(2, 8)
    with torch.no_grad():
        merge.reduction.weight.copy_(torch.eye(8))
    x = torch.randn(1, 2, 4, 6)
    normed = nn.functional.layer_norm(
        x.view(1, 2, 2, 2, 3, 2).permute(0, 2, 4, 5, 3, 1).reshape(1, 2, 3, 8), (8,)
    )
    torch.testing.assert_close(merge(x), normed.permute(0, 3, 1, 2))


def test_base_is_swin_b_and_every_size_is_near_vmambas():
    with torch.device("meta"):
        for name, size in SIZES.items():
            counts = {
                kind: sum(
                    p.numel()
                    for part in make(size, directions=FOUR_WAYS, backend="auto")
                    for p in part.parameters()
                )
                for kind, make in BACKBONES.items()
            }
            assert abs(counts["swin"] / counts["vmamba"] - 1) < 0.07, name
    assert counts == {"vmamba": 87_530_752, "swin": SWIN_B + WINDOW_8}


def test_stochastic_depth_rises_over_all_blocks():
    with torch.device("meta"):
        parts = swin_backbone(SIZES["base"], directions=FOUR_WAYS, backend="auto")
    rates = [getattr(layer.drop_path, "drop_prob", 0.0) for s in parts.blocks for layer in s.layers]
    assert rates == pytest.approx([0.1 * i / 23 for i in range(24)])


def test_everything_but_the_backbone_starts_as_over_vmamba(model):
    spec = ModelSpec(fusion=FusionSpec(depth=1))
    vmamba = build_model(spec, ModelInputs(TEXTS)).state_dict()
    backbone = ("encoder.blocks.", "encoder.patch_embed.", "encoder.downsamples.")
    common = {k for k in vmamba if not k.startswith(backbone)}
    own = model.state_dict()
    assert common == {k for k in own if not k.startswith(backbone)}
    assert {key.split(".")[0] for key in common} == {"text", "encoder", "decoder"}
    assert [key for key in common if not torch.equal(own[key], vmamba[key])] == []


def test_initial_weights_depend_on_the_seed_alone(model):
    state = torch.get_rng_state()
    again = build()
    assert torch.equal(state, torch.get_rng_state())
    own = model.state_dict()
    assert all(torch.equal(value, own[key]) for key, value in again.state_dict().items())
    spec = ModelSpec(backbone="swin", fusion=FusionSpec(depth=1))
    other = build_model(spec, ModelInputs(TEXTS, seed=1)).encoder.blocks[0].layers[0].mlp.fc1.weight
    assert not torch.equal(other, model.encoder.blocks[0].layers[0].mlp.fc1.weight)


def test_initial_weights_are_swins(model):
    """Linear maps and position biases truncated normal 0.02, biases zero."""
    encoder = model.encoder
    drawn = 0
    for name, value in [
        *encoder.blocks.named_parameters(),
        *encoder.downsamples.named_parameters(),
    ]:
        if value.ndim == 2:
            drawn += 1
            assert 0.016 < value.std() < 0.024 and value.abs().max() < 0.1, name
        else:
            assert (value == (1 if "norm" in name and name.endswith("weight") else 0)).all(), name
    assert drawn == sum(7 * len(stage.layers) for stage in encoder.blocks) + 3


def test_no_part_is_left_out_of_the_parts(model):
    counts = parameter_counts(model)
    assert counts.pop("total") == sum(counts.values())


CASES = [*((name, "conv") for name in FUSIONS.names()), ("twister", "mamba")]


@pytest.mark.parametrize(("fusion", "decoder"), CASES)
def test_under_every_fusion_gradients_reach_the_whole_encoder(fusion, decoder):
    model = build(fusion=fusion, decoder=decoder).train()
    image = torch.randn(2, 3, 64, 64, requires_grad=True)
    logits = model(image, *encode(model))
    assert logits.shape == (2, 1, 64, 64)
    (logits * torch.randn_like(logits)).sum().backward()
    assert image.grad.abs().sum() > 0
    # A key's bias adds the same to all scores of a query, so it has no gradient but rounding.
    zero = [
        name
        for name, p in model.encoder.named_parameters()
        if p.grad is None
        or not torch.isfinite(p.grad).all()
        or not (p.grad.any() or name.endswith("k_proj.bias"))
    ]
    assert zero == []


def test_batch_items_are_independent_and_evaluation_is_deterministic(model):
    image, (ids, mask) = torch.randn(2, 3, 64, 96), encode(model)
    with torch.no_grad():
        together = model(image, ids, mask)
        again = model(image, ids, mask)
        alone = [model(image[s], ids[s], mask[s]) for s in (slice(0, 1), slice(1, 2))]
    assert torch.equal(together, again)
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-4)


def test_another_expression_changes_the_mask(model):
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        one, two = (model(image, *encode(model, [text])) for text in TEXTS)
    assert (one - two).abs().max() > 1e-5


def test_mixed_precision_is_finite_and_near(model):
    image, tokens = torch.randn(2, 3, 64, 64), encode(model)
    with torch.no_grad():
        exact = model(image, *tokens)
        with torch.autocast("cpu", torch.bfloat16):
            rough = model(image, *tokens)
    torch.testing.assert_close(rough.float(), exact, atol=0.1, rtol=0.1)


def test_a_stage_compiles_as_one_graph():
    torch._dynamo.reset()
    blocks, x = SwinBlocks(32, rates=[0.0, 0.0]).eval(), torch.randn(2, 32, 16, 8)
    compiled = torch.compile(blocks, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), blocks(x), atol=1e-5, rtol=1e-5)


def test_it_is_saved_and_loaded_like_any_model(model, tmp_path):
    loaded = from_pretrained(model.save_pretrained(tmp_path / "swin"))
    image, tokens = torch.randn(1, 3, 32, 64), encode(model, TEXTS[:1])
    with torch.no_grad():
        assert torch.equal(loaded(image, *tokens), model(image, *tokens))
