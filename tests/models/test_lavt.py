"""LAVT: the published model's numbers and formulas, and the contract of every model."""

import pytest
import torch
from published_lavt import published_lavt
from text_folders import FOLDER, WRITE
from torch import nn
from torch.nn import functional as F

from remamber.errors import UserError
from remamber.models import ModelInputs, build_model, from_pretrained, parameter_counts
from remamber.models._lavt_decoder import LavtDecoder
from remamber.models._lavt_fusion import InstanceNorm, LanguageGate, PixelWordAttention
from remamber.models._lavt_sizes import LAVT_SIZES
from remamber.plan.spec import ModelSpec, TextSpec

TEXTS = ["the red ball on the left", "blue cone", ""]
INERT = (".k_proj.bias", ".key.bias")
"""Add the same to every score of a query, which the softmax takes out: rounding at most."""


def build(*, seed=0, root=None, **spec):
    return build_model(ModelSpec(name="lavt", **spec), ModelInputs(TEXTS, seed=seed, root=root))


def encode(model, texts=TEXTS):
    tokens = model.tokenizer(texts)
    return tokens.ids, tokens.mask


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return build().eval()


def test_base_has_the_published_parameters_part_by_part():
    assert parameter_counts(published_lavt()) == {
        "total": 227_739_514,
        "backbone": 86_876_536,
        "fusion": 8_531_200,
        "gates": 2_785_280,
        "norms": 3_840,
        "decoder": 20_651_010,
        "text": 108_891_648,
    }


def test_small_has_swin_t():
    with torch.device("meta"):
        counts = parameter_counts(build(size="small"))
    assert counts["backbone"] == 27_517_818, "28,288,354 with classifier and last norm, less those"


def test_parts_hold_every_parameter_once(model):
    counts = parameter_counts(model)
    assert counts.pop("total") == sum(counts.values()) == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("size", [(64, 64), (32, 32), (32, 160), (96, 64)])
def test_logits_have_the_inputs_resolution(model, size):
    with torch.no_grad():
        text = model.encode_text(*encode(model))
        image = torch.randn(3, 3, *size)
        logits, features = model.segment(image, text), model.forward_features(image, text)
    assert logits.shape == (3, 1, *size) and torch.isfinite(logits).all()
    dims = LAVT_SIZES["tiny"].dims
    assert [tuple(f.shape[1:]) for f in features] == [
        (c, size[0] // s, size[1] // s) for c, s in zip(dims, (4, 8, 16, 32), strict=True)
    ]


def test_a_side_that_32_does_not_divide_is_refused(model):
    with pytest.raises(UserError, match="multiples of 32"):
        model(torch.randn(1, 3, 64, 48), *encode(model, TEXTS[:1]))


def test_padding_changes_nothing(model):
    """Whatever stands in a padding token's features, the logits stay the same to the bit."""
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        text = model.encode_text(*encode(model, ["blue cone"]))
        other = torch.where(
            text.mask.unsqueeze(-1), text.tokens, 100 * torch.randn(text.tokens.shape)
        )
        assert (other != text.tokens).any()
        one = model.segment(image, text)
        two = model.segment(image, text._replace(tokens=other, pooled=text.pooled + 1))
        short = int(text.mask.sum())
        cut = text._replace(tokens=text.tokens[:, :short], mask=text.mask[:, :short])
        three = model.segment(image, cut)
    assert torch.equal(one, two)
    torch.testing.assert_close(one, three, atol=1e-5, rtol=1e-5)


def test_another_expression_changes_the_mask(model):
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        one, two = (model(image, *encode(model, [text])) for text in TEXTS[:2])
    assert (one - two).abs().max() > 1e-5


def test_batch_items_are_independent_and_evaluation_is_deterministic(model):
    image, (ids, mask) = torch.randn(3, 3, 64, 96), encode(model)
    with torch.no_grad():
        together, again = model(image, ids, mask), model(image, ids, mask)
        singles = [slice(i, i + 1) for i in range(3)]
        alone = torch.cat([model(image[s], ids[s], mask[s]) for s in singles])
    assert torch.equal(together, again)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_gradients_reach_the_image_and_every_parameter_but_the_last_gate():
    model = build().train()
    image = torch.randn(2, 3, 64, 64, requires_grad=True)
    logits = model(image, *encode(model, TEXTS[:2]))
    (logits * torch.randn_like(logits)).sum().backward()
    assert image.grad.abs().amax(dim=(1, 2, 3)).min() > 0
    unmoved = [
        name
        for name, p in model.named_parameters()
        if p.grad is None or not torch.isfinite(p.grad).all() or not p.grad.any()
    ]
    gate = [f"encoder.gates.3.{layer}.weight" for layer in ("first", "second")]
    assert [name for name in unmoved if not name.endswith(INERT)] == gate


def test_mixed_precision_is_finite_and_near(model):
    image, tokens = torch.randn(2, 3, 64, 64), encode(model, TEXTS[:2])
    with torch.no_grad():
        exact = model(image, *tokens)
        with torch.autocast("cpu", torch.bfloat16):
            rough = model(image, *tokens)
    torch.testing.assert_close(rough.float(), exact, atol=0.05, rtol=0.05)


def test_initial_weights_depend_on_the_seed_alone(model):
    state = torch.get_rng_state()
    again, other = build(), build(seed=1)
    assert torch.equal(state, torch.get_rng_state())
    own = model.state_dict()
    assert all(torch.equal(value, own[key]) for key, value in again.state_dict().items())
    for key in ("blocks.0.layers.0.mlp.fc1.weight", "fusions.0.query.weight"):
        assert not torch.equal(other.encoder.get_parameter(key), model.encoder.get_parameter(key))


def test_it_is_saved_and_loaded_like_any_model(model, tmp_path):
    loaded = from_pretrained(model.save_pretrained(tmp_path / "lavt"))
    assert loaded.spec == model.spec
    image, tokens = torch.randn(1, 3, 32, 64), encode(model, TEXTS[:1])
    with torch.no_grad():
        assert torch.equal(loaded(image, *tokens), model(image, *tokens))


def test_bert_has_no_pooler_and_other_models_keep_theirs(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    WRITE["bert"](tmp_path / FOLDER["bert"])
    text = TextSpec(name="bert", length=8)
    model = build(root=tmp_path, text=text)
    other = build_model(ModelSpec(text=text), ModelInputs(TEXTS, root=tmp_path))
    assert other.text.tower.pooler is not None and model.text.tower.pooler is None
    with torch.no_grad():
        features = model.eval().encode_text(*encode(model))
        assert torch.equal(features.pooled, features.tokens[:, 0])
        image = torch.randn(3, 3, 32, 32)
        logits = model(image, *encode(model))
        assert torch.isfinite(logits).all()
        again = from_pretrained(model.save_pretrained(tmp_path / "alone"))
        assert torch.equal(again(image, *encode(again)), logits), "with no folder of BERT"


def test_pixel_word_attention_follows_its_formula():
    """Against the published model's own operations: Conv1d, InstanceNorm1d, scores less 10,000."""
    c, d, t, size = 32, 24, 5, (6, 10)
    pwam = PixelWordAttention(c, text_width=d).double()
    image, text = torch.randn(2, c, *size).double(), torch.randn(2, t, d).double()
    mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], dtype=torch.bool)

    def conv(linear, x):
        return F.conv1d(x, linear.weight.unsqueeze(2), linear.bias)

    norm, m = nn.InstanceNorm1d(c), mask.unsqueeze(1).double()
    x, words = image.flatten(2), text.transpose(1, 2)
    query = norm(conv(pwam.query, x)).transpose(1, 2)
    scores = c**-0.5 * query @ (conv(pwam.key, words) * m) + (1e4 * m - 1e4)
    gathered = scores.softmax(dim=2) @ (conv(pwam.value, words) * m).transpose(1, 2)
    out = norm(conv(pwam.out, gathered.transpose(1, 2)))
    expected = F.gelu(conv(pwam.gated.linear, F.gelu(conv(pwam.visual, x)) * out))
    torch.testing.assert_close(pwam(image, text, mask), expected.unflatten(2, size))


def test_an_expression_without_a_word_gathers_nothing():
    pwam, image = PixelWordAttention(8, text_width=4), torch.randn(1, 8, 4, 4)
    none, text = torch.zeros(1, 3, dtype=torch.bool), torch.randn(1, 3, 4)
    with torch.no_grad():
        assert torch.equal(pwam(image, text, none), pwam(image, text + 1, none))
        assert torch.isfinite(pwam(image, text, none)).all()


def test_a_single_position_normalises_to_nothing():
    assert not InstanceNorm()(torch.randn(2, 4, 1, 1)).any()
    x = torch.randn(2, 4, 3, 5)
    torch.testing.assert_close(InstanceNorm()(x), F.instance_norm(x))


def test_the_gate_follows_its_formula():
    gate, fused = LanguageGate(6), torch.randn(2, 6, 3, 5)
    last = fused.permute(0, 2, 3, 1)
    weights = torch.tanh(F.relu(last @ gate.first.weight.T) @ gate.second.weight.T)
    torch.testing.assert_close(gate(fused), (weights * last).permute(0, 3, 1, 2))


def test_logits_are_the_difference_of_two_classes():
    decoder = LavtDecoder((4, 6, 8, 10), width=12).eval()
    maps = [torch.randn(2, c, 16 >> i, 8 >> i) for i, c in enumerate((4, 6, 8, 10))]
    with torch.no_grad():
        seen = []
        decoder.head.register_forward_hook(lambda *given: seen.append(given[-1]))
        logits = decoder(maps)
    classes = seen[0]
    assert classes.shape == (2, 2, 16, 8) and logits.shape == (2, 1, 16, 8)
    torch.testing.assert_close(logits[:, 0].sigmoid(), classes.softmax(dim=1)[:, 1])
    assert torch.equal(logits[:, 0] > 0, classes.argmax(dim=1) == 1)


def test_a_stages_fused_features_reach_the_decoder_and_gated_the_next_stage(model):
    seen = {}
    encoder = model.encoder
    hooks = [
        part[0].register_forward_hook(
            lambda _, given, out, key=key: seen.update({key: (given, out)})
        )
        for key, part in {
            "blocks": encoder.blocks,
            "fused": encoder.fusions,
            "gate": encoder.gates,
        }.items()
    ]
    hooks.append(
        encoder.downsamples[0].register_forward_hook(
            lambda _, given, out: seen.update(down=(given, out))
        )
    )
    with torch.no_grad():
        features = model.forward_features(
            torch.randn(1, 3, 64, 64), model.encode_text(*encode(model, TEXTS[:1]))
        )
        assert torch.equal(features[0], encoder.norms[0](seen["fused"][1]))
    for hook in hooks:
        hook.remove()
    assert torch.equal(seen["down"][0][0], seen["blocks"][1] + seen["gate"][1])
    assert torch.equal(seen["gate"][0][0], seen["fused"][1])


def test_declared_taps_exist(model):
    for fusion in model.encoder.fusions:
        for tap in fusion.taps.values():
            fusion.get_submodule(tap.path)
