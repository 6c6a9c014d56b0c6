import pytest
import torch

from remamber.models import ModelInputs, build_model, parameter_counts
from remamber.plan.spec import FusionSpec, ModelSpec, TextSpec
from remamber.registry import FUSIONS, SCAN_ORDERS

TEXTS = ["the red ball on the left", "blue cone", "man with a hat"]
ORDERS = SCAN_ORDERS.names()
CUBES = ["image-global-local", "image-global", "image-local"]


def build(order="channel-spatial", *, cube="image-global-local", fusion="twister", seed=0, **spec):
    settings = FusionSpec(name=fusion, scan_order=order, cube=cube)
    model = build_model(ModelSpec(fusion=settings, **spec), ModelInputs(TEXTS, seed=seed))
    return model.eval()


def encode(model, texts):
    tokens = model.tokenizer(texts)
    return tokens.ids, tokens.mask


@pytest.fixture(scope="module", params=ORDERS)
def model(request):
    torch.manual_seed(0)
    return build(request.param)


@pytest.mark.parametrize("size", [(64, 64), (32, 96)])
def test_logits_have_the_inputs_resolution(model, size):
    with torch.no_grad():
        logits = model(torch.randn(2, 3, *size), *encode(model, TEXTS[:2]))
    assert logits.shape == (2, 1, *size)
    assert torch.isfinite(logits).all()


def test_features_have_strides_4_to_32(model):
    with torch.no_grad():
        text = model.encode_text(*encode(model, TEXTS[:1]))
        features = model.forward_features(torch.randn(1, 3, 64, 64), text)
    shapes = [tuple(f.shape[1:]) for f in features]
    assert shapes == [(32, 16, 16), (64, 8, 8), (96, 4, 4), (128, 2, 2)]


def test_another_expression_changes_the_mask(model):
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        one = model(image, *encode(model, ["the red ball"]))
        two = model(image, *encode(model, ["blue cone"]))
    assert (one - two).abs().max() > 1e-5


def test_padding_changes_nothing(model):
    """Whatever stands in a padding token's features, the logits stay the same to the bit."""
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        text = model.encode_text(*encode(model, ["blue cone"]))
        other = torch.where(text.mask.unsqueeze(-1), text.tokens, torch.randn_like(text.tokens))
        assert (other != text.tokens).any()
        one = model.segment(image, text)
        two = model.segment(image, text._replace(tokens=other))
    assert torch.equal(one, two)


def test_release_mode_lets_padding_in():
    model = build(release=True)
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        text = model.encode_text(*encode(model, ["blue cone"]))
        other = torch.where(text.mask.unsqueeze(-1), text.tokens, text.tokens + 1)
        assert not torch.equal(
            model.segment(image, text), model.segment(image, text._replace(tokens=other))
        )


def test_batch_items_are_independent(model):
    images = torch.randn(3, 3, 64, 64)
    ids, mask = encode(model, TEXTS)
    with torch.no_grad():
        together = model(images, ids, mask)
        singles = [slice(i, i + 1) for i in range(3)]
        alone = torch.cat([model(images[s], ids[s], mask[s]) for s in singles])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


INERT = ".k_proj.bias"
"""Adds the same to every score of a query, which the softmax takes out: rounding at most."""


def test_gradients_reach_every_parameter_and_the_image(model):
    image = torch.randn(2, 3, 64, 64, requires_grad=True)
    model.train()
    logits = model(image, *encode(model, TEXTS[:2]))
    (logits * torch.randn_like(logits)).sum().backward()
    model.eval()
    gradients = {name: p.grad for name, p in model.named_parameters()}
    model.zero_grad(set_to_none=True)
    assert image.grad.abs().amax(dim=(1, 2, 3)).min() > 0
    assert [n for n, g in gradients.items() if g is None or not torch.isfinite(g).all()] == []
    unmoved = [n for n, g in gradients.items() if g.abs().max() == 0 and not n.endswith(INERT)]
    assert unmoved == []


def test_evaluation_is_deterministic(model):
    image, tokens = torch.randn(2, 3, 64, 64), encode(model, TEXTS[:2])
    with torch.no_grad():
        assert torch.equal(model(image, *tokens), model(image, *tokens))


def test_parts_hold_every_parameter_once(model):
    counts = parameter_counts(model)
    assert counts.pop("total") == sum(counts.values()) == sum(p.numel() for p in model.parameters())


def test_parts_that_orderings_share_start_equal():
    full = dict(build("parallel").named_parameters())
    for order in ORDERS:
        for name, value in build(order).named_parameters():
            assert torch.equal(value, full[name]), f"{order}: {name}"


def test_another_seed_gives_other_weights():
    one, two = build(seed=0), build(seed=1)
    name = "encoder.fusions.0.layers.0.scans.spatial.in_proj.weight"
    assert not torch.equal(one.get_parameter(name), two.get_parameter(name))


def test_building_leaves_the_global_generator_alone():
    state = torch.get_rng_state()
    build()
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("cube", CUBES)
def test_a_row_of_table_4_builds_only_what_it_uses(cube):
    model = build(cube=cube)
    fusion = model.encoder.fusions[0]
    assert (fusion.global_interaction is not None) == ("global" in cube)
    assert (fusion.local_interaction is not None) == ("local" in cube)
    with torch.no_grad():
        model(torch.randn(1, 3, 32, 32), *encode(model, TEXTS[:1]))


def test_declared_taps_exist():
    for name in FUSIONS.names():
        fusion = build(fusion=name).encoder.fusions[0]
        assert fusion.taps
        for tap in fusion.taps.values():
            fusion.get_submodule(tap.path)


RELEASED = {
    "channel-spatial": 29_110_272,
    "spatial": 25_313_280,
    "channel": 12_160_512,
    "parallel": 37_466_112,
    "spatial-channel": 29_110_272,
}
"""Parameters of the Twister layers at the base size: the release, and its parts put together."""


@pytest.mark.parametrize("order", ORDERS)
def test_base_size_has_the_parameters_of_the_release(order):
    with torch.device("meta"):
        model = build(order, size="base", text=TextSpec(length=20))
    counts = parameter_counts(model)
    assert counts["fusion"] == RELEASED[order]
    assert counts["decoder"] == 9_484_545
    assert counts["interaction"] == 1_476_480 + 3_915_648
    backbone = counts["backbone"] + counts["interaction"] + counts["fusion"]
    assert backbone == 122_033_152 - 29_110_272 + RELEASED[order]


def test_tokenizer_counts_what_it_loses():
    tokenizer = build(text=TextSpec(length=5)).tokenizer
    tokens = tokenizer(["red ball", "red zebra ball left", ""])
    assert (tokens.truncated, tokens.unknown, tokens.words) == (1, 1, 6)
    assert tokens.mask.sum(1).tolist() == [4, 5, 2]


def test_an_empty_expression_is_allowed(model):
    with torch.no_grad():
        assert torch.isfinite(model(torch.randn(1, 3, 32, 32), *encode(model, [""]))).all()
