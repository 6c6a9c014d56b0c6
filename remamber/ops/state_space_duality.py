"""The scan of Mamba-2 as matrix products: state space duality (Dao and Gu 2024, Sec. 6).

A selective scan whose state decays by one number a head and step, so that within a chunk of
steps it is a masked product of matrices, and only the chunks' last states pass from one to the
next. Plain torch: it runs, and is differentiated, wherever torch runs.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from remamber.ops._checks import Checks

_CHECKS = Checks("ssd_scan")


def ssd_scan(
    u: Float[Tensor, "b k l m p"],
    delta: Float[Tensor, "b k l m"],
    A: Float[Tensor, "k m"],
    B: Float[Tensor, "b k l n"],
    C: Float[Tensor, "b k l n"],
    *,
    chunk: int = 64,
) -> Float[Tensor, "b k l m p"]:
    """Scan h_t = exp(delta_t A) h_{t-1} + delta_t B_t u_t', y_t = C_t h_t over l.

    Every head m of width p has a state of n by p. Mirrors the chunked algorithm of the paper;
    differs in that the chunks' states are combined in pairs, log2 of their number times, where
    the paper's listing multiplies by a matrix of all pairs of chunks. A NaN spoils earlier steps
    too, those of its own chunk.

    Args:
        u: k sequences a sample.
        delta: step sizes, positive: after bias and softplus.
        A: decay of each head, negative.
        B: input matrices, shared by the heads.
        C: output matrices, shared by the heads.
        chunk: steps of a chunk. Work within chunks grows with it, between chunks it falls.

    Returns:
        y in the arguments' dtype; half precision overflows, as in every scan.

    Raises:
        UserError: an argument's shape does not fit u's (slug ``scan_shape``).
    """
    _check(u, delta, A, B, C)
    length = u.shape[2]
    size = min(chunk, length)
    u, delta, B, C = (_in_chunks(t, size) for t in (u, delta, B, C))
    inputs, decay = u * delta.unsqueeze(-1), delta * A[:, None, None]
    kept = _kept_between(decay.transpose(3, 4))
    kept_from_start = torch.exp(torch.cumsum(decay, dim=3))

    mixing = torch.einsum("b k c i n, b k c j n -> b k c i j", C, B).unsqueeze(3) * kept
    within = torch.einsum("b k c m i j, b k c j m p -> b k c i m p", mixing, inputs)

    to_end = inputs * kept[..., -1, :].mT.unsqueeze(-1)
    left = torch.einsum("b k c j n, b k c j m p -> b k c m n p", B, to_end)
    entering = _entering(left, kept_from_start[:, :, :, -1])
    before = torch.einsum("b k c i n, b k c m n p -> b k c i m p", C, entering)

    y = within + before * kept_from_start.unsqueeze(-1)
    return y.flatten(2, 3)[:, :, :length]


def ssd_scan_by_steps(
    u: Float[Tensor, "b k l m p"],
    delta: Float[Tensor, "b k l m"],
    A: Float[Tensor, "k m"],
    B: Float[Tensor, "b k l n"],
    C: Float[Tensor, "b k l n"],
) -> Float[Tensor, "b k l m p"]:
    """The recurrence of ``ssd_scan`` as it is written, one step after the other: its oracle."""
    _check(u, delta, A, B, C)
    b, k, length, m, p = u.shape
    state = u.new_zeros(b, k, m, B.shape[3], p)
    outputs = []
    for t in range(length):
        kept = torch.exp(delta[:, :, t] * A)[..., None, None]
        added = B[:, :, t, None, :, None] * (delta[:, :, t, :, None] * u[:, :, t]).unsqueeze(3)
        state = kept * state + added
        outputs.append((C[:, :, t, None, :, None] * state).sum(3))
    return torch.stack(outputs, dim=2)


def _kept_between(decay: Float[Tensor, "b k c m q"]) -> Float[Tensor, "b k c m i j"]:
    """How much is left at step i of what step j put in; nothing where j is after i.

    Each pair's decays are added up by themselves: differences of sums from the chunk's start
    would cancel in float32 where the decay is strong.
    """
    size = decay.shape[-1]
    square = torch.ones(size, size, dtype=torch.bool, device=decay.device)
    after = square.tril(-1)
    each = decay.unsqueeze(-1).expand(*decay.shape, size).masked_fill(~after, 0)
    return torch.exp(each.cumsum(-2).masked_fill(square.triu(1), -torch.inf))


def _entering(
    left: Float[Tensor, "b k c m n p"], kept: Float[Tensor, "b k c m"]
) -> Float[Tensor, "b k c m n p"]:
    """The state that each chunk starts from, by what the chunks leave and how much they keep."""
    states, kept, span = left, kept[..., None, None], 1
    while span < left.shape[2]:
        carried = kept[:, :, span:] * states[:, :, :-span]
        states = torch.cat([states[:, :, :span], states[:, :, span:] + carried], dim=2)
        both = kept[:, :, span:] * kept[:, :, :-span]
        kept = torch.cat([kept[:, :, :span], both], dim=2)
        span *= 2
    return F.pad(states[:, :, :-1], (0, 0, 0, 0, 0, 0, 1, 0))


def _in_chunks(t: Tensor, size: int) -> Tensor:
    """``b k l ...`` to ``b k c size ...``; steps of size zero are added at the end."""
    missing = -t.shape[2] % size
    padded = F.pad(t, (0, 0) * (t.ndim - 3) + (0, missing))
    return torch.unflatten(padded, 2, (-1, size))


def _check(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> None:
    if u.ndim != 5 or 0 in u.shape:
        raise _CHECKS.shape_error("u", u, "(b, k, l, m, p) with no empty axis")
    b, k, length, m, _ = u.shape
    _CHECKS.shape("delta", delta, (b, k, length, m))
    _CHECKS.shape("A", A, (k, m))
    if B.ndim != 4 or B.shape[3] == 0:
        raise _CHECKS.shape_error("B", B, f"(b, k, l, n) = ({b}, {k}, {length}, n)")
    _CHECKS.shape("B", B, (b, k, length, B.shape[3]))
    _CHECKS.shape("C", C, (b, k, length, B.shape[3]))
