"""Mamba-2's scan in chunks: held to the recurrence, and to the selective scan with equal decays."""

import pytest
import torch

from remamber.errors import UserError
from remamber.ops import directional_scan, ssd_scan
from remamber.ops.state_space_duality import ssd_scan_by_steps

NAMES = ("u", "delta", "A", "B", "C")


def arguments(length, *, heads=2, width=4, state=5, dtype=torch.float64, decay=3.0, seed=0):
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    def uniform(*shape):
        return torch.rand(*shape, generator=draw, dtype=torch.float64)

    given = (
        normal(2, 3, length, heads, width),
        uniform(2, 3, length, heads),
        -decay * uniform(3, heads),
        normal(2, 3, length, state),
        normal(2, 3, length, state),
    )
    return tuple(t.to(dtype).requires_grad_() for t in given)


def with_gradients(scan, given):
    y = scan(*given)
    weight = torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return y.detach(), *torch.autograd.grad(y, given, weight.to(y.dtype))


@pytest.mark.parametrize("length", [1, 2, 15, 16, 17, 100])
@pytest.mark.parametrize("chunk", [1, 7, 16, 64])
def test_chunks_give_what_the_recurrence_gives_and_its_gradients(length, chunk):
    given = arguments(length)
    found = with_gradients(lambda *a: ssd_scan(*a, chunk=chunk), given)
    expected = with_gradients(ssd_scan_by_steps, given)
    for name, one, two in zip(("y", *NAMES), found, expected, strict=True):
        torch.testing.assert_close(one, two, atol=1e-11, rtol=1e-11, msg=name)


def test_it_is_the_selective_scan_with_one_decay_a_head():
    given = arguments(12)
    u, delta, A, B, C = given
    b, k, length, m, p = u.shape

    def each_channel(t):
        return t.repeat_interleave(p, dim=-1)

    for i in range(k):
        y = directional_scan(
            u[:, i].reshape(b, 1, length, m * p),
            each_channel(delta[:, i]).reshape(b, 1, 1, length, m * p),
            each_channel(A[i]).unsqueeze(1).expand(-1, B.shape[3]),
            B[:, i, None, None],
            C[:, i, None, None],
            directions=(0,),
            backend="reference",
        )
        expected = ssd_scan(*given)[:, i].reshape(y.shape)
        torch.testing.assert_close(y, expected, atol=1e-11, rtol=1e-11)


def test_first_two_steps_are_as_computed_by_hand():
    one = torch.ones(1, 1, 2, 1, 1, dtype=torch.float64)
    delta = torch.tensor([0.5, 0.25], dtype=torch.float64).view(1, 1, 2, 1)
    A = torch.tensor([[-2.0]], dtype=torch.float64)
    B = torch.tensor([3.0, 5.0], dtype=torch.float64).view(1, 1, 2, 1)
    C = torch.tensor([7.0, 11.0], dtype=torch.float64).view(1, 1, 2, 1)
    first = 0.5 * 3.0
    second = torch.exp(torch.tensor(-0.5, dtype=torch.float64)) * first + 0.25 * 5.0
    expected = torch.stack([torch.tensor(7.0 * first), 11.0 * second]).view(1, 1, 2, 1, 1)
    torch.testing.assert_close(ssd_scan(one, delta, A, B, C), expected.double())


def test_gradients_are_those_of_finite_differences():
    given = arguments(5, heads=1, width=2, state=2)
    assert torch.autograd.gradcheck(lambda *a: ssd_scan(*a, chunk=2), given)


@pytest.mark.parametrize("decay", [0.01, 16.0, 80.0])
def test_in_single_precision_strong_decay_costs_no_digits(decay):
    exact = ssd_scan_by_steps(*arguments(512, decay=decay)).detach()
    rough = ssd_scan(*arguments(512, decay=decay, dtype=torch.float32)).detach()
    scale = exact.abs().max()
    torch.testing.assert_close(rough.double() / scale, exact / scale, atol=1e-6, rtol=0)


@pytest.mark.parametrize("changed", [0, 9, 10, 29])
def test_a_step_changes_itself_and_later_ones_only(changed):
    u, *others = arguments(30)
    with torch.no_grad():
        before = ssd_scan(u, *others, chunk=10)
        u[:, :, changed] += 1
        after = ssd_scan(u, *others, chunk=10)
    assert torch.equal(before[:, :, :changed], after[:, :, :changed])
    assert (before[:, :, changed:] != after[:, :, changed:]).flatten(3).any(3).all()


def test_samples_and_sequences_are_independent():
    given = arguments(20)
    whole = ssd_scan(*given)
    u, delta, A, B, C = (t.detach() for t in given)
    one = ssd_scan(u[1:, 2:], delta[1:, 2:], A[2:], B[1:, 2:], C[1:, 2:])
    torch.testing.assert_close(whole[1:, 2:], one, atol=1e-12, rtol=1e-12)


def test_it_compiles_as_one_graph():
    torch._dynamo.reset()
    given = arguments(40, dtype=torch.float32)
    compiled = torch.compile(ssd_scan, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(*given, chunk=8), ssd_scan(*given, chunk=8))


@pytest.mark.parametrize("name", NAMES)
def test_a_shape_that_does_not_fit_is_refused_by_name(name):
    given = dict(zip(NAMES, arguments(6), strict=True))
    given[name] = given[name][..., :-1, :] if name != "u" else given[name][..., 0]
    for scan in (ssd_scan, ssd_scan_by_steps):
        with pytest.raises(UserError, match=rf"ssd_scan: {name} has shape") as caught:
            scan(**given)
        assert caught.value.slug == "scan_shape"
