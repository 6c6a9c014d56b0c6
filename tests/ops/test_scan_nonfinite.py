"""NaN and infinity in the scans' arguments: they show where the reference shows them only."""

import pytest
import torch
from scan_subjects import NAMES

from remamber.ops import selective_scan

NAN = float("nan")
INF = float("inf")
INTERPRETED = pytest.mark.interpreted


def poisoned(values, name, special):
    changed = values | {name: values[name].clone()}
    flat = changed[name].view(-1)
    flat[flat.numel() // 3] = special
    return changed


def same_kind(found, expected):
    return (
        (found.isnan() == expected.isnan()).all()
        and (found.isposinf() == expected.isposinf()).all()
        and (found.isneginf() == expected.isneginf()).all()
    )


def seen(either, name, mask):
    """A mask as it is compared: with NaN in A by sequence, else at every step.

    The reverse recurrence begins with nothing carried, which a vector of steps multiplies by a
    decay all the same; the reference does not, so with NaN in A its last step stays finite.
    """
    by_sequence = name == "A" and mask.ndim > 2
    return mask.int().amax(either.op.time).bool() if by_sequence else mask


@pytest.mark.parametrize("special", [NAN, pytest.param(INF, marks=INTERPRETED), -INF])
@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_not_finite_exactly_where_the_references_are(either, name, special):
    values = poisoned(either.arguments(), name, special)
    found, expected = either(values), either.reference()(values)
    assert same_kind(found, expected)
    finite = expected.isfinite()
    torch.testing.assert_close(found[finite], expected[finite], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("special", [NAN, INF, -INF])
@pytest.mark.parametrize("name", NAMES[:5])
def test_without_skip_and_bias_neither_hides_nor_adds_anything(either, name, special):
    values = {
        n: v for n, v in poisoned(either.arguments(), name, special).items() if n in NAMES[:5]
    }
    assert same_kind(either(values), either.reference()(values))


@pytest.mark.parametrize("special", [NAN, INF, -INF])
@pytest.mark.parametrize("name", NAMES)
def test_the_last_state_is_not_finite_exactly_where_the_references_is(scan, name, special):
    values = poisoned(scan.arguments(), name, special)
    states = [
        selective_scan(**values, delta_softplus=True, return_last_state=True, backend=backend)[1]
        for backend in (scan.backend, "reference")
    ]
    assert same_kind(*states)


@pytest.mark.parametrize("special", [pytest.param(NAN, marks=INTERPRETED), INF, -INF])
@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_not_finite_exactly_where_the_references_are(either, name, special):
    values = poisoned(either.arguments(), name, special)
    found, expected = either.with_gradients(values), either.reference().with_gradients(values)
    for key, value in expected.items():
        assert not (found[key].isfinite() & ~value.isfinite()).any(), key
        assert torch.equal(*(seen(either, name, ~v.isfinite()) for v in (found[key], value))), key


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[INTERPRETED] if n in ("u", "B") else []) for n in NAMES]
)
def test_what_a_nan_does_not_reach_stays_the_same_to_the_bit(either, name):
    """No other channel, sample, group or earlier step: wherever the reference stays the same."""
    values = either.arguments()
    cases = (values, poisoned(values, name, NAN))
    ours = [either.with_gradients(case) for case in cases]
    theirs = [either.reference().with_gradients(case) for case in cases]
    untouched = 0
    for key in theirs[0]:
        mine, reference = (
            seen(either, name, clean[key] != changed[key]) for clean, changed in (ours, theirs)
        )
        untouched += (~reference).sum()
        assert not (mine & ~reference).any(), key
    assert untouched > 0


@pytest.mark.interpreted
def test_a_nan_in_the_upstream_gradient_stays_in_its_sample(either):
    values = either.arguments()
    leaves = {n: v.requires_grad_() for n, v in values.items()}
    y = either(leaves)
    upstream = torch.ones_like(y)
    upstream[0].view(-1)[3] = float("nan")
    grads = torch.autograd.grad(y, [leaves[n] for n in ("u", "delta", "B", "C")], upstream)
    for grad in grads:
        assert grad[0].isnan().any()
        assert grad[1].isfinite().all()
