"""Interaction and attention maps: what they are, and that looking changes nothing."""

import pytest
import torch

from remamber.errors import ExitCode, UserError
from remamber.fusions import FusionShape
from remamber.fusions.attention import CrossAttention
from remamber.models import ModelInputs, build_model
from remamber.models._lavt_fusion import PixelWordAttention
from remamber.models._maps import TokenMaps, map_places, watching_maps
from remamber.models._text_word import WordTokenizer
from remamber.models._token_words import NO_WORD, token_words
from remamber.plan.map_models import has_maps
from remamber.plan.spec import FusionSpec, ModelSpec
from remamber.registry import FUSIONS

TEXTS = ["the red car", "left one"]
T, D = 7, 24


def stage_of(name, *, release=False):
    """One small stage of a fusion."""
    shape = FusionShape(
        spec=FusionSpec(name=name, depth=1),
        channels=32,
        text_width=D,
        text_length=T,
        channel_grid=4,
        interaction_width=16,
        release=release,
        backend="auto",
        seed="0",
    )
    return FUSIONS.get(name)(shape).eval()


def inputs():
    generator = torch.Generator().manual_seed(0)
    mask = torch.arange(T) < torch.tensor([[4], [7]])
    image = torch.randn(2, 32, 6, 5, generator=generator)
    return image, torch.randn(2, T, D, generator=generator), mask


def model_of(fusion="twister", depth=2, **more):
    spec = ModelSpec(fusion=FusionSpec(name=fusion, depth=depth, **more))
    return build_model(spec, ModelInputs(TEXTS)).eval()


def lavt():
    return build_model(ModelSpec(name="lavt"), ModelInputs(TEXTS)).eval()


def shown(model, places):
    image = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    tokens = model.tokenizer(TEXTS)
    with torch.inference_mode(), watching_maps(model, places) as take:
        return model(image, tokens.ids, tokens.mask), take(), tokens


@pytest.mark.parametrize("make", [model_of, lambda: model_of("attention"), lavt])
def test_looking_changes_nothing_and_leaves_no_hook(make):
    model = make()
    places = map_places(model)
    looked, maps, tokens = shown(model, places)
    plain, none, _ = shown(model, ())
    assert torch.equal(looked, plain) and none == {}
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert list(maps) == [place.name for place in places]
    for place in places:
        side = 64 // (4 * 2 ** (place.stage - 1))
        assert maps[place.name].maps.shape == (2, model.tokenizer.length, side, side)
        assert torch.equal(maps[place.name].mask, tokens.mask)


def test_a_stage_with_several_maps_names_its_layers():
    assert [p.name for p in map_places(model_of())] == [f"stage {s}" for s in (1, 2, 3, 4)]
    names = [p.name for p in map_places(model_of("attention"))]
    assert names[:3] == ["stage 1 layer 1", "stage 1 layer 2", "stage 2 layer 1"]


def test_attention_weights_are_those_that_the_fused_attention_used():
    torch.manual_seed(3)
    attention = CrossAttention(16, text_width=D, width=8, heads=2).double().eval()
    image, text = torch.randn(2, 16, 3, 4).double(), torch.randn(2, T, D).double()
    mask = torch.arange(T) < torch.tensor([[4], [7]])
    maps = attention.interaction_map(image, text, mask)
    assert torch.equal(maps[0, 4:], torch.zeros_like(maps[0, 4:]))
    torch.testing.assert_close(maps.sum(1), torch.ones(2, 3, 4).double())
    # Values that are the same in every head, and a projection that passes the first through.
    with torch.no_grad():
        attention.value_proj.weight.zero_()
        attention.value_proj.weight[::4, 0] = 1.0
        attention.out_proj.weight.zero_()
        attention.out_proj.weight[0, ::4] = 0.5
        read = attention(image, text, mask)[:, 0]
    torch.testing.assert_close(read, torch.einsum("bthw,bt->bhw", maps, text[:, :, 0]))


def test_lavts_weights_are_those_that_gather_the_words():
    torch.manual_seed(4)
    pwam = PixelWordAttention(8, text_width=D).eval()
    image, text = torch.randn(1, 8, 4, 4), torch.randn(1, T, D)
    mask = torch.arange(T)[None] < 5
    with torch.no_grad():
        maps = pwam.interaction_map(image, text, mask)
        gathered = pwam._gathered(image, text, mask)
        expected = torch.einsum("bthw,btc->bchw", maps, pwam.value(text))
    torch.testing.assert_close(gathered, expected)
    assert torch.equal(maps[0, 5:], torch.zeros_like(maps[0, 5:]))


def test_the_map_of_every_token_of_attention_adds_up_to_one_and_a_twisters_does_not():
    for model, is_share in ((model_of("attention"), True), (lavt(), True), (model_of(), False)):
        _, maps, tokens = shown(model, map_places(model))
        sums = maps["stage 1" if "stage 1" in maps else "stage 1 layer 1"].maps.sum((2, 3))
        assert torch.allclose(sums[tokens.mask], torch.tensor(1.0), atol=1e-5) == is_share


def test_padding_has_no_part_in_a_map_even_as_released():
    """The release lets padding into its interaction; what is looked at leaves it out."""
    local = stage_of("twister", release=True).local_interaction
    image, text, mask = inputs()
    maps = TokenMaps(local.interaction_map(image, text, mask), mask)
    assert maps.maps[0, 4:].abs().max() > 0
    everything = torch.ones(mask.shape)
    torch.testing.assert_close(maps.mean(everything)[0], maps.maps[0, :4].mean(0))


def test_an_expression_of_padding_alone_has_a_map_of_zeros():
    for name in ("twister", "attention"):
        fusion = stage_of(name)
        part = next(m for m in fusion.modules() if hasattr(m, "interaction_map"))
        image, text, _ = inputs()
        nothing = torch.zeros(2, T, dtype=torch.bool)
        with torch.no_grad():
            maps = TokenMaps(part.interaction_map(image, text, nothing), nothing)
        assert torch.equal(maps.mean(torch.ones(2, T)), torch.zeros(2, 6, 5))


@pytest.mark.parametrize("fusion", ["in-context", "norm-adaptation"])
def test_a_variant_without_a_map_says_what_has_one(fusion):
    model = model_of(fusion, depth=1)
    assert not has_maps(model.spec)
    with pytest.raises(UserError, match="no interaction or attention map") as caught:
        map_places(model)
    assert caught.value.exit_code is ExitCode.USAGE
    assert "twister attention" in caught.value.fix[0]


def test_a_cube_without_local_features_has_no_map():
    model = model_of(depth=1, cube="image-global")
    assert not has_maps(model.spec)
    assert has_maps(model_of(depth=1).spec) and has_maps(lavt().spec)
    with pytest.raises(UserError, match="image-global"):
        map_places(model)


def test_tokens_are_the_words_that_they_stand_for():
    tokenizer = WordTokenizer(TEXTS, length=6)
    words, places = token_words(tokenizer, "The red-car, unknown too much")
    assert words == ("the", "red", "car", "unknown")
    assert places == (NO_WORD, 0, 1, 2, 3, NO_WORD)
    assert token_words(tokenizer, "") == ((), (NO_WORD,) * 6)
