"""What every fusion variant on the shelf promises; a new one is tested by being there."""

import pytest
import torch
from fusion_cases import build, inputs, shape_of

from remamber.fusions._budget import parameter_count, twisting_budget
from remamber.models._sizes import SIZES
from remamber.registry import FUSIONS

TOLERANCE = 0.05
"""How far a variant's parameters may be from the Twisting layers'."""


@pytest.fixture(scope="module", params=FUSIONS.names())
def name(request):
    return request.param


@pytest.fixture(scope="module", params=[1, 2], ids="depth{}".format)
def depth(request):
    return request.param


@pytest.fixture(scope="module")
def fusion(name, depth):
    return build(name, depth=depth)


@pytest.mark.parametrize("size", [(4, 4), (1, 1), (5, 7), (2, 9)])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_shape_and_dtype_are_kept_at_any_size(fusion, size, memory_format):
    image, *text = inputs(size)
    with torch.no_grad():
        out = fusion(image.to(memory_format=memory_format), *text)
        same = fusion(image, *text)
    assert out.shape == image.shape and out.dtype == image.dtype
    assert torch.isfinite(out).all()
    torch.testing.assert_close(out, same, atol=1e-5, rtol=1e-5)


def test_float64_is_kept_and_near(name):
    fusion = build(name)
    image, text, mask, pooled = inputs()
    with torch.no_grad():
        out = fusion(image, text, mask, pooled)
        exact = fusion.double()(image.double(), text.double(), mask, pooled.double())
    assert exact.dtype == torch.float64
    torch.testing.assert_close(out.double(), exact, atol=1e-4, rtol=1e-4)


def test_the_image_passes_through_a_residual(fusion):
    """What is added is small against a large image: the map itself is carried on."""
    image, *text = inputs()
    with torch.no_grad():
        out = fusion(1e4 * image, *text)
    torch.testing.assert_close(out, 1e4 * image, rtol=0.05, atol=100.0)


def test_another_expression_changes_the_output_everywhere(fusion):
    image, text, mask, pooled = inputs()
    other, other_pooled = text + 0.5 * torch.randn_like(text), pooled + torch.randn_like(pooled)
    with torch.no_grad():
        change = fusion(image, text, mask, pooled) - fusion(image, other, mask, other_pooled)
    assert (change.abs().amax(dim=1) > 1e-7).all()


def test_padding_changes_nothing(fusion):
    """Whatever stands in a padding token's features, the output stays the same to the bit."""
    image, text, mask, pooled = inputs()
    other = torch.where(mask.unsqueeze(-1), text, 100 * torch.randn_like(text))
    assert (other != text).any()
    with torch.no_grad():
        one, two = fusion(image, text, mask, pooled), fusion(image, other, mask, pooled)
    assert torch.equal(one, two)


def test_a_real_token_more_is_not_padding(name):
    """The mask is read where the tokens are: a variant that reads none of them says so here."""
    fusion = build(name)
    image, text, mask, pooled = inputs()
    all_real = torch.ones_like(mask)
    with torch.no_grad():
        change = fusion(image, text, mask, pooled) - fusion(image, text, all_real, pooled)
        reads = fusion(image, text, mask, pooled) - fusion(image, -text, mask, pooled)
    assert bool(change[0].abs().max() > 0) == bool(reads[0].abs().max() > 0)
    assert not change[1].any()


def test_batch_items_are_independent(fusion):
    image, text, mask, pooled = inputs()
    with torch.no_grad():
        together = fusion(image, text, mask, pooled)
        alone = [fusion(image[s], text[s], mask[s], pooled[s]) for s in (slice(0, 1), slice(1, 2))]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-5)


def test_gradients_reach_image_text_and_every_parameter(fusion):
    image, text, mask, pooled = inputs()
    sources = [t.requires_grad_() for t in (image, text, pooled)]
    weight = torch.randn(image.shape)
    (fusion(image, text, mask, pooled) * weight).sum().backward()
    assert image.grad.abs().sum() > 0
    assert sum(s.grad.abs().sum() for s in sources[1:] if s.grad is not None) > 0
    zero = [
        n
        for n, p in fusion.named_parameters()
        if p.grad is None or not torch.isfinite(p.grad).all() or not p.grad.any()
    ]
    fusion.zero_grad(set_to_none=True)
    assert zero == []


def test_evaluation_is_deterministic(fusion):
    given = inputs()
    with torch.no_grad():
        assert torch.equal(fusion(*given), fusion(*given))


def test_declared_taps_exist_and_are_called(fusion):
    heard = []
    hooks = [
        fusion.get_submodule(tap.path).register_forward_hook(lambda *_, name=n: heard.append(name))
        for n, tap in fusion.taps.items()
    ]
    with torch.no_grad():
        fusion(*inputs())
    for hook in hooks:
        hook.remove()
    assert heard and set(heard) == set(fusion.taps)


def test_every_parameter_belongs_to_a_named_part(fusion):
    """The optimiser and the table find parameters through the children, each once."""
    in_children = sum(parameter_count(child) for child in fusion.children())
    assert in_children == parameter_count(fusion) > 0


@pytest.mark.parametrize("size", SIZES)
def test_the_parameter_budget_is_kept(name, depth, size):
    """All stages together are within 5 % of the Twisting layers; interactions apart."""
    sizes = SIZES[size]
    total = budget = 0
    for channels in sizes.dims:
        shape = shape_of(
            name,
            depth=depth,
            channels=channels,
            text_width=sizes.text_width,
            text_length=20,
            channel_grid=sizes.channel_grid,
            interaction_width=sizes.interaction_width,
            dims=sizes.dims,
        )
        with torch.device("meta"):
            fusion = FUSIONS.get(name)(shape)
        children = fusion.named_children()
        total += sum(parameter_count(m) for n, m in children if not n.endswith("interaction"))
        budget += twisting_budget(shape)
    if size == "base" and depth == 2:
        assert budget == 29_110_272, "the released Twisting layers"
    assert abs(total / budget - 1) < TOLERANCE, f"{total:,} of {budget:,}"


def test_initial_weights_depend_on_the_seed_alone(name):
    state = torch.get_rng_state()
    one = dict(build(name).named_parameters())
    assert torch.equal(state, torch.get_rng_state()), "the global generator was used"
    torch.manual_seed(7)
    same, other = build(name), build(name, seed="1")
    assert all(torch.equal(p, one[n]) for n, p in same.named_parameters())
    assert any(not torch.equal(p, one[n]) for n, p in other.named_parameters())


def test_bf16_autocast_is_finite_and_near(fusion):
    given = inputs()
    with torch.no_grad():
        exact = fusion(*given)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = fusion(*given)
    assert torch.isfinite(rough).all()
    torch.testing.assert_close(rough.float(), exact, atol=0.15, rtol=0.1)


def test_torch_compile_gives_the_same(name):
    fusion = build(name)
    given = inputs()
    torch._dynamo.reset()
    compiled = torch.compile(fusion, backend="aot_eager")
    for t in (given[0], given[1], given[3]):
        t.requires_grad_()
    expected = fusion(*given)
    (wanted,) = torch.autograd.grad(expected.square().sum(), given[0])
    out = compiled(*given)
    (got,) = torch.autograd.grad(out.square().sum(), given[0])
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(got, wanted, atol=1e-4, rtol=1e-4)
