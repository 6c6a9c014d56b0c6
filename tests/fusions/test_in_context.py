"""The text in front of the image: in every direction, and as if the padding were not there."""

import copy

import pytest
import torch
from fusion_cases import build, inputs, shape_of

from remamber.fusions._prefix_ssm import PrefixSSM
from remamber.fusions.in_context import Context
from remamber.layers.ssm import SelectiveSSM
from remamber.ops.cross_scan import BACKWARD

E, T, L = 8, 3, 5


def ssms():
    """Ours, and the plain scan of each of its ways, with the same parameters."""
    prefixed = PrefixSSM(E, dt_rank=2)
    state = prefixed.state_dict()
    ways = []
    for k in range(2):
        plain = SelectiveSSM(E, dt_rank=2, directions=(0,))
        part = {
            n: v[k * E :][:E] if n in ("A_logs", "Ds") else v[k : k + 1] for n, v in state.items()
        }
        plain.load_state_dict(part)
        ways.append(plain)
    return prefixed, ways


def read(plain, words, sequence):
    """One long sequence, the text first: what the plain scan says at the text and behind it."""
    y = plain(torch.cat([words, sequence], dim=1).unsqueeze(1)).squeeze(1)
    return y[:, : words.shape[1]], y[:, words.shape[1] :]


@pytest.mark.parametrize("length", [0, 1, T])
def test_it_is_two_long_sequences_each_with_the_text_first(length):
    prefixed, (forward, backward) = ssms()
    words, sequence = torch.randn(2, length, E), torch.randn(2, L, E)
    text_forward, there = read(forward, words, sequence)
    text_backward, back = read(backward, words, sequence.flip(1))
    got = prefixed.scan(words, sequence)
    torch.testing.assert_close(got.sequence, there + back.flip(1), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(got.prefix, text_forward + text_backward, atol=1e-6, rtol=1e-5)


def test_its_gradients_are_those_of_the_two_long_sequences():
    prefixed, (forward, backward) = ssms()
    given = [torch.randn(2, n, E, requires_grad=True) for n in (T, L)]
    weights = [torch.randn(2, n, E) for n in (T, L)]
    got = prefixed.scan(*given)
    words, sequence = given
    text_forward, there = read(forward, words, sequence)
    text_backward, back = read(backward, words, sequence.flip(1))
    expected = (text_forward + text_backward, there + back.flip(1))
    ours, theirs = (
        torch.autograd.grad(sum((y * w).sum() for y, w in zip(ys, weights, strict=True)), given)
        for ys in (got, expected)
    )
    for one, two in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("place", [0, L - 1])
def test_the_whole_text_enters_at_both_ends(place):
    """The first step of a way has all words in front of it, that of the reversed one too."""
    prefixed, _ = ssms()
    sequence, words = torch.randn(1, L, E), torch.randn(1, T, E, requires_grad=True)
    y = prefixed.scan(words, sequence).sequence[0, place]
    (gradient,) = torch.autograd.grad(y.sum(), words)
    assert (gradient.abs().amax(dim=2) > 0).all()


def test_nothing_of_the_image_enters_the_text():
    prefixed, _ = ssms()
    words = torch.randn(1, T, E)
    one, two = (prefixed.scan(words, torch.randn(1, L, E)).prefix for _ in range(2))
    assert torch.equal(one, two)


def test_zeros_in_front_of_the_prefix_are_as_if_absent():
    prefixed, _ = ssms()
    words, sequence = torch.randn(1, T, E), torch.randn(1, L, E)
    longer = torch.cat([words.new_zeros(1, 4, E), words], dim=1)
    one, two = prefixed.scan(words, sequence), prefixed.scan(longer, sequence)
    torch.testing.assert_close(two.sequence, one.sequence, atol=1e-7, rtol=1e-6)
    assert not two.prefix[:, :4].any()


def test_columns_are_read_as_rows_of_the_transposed_image():
    fusion = build("in-context")
    spatial = fusion.layers[0].spatial
    image, _, mask, _ = inputs((3, 5))
    tokens = torch.randn(2, mask.shape[1], image.shape[1])
    swapped = copy.deepcopy(spatial)
    swapped.rows, swapped.columns = spatial.columns, spatial.rows
    swapped.conv2d.weight.data = spatial.conv2d.weight.data.transpose(2, 3)
    with torch.no_grad():
        one, words = spatial(image, tokens, mask)
        two, same = swapped(image.transpose(2, 3), tokens, mask)
    torch.testing.assert_close(one, two.transpose(2, 3), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(words, same, atol=1e-6, rtol=1e-5)


def test_padded_it_gives_what_the_real_tokens_alone_give():
    """Not only the content of padding changes nothing: neither does its amount."""
    fusion = build("in-context", depth=2)
    image, text, _, pooled = inputs(lengths=(4,))
    mask = torch.tensor([[True] * 4 + [False] * 3])
    with torch.no_grad():
        padded = fusion(image, text, mask, pooled)
        alone = fusion(image, text[:, :4], mask[:, :4], pooled)
    torch.testing.assert_close(padded, alone, atol=1e-6, rtol=1e-5)


def test_words_are_told_apart_by_their_place():
    fusion = build("in-context")
    image, text, mask, pooled = inputs()
    with torch.no_grad():
        change = fusion(image, text, mask, pooled) - fusion(image, text.flip(1), mask, pooled)
    assert change[1].abs().max() > 0


def with_options(**options):
    spec = shape_of("in-context").spec.model_copy(update={"options": options})
    return build("in-context", spec=spec, directions=(BACKWARD,))


@pytest.mark.parametrize(
    ("options", "reached"),
    [
        ({}, True),
        ({"text_place": "first-in-all"}, True),
        ({"text_place": "first-in-forward"}, False),
    ],
)
def test_text_reaches_an_image_read_backward_only_if_it_is_first_there_too(options, reached):
    spatial = with_options(**options).layers[0].spatial
    image, _, mask, _ = inputs((3, 5))
    tokens = torch.randn(2, mask.shape[1], image.shape[1])
    with torch.no_grad():
        change = spatial(image, tokens, mask)[0] - spatial(image, -tokens, mask)[0]
    assert bool(change.any()) == reached


@pytest.mark.parametrize("keep", [True, False])
def test_tokens_pass_a_layer_whose_scan_says_nothing(keep):
    """The residual of the tokens, as the image has it."""
    layer = with_options(keep_text=keep).layers[0]
    torch.nn.init.zeros_(layer.spatial.out_proj.weight)
    image, _, mask, _ = inputs()
    tokens = torch.randn(2, mask.shape[1], image.shape[1])
    context = Context(image, tokens, mask, torch.arange(mask.shape[1]).expand(2, -1))
    with torch.no_grad():
        after = layer(context)
    assert torch.equal(after.tokens, tokens) and torch.equal(after.image, image)
