"""Every option of every variant does what it says and keeps the variant's promises."""

import pytest
import torch
from fusion_cases import C, build, inputs, shape_of

from remamber.errors import UserError
from remamber.fusions._budget import parameter_count
from remamber.registry import FUSIONS

OTHER = {
    "attention": {
        "order": "scan-first",
        "head_channels": 8,
        "image_positions": False,
        "text_positions": False,
        "width": 2.0,
    },
    "in-context": {
        "text_place": "first-in-forward",
        "keep_text": False,
        "image_positions": False,
        "text_positions": False,
        "width": 2.0,
    },
    "norm-adaptation": {"hidden": 1.0, "zero_start": True, "width": 2.0},
}
CASES = [(name, option) for name, options in OTHER.items() for option in options]


def built(name, **options):
    spec = shape_of(name, depth=2).spec.model_copy(update={"options": options})
    return build(name, depth=2, spec=spec)


def grown(fusion):
    """Away from the first weights, where positions and modulation are next to nothing."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in fusion.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return fusion


def test_every_declared_option_is_tried_here():
    for name in FUSIONS.names():
        assert OTHER.get(name, {}).keys() == FUSIONS.options(name).keys()


@pytest.mark.parametrize(("name", "option"), CASES)
def test_an_option_changes_the_output(name, option):
    image, *text = inputs()
    usual, other = built(name), built(name, **{option: OTHER[name][option]})
    assert not torch.allclose(grown(usual)(image, *text), grown(other)(image, *text), atol=1e-4)


@pytest.mark.parametrize(("name", "option"), CASES)
def test_with_any_option_padding_changes_nothing_and_the_text_matters(name, option):
    fusion = grown(built(name, **{option: OTHER[name][option]}))
    image, text, mask, pooled = inputs()
    before = fusion(image, text, mask, pooled)
    padded = text + 5 * (~mask).unsqueeze(2)
    torch.testing.assert_close(fusion(image, padded, mask, pooled), before)
    assert not torch.allclose(fusion(image, text.flip(2), mask, pooled.flip(1)), before, atol=1e-3)


@pytest.mark.parametrize(("name", "option"), CASES)
def test_with_any_option_every_parameter_gets_a_gradient(name, option):
    fusion = grown(built(name, **{option: OTHER[name][option]}))
    image, *text = inputs()
    fusion(image, *text).square().sum().backward()
    without = [n for n, p in fusion.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@pytest.mark.parametrize("name", OTHER)
def test_a_width_is_a_multiple_of_the_channels_and_zero_fits_the_budget(name):
    one, two, fitted = (parameter_count(built(name, width=w)) for w in (1.0, 2.0, 0.0))
    assert one < two
    assert fitted == parameter_count(built(name))


def test_heads_are_as_wide_as_the_option_says():
    layer = built("attention", head_channels=8).layers[0]
    assert layer.attention.heads == C // 8


def test_scale_and_shift_can_start_at_zero():
    usual, zero = built("norm-adaptation"), built("norm-adaptation", zero_start=True)
    image, text, mask, pooled = inputs()
    other = 2 * pooled
    assert torch.equal(zero(image, text, mask, pooled), zero(image, text, mask, other))
    assert not torch.equal(usual(image, text, mask, pooled), usual(image, text, mask, other))


@pytest.mark.parametrize("name", FUSIONS.names())
def test_an_option_that_a_variant_has_not_is_refused(name):
    with pytest.raises(UserError, match="unknown option"):
        built(name, nothing=1)
