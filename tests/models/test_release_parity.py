import csv

import pytest
import torch
from golden import close, golden, golden_path, part
from released import released_state

from remamber.errors import ExitCode, UserError
from remamber.models import from_release
from remamber.models._release import ReleasedReMamber
from remamber.models._release_keys import our_key, released_key
from remamber.models._sizes import SIZES, ReleaseShape
from remamber.tasks._loss import segmentation_loss

STATE = [f"small_state_backbone_{i}" for i in (1, 2, 3)] + ["small_state_decoder_conv"]


@pytest.fixture(scope="module")
def state():
    return {k: v for name in STATE for k, v in golden(f"{name}.safetensors").items()}


@pytest.fixture(scope="module")
def io():
    return golden("small_io_conv_a.safetensors")


def text_of(io):
    return io["in.last_hidden_state"], io["in.pooler_out"], io["in.l_mask"].bool()


@pytest.fixture(scope="module")
def trained(state, io):
    """The released model after one step's forward and backward in training mode."""
    model = from_release(state).train()
    for block in model.modules():
        if hasattr(block, "rate"):
            block.rate = 0.0
    image = io["in.image"].clone().requires_grad_()
    logits = model(image, *text_of(io))
    loss = segmentation_loss(logits, io["in.target"])
    loss.backward()
    return model, image, logits, loss


@pytest.mark.parametrize("backend", ["reference", "auto"])
def test_features_and_logits_equal_the_release(state, io, backend):
    model = from_release(state, backend=backend)
    with torch.no_grad():
        features = model.forward_features(io["in.image"], *text_of(io))
        logits = model(io["in.image"], *text_of(io))
    for i, feature in enumerate(features):
        torch.testing.assert_close(feature, io[f"eval.feat{i}"], atol=3e-5, rtol=0)
        torch.testing.assert_close(feature, io[f"eval64.feat{i}"].float(), atol=3e-5, rtol=0)
    torch.testing.assert_close(logits, io["eval.logits"], atol=3e-6, rtol=0)
    torch.testing.assert_close(logits.double(), io["eval64.logits"], atol=3e-6, rtol=0)


def test_in_float64_the_logits_equal_the_releases_own_in_float64(state, io):
    model = from_release(state).double()
    tokens, pooled, mask = text_of(io)
    with torch.no_grad():
        logits = model(io["in.image"].double(), tokens.double(), pooled.double(), mask)
    torch.testing.assert_close(logits, io["eval64.logits"], atol=1e-8, rtol=0)


def test_without_a_pooled_feature_token_0_stands_in(state, io):
    model = from_release(state)
    tokens, _, mask = text_of(io)
    with torch.no_grad():
        *_, deepest = model.forward_features(io["in.image"], tokens, None, mask)
    torch.testing.assert_close(deepest, io["eval.feat3_pooler_none"], atol=3e-5, rtol=0)


def test_the_mask_changes_nothing(state, io):
    model = from_release(state)
    tokens, pooled, mask = text_of(io)
    with torch.no_grad():
        one = model(io["in.image"], tokens, pooled, mask)
        assert torch.equal(one, model(io["in.image"], tokens, pooled, ~mask))
        assert torch.equal(one, model(io["in.image"], tokens, pooled))


def test_training_loss_and_logits_equal_the_release(trained, io):
    _, _, logits, loss = trained
    torch.testing.assert_close(logits.detach(), io["train.logits"], atol=1e-5, rtol=0)
    assert loss.item() == pytest.approx(io["train64.loss"].item(), abs=1e-6)


def test_gradients_equal_the_release(trained, io):
    model, image, _, _ = trained
    close(image.grad, io["train.grad_image"], io["train64.grad_image"], 1e-4)
    own = dict(model.named_parameters())
    exact = part(io, "train64.grad.")
    for key, expected in part(io, "train.grad.").items():
        gradient = own[our_key(key)].grad
        close(gradient, expected.reshape(gradient.shape), exact[key], 1e-4)


def test_the_norm_of_every_parameters_gradient_equals_the_release(trained):
    model, _, _, _ = trained
    own = dict(model.named_parameters())
    with golden_path("small_gradnorms_conv_a.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {our_key(row["param"]) for row in rows} == set(own)
    largest = max(float(row["l2_f64"]) for row in rows)
    for row in rows:
        exact = float(row["l2_f64"])
        # A bias before a BatchNorm has no gradient: float32 shows its rounding there.
        rounding = 1e-6 * largest
        norm = own[our_key(row["param"])].grad.double().norm().item()
        assert norm == pytest.approx(exact, rel=1e-4, abs=rounding), row["param"]


def test_batch_statistics_after_a_step_equal_the_release(trained, io):
    model, _, _, _ = trained
    own = model.state_dict()
    buffers = part(io, "train.after.")
    assert len(buffers) == 2
    for key, expected in buffers.items():
        torch.testing.assert_close(own[our_key(key)], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("decoder", ["conv", "mamba"])
def test_size_and_decoder_follow_from_the_shapes(decoder):
    state = released_state(decoder)
    model = from_release(state)
    assert (model.shape.decoder, model.shape.text_length, model.shape.depth) == (decoder, 7, 2)
    assert (model.shape.size.dims, model.shape.size.depths) == ((32, 64, 96, 128), (1, 1, 1, 1))
    assert {released_key(k) for k in model.state_dict()} == set(state)
    for key, value in model.state_dict().items():
        assert torch.equal(value, state[released_key(key)]), key


def test_the_given_tensors_are_copied():
    state = released_state()
    model = from_release(state)
    key = "backbone.patch_embed.0.weight"
    before = state[key].clone()
    with torch.no_grad():
        model.get_parameter(our_key(key)).add_(1)
    assert torch.equal(state[key], before)


@pytest.mark.parametrize("size", [(32, 32), (64, 96), (160, 32)])
@pytest.mark.parametrize("decoder", ["conv", "mamba"])
def test_every_size_divisible_by_32_works(decoder, size):
    model = from_release(released_state(decoder))
    with torch.no_grad():
        logits = model(torch.randn(1, 3, *size), torch.randn(1, 7, 24))
    assert logits.shape == (1, 1, *size)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("size", [(80, 80), (64, 33), (0, 32)])
def test_another_size_is_refused_with_the_size_to_pad_to(size):
    model = from_release(released_state())
    with pytest.raises(UserError, match="multiples of 32") as caught:
        model(torch.randn(1, 3, *size), torch.randn(1, 7, 24))
    padded = [max(32, -(-side // 32) * 32) for side in size]
    assert f"{padded[0]} x {padded[1]}" in caught.value.fix[0]


def test_another_number_of_tokens_is_refused():
    model = from_release(released_state())
    with pytest.raises(UserError, match="8 text tokens do not fit released weights for 7"):
        model(torch.randn(1, 3, 32, 32), torch.randn(1, 8, 24))


def test_weights_of_a_text_tower_are_left_aside():
    state = released_state()
    state["text_encoder.text_model.final_layer_norm.weight"] = torch.ones(24)
    assert set(from_release(state).state_dict()) == set(from_release(released_state()).state_dict())


def refused(state):
    with pytest.raises(UserError) as caught:
        from_release(state)
    assert caught.value.exit_code == ExitCode.DAMAGED
    return "\n".join([caught.value.what, *caught.value.where])


def test_a_missing_tensor_is_named():
    state = released_state()
    del state["backbone.layers.2.blocks.0.op.Ds"]
    assert "missing     backbone.layers.2.blocks.0.op.Ds" in refused(state)


def test_a_tensor_too_many_is_named():
    assert "too many    decoder.surplus" in refused(
        released_state() | {"decoder.surplus": torch.ones(3)}
    )


def test_a_renamed_tensor_is_recognised():
    state = released_state()
    state["decoder.mixer2.depthwise.weight"] = state.pop("decoder.mixer2.dwconv.weight")
    message = refused(state)
    assert "decoder.mixer2.depthwise.weight for decoder.mixer2.dwconv.weight?" in message


def test_a_tensor_of_another_shape_is_named_with_both():
    state = released_state()
    state["decoder.neck.8.weight"] = torch.zeros(2, 48, 3, 3)
    assert "decoder.neck.8.weight is 2x48x3x3, not 1x48x3x3" in refused(state)


def test_an_absurd_number_of_blocks_is_no_reason_to_build_them():
    key = "backbone.layers.0.blocks.999999999.norm.weight"
    assert key in refused(released_state() | {key: torch.ones(32)})


def test_weights_that_are_not_numbers_are_refused():
    state = released_state()
    state["decoder.neck.8.bias"] = torch.tensor([float("nan")])
    assert "not finite  decoder.neck.8.bias" in refused(state)


def test_tensors_of_another_model_are_refused():
    assert "do not say the size" in refused({"conv1.weight": torch.zeros(64, 3, 7, 7)})


BASE = {
    "conv": ("ReMamber_Conv", 684, 9_484_545),
    "mamba": ("ReMamber_Mamba", 834, 36_458_305),
}


@pytest.mark.parametrize("decoder", ["conv", "mamba"])
def test_base_size_has_the_released_parameters(decoder):
    _, tensors, in_decoder = BASE[decoder]
    with torch.device("meta"):
        model = ReleasedReMamber(ReleaseShape(SIZES["base"], decoder, 2, 20))
    encoder = model.encoder
    blocks = [layer for fusion in encoder.fusions for layer in fusion.layers]
    assert sum(p.numel() for p in encoder.parameters()) == 122_033_152
    assert sum(p.numel() for p in model.decoder.parameters()) == in_decoder
    assert sum(p.numel() for block in blocks for p in block.parameters()) == 29_110_272
    assert len(model.state_dict()) == tensors


def test_the_clip_text_tower_has_the_released_parameters():
    from transformers import CLIPTextConfig, CLIPTextModel

    config = CLIPTextConfig(
        hidden_size=768,
        intermediate_size=3072,
        projection_dim=768,
        num_hidden_layers=12,
        num_attention_heads=12,
    )
    with torch.device("meta"):
        tower = CLIPTextModel(config)
    assert sum(p.numel() for p in tower.parameters()) == 123_060_480


@pytest.mark.parametrize("decoder", ["conv", "mamba"])
def test_base_size_has_the_released_names_and_shapes(decoder):
    name = BASE[decoder][0]
    with (golden_path("release_state_dict_base.csv")).open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["model"] == name]
    with torch.device("meta"):
        model = ReleasedReMamber(ReleaseShape(SIZES["base"], decoder, 2, 20))
    own = {
        released_key(k): "x".join(map(str, v.shape)) or "scalar"
        for k, v in model.state_dict().items()
    }
    assert own == {row["key"]: row["shape"] for row in rows}
