"""The scans on tensors that lie in memory as they like: the numbers, to the bit, are the same.

Of the reference the numbers are nearly the same: torch sums another layout in another order.
"""

import pytest
import torch
from scan_subjects import DIRECTIONAL, NAMES, Subject


def spaced(value):
    """Every second element of the last axis."""
    return value.repeat_interleave(2, -1)[..., ::2]


def inside_out(value):
    """Axes in the opposite order in memory."""
    back = tuple(reversed(range(value.ndim)))
    return value.permute(back).contiguous().permute(back)


def unaligned(value):
    """Starts one element into its storage."""
    storage = torch.cat([value.new_full((1,), 9.0), value.flatten()])
    return storage[1:].view(value.shape)


def padded(value):
    """A window of a larger tensor on every axis."""
    large = value.new_full([size + 3 for size in value.shape], float("nan"))
    window = large[tuple(slice(1, 1 + size) for size in value.shape)]
    return window.copy_(value)


def negated(value):
    """A view that torch negates lazily, as the imaginary part of a conjugate is."""
    view = torch.complex(torch.zeros_like(value), -value).conj().imag
    assert view.is_neg()
    return view


def same(subject, found, expected):
    if subject.backend == "reference":
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert subject.backend == "reference" or torch.equal(found, expected)


LAYOUTS = [spaced, inside_out, unaligned, padded, negated]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda f: f.__name__)
def test_the_layout_of_one_argument_does_not_change_a_bit(either, layout, name):
    values = either.arguments()
    view = layout(values[name])
    assert torch.equal(view, values[name])
    leaf, moved = values[name].clone().requires_grad_(), view.detach().requires_grad_()
    results = [either(values | {name: value}) for value in (leaf, moved)]
    same(either, results[1], results[0])
    upstream = torch.randn(results[0].shape, generator=torch.Generator().manual_seed(1))
    for y in results:
        y.backward(upstream.to(y.device))
    same(either, moved.grad, leaf.grad)


@pytest.mark.interpreted
def test_every_argument_in_a_layout_of_its_own_gives_the_same_bits(either):
    values = either.arguments()
    moved = {n: LAYOUTS[i % len(LAYOUTS)](v) for i, (n, v) in enumerate(values.items())}
    expected, found = either.with_gradients(values), _with_gradients_of_views(either, moved)
    for name, value in expected.items():
        same(either, found[name], value)


def _with_gradients_of_views(either, moved):
    """As ``with_gradients``, which copies, without copying."""
    leaves = {n: v.detach().requires_grad_() for n, v in moved.items()}
    y = either(leaves)
    upstream = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(y.device)
    grads = torch.autograd.grad(y, list(leaves.values()), negated(upstream))
    return {"y": y.detach()} | {f"d_{n}": g for n, g in zip(NAMES, grads, strict=True)}


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda f: f.__name__)
def test_the_layout_of_the_upstream_gradient_does_not_change_a_bit(either, layout):
    values = {n: v.requires_grad_() for n, v in either.arguments().items()}
    y = either(values)
    upstream = torch.randn_like(y)
    expected = torch.autograd.grad(y, list(values.values()), upstream, retain_graph=True)
    found = torch.autograd.grad(y, list(values.values()), layout(upstream))
    for mine, theirs in zip(found, expected, strict=True):
        same(either, mine, theirs)


@pytest.mark.parametrize("name", NAMES)
def test_an_argument_expanded_along_any_axis_is_read_as_its_copy(either, name):
    values = either.arguments()
    for axis in range(values[name].ndim):
        thin = values[name].narrow(axis, 0, 1).expand(values[name].shape)
        same(either, *(either(values | {name: v}) for v in (thin, thin.contiguous())))


def test_overlapping_windows_of_one_tensor_are_read_as_their_copy(either):
    values = either.arguments()
    base = torch.randn(sum(values["u"].shape), device=either.device)
    windows = base.as_strided(values["u"].shape, (1,) * values["u"].ndim)
    same(either, *(either(values | {"u": v}) for v in (windows, windows.contiguous())))


def test_one_tensor_may_be_several_arguments(either):
    values = either.arguments()
    shared = values["B"].clone().requires_grad_()
    y = either(values | {"B": shared, "C": shared})
    (found,) = torch.autograd.grad(y.sum(), shared)
    b, c = (values["B"].clone().requires_grad_() for _ in "BC")
    expected = torch.autograd.grad(either(values | {"B": b, "C": c}).sum(), [b, c])
    torch.testing.assert_close(found, expected[0] + expected[1])


@pytest.mark.interpreted
def test_the_arguments_are_left_as_they_were(either):
    values = either.arguments()
    before = {n: v.clone() for n, v in values.items()}
    either.with_gradients(values)
    leaves = {n: v.requires_grad_() for n, v in values.items()}
    upstream = torch.randn_like(either(values))
    kept = upstream.clone()
    either(leaves).backward(upstream)
    assert torch.equal(upstream, kept)
    assert all(torch.equal(leaves[n], before[n]) for n in before)


@pytest.mark.parametrize("axis", [-3, -2])
def test_one_line_of_a_larger_image_is_read_as_its_copy(backend, axis):
    scan = Subject(DIRECTIONAL, backend)
    line = {
        n: v.narrow(axis, 2, 1) if v.ndim > 2 else v
        for n, v in scan.arguments(2, 4, 3, 4, 2, 1).items()
    }
    same(scan, scan(line), scan({n: v.contiguous() for n, v in line.items()}))
