"""The selective scan step by step: the oracle that every other implementation is held to.

Mamba (Gu and Dao 2023), Eq. 2 and Algorithm 2, in the names of its code:

    u      input sequence, x in the paper             (b, d, l)
    delta  step size before bias and softplus         (b, d, l)
    A      state matrix, diagonal, negative           (d, n)
    B, C   input and output matrices, by position     (b, g, n, l)
    D      skip connection                            (d)
    h      state                                      (b, d, n)
    a      exp(delta A), "A bar" in the paper         (b, d, n)

    h_t = exp(delta_t A) h_{t-1} + delta_t u_t B_t        y_t = C_t . h_t + D u_t

Each of the g groups of d / g channels shares one B and C. Slow on purpose: a Python loop over
the sequence, one small tensor operation after another, every state kept in memory.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from remamber.ops._contract import CHUNK, Backend, ScanGradients, ScanInputs, state_dtype


def probe() -> Backend:
    """Always available."""
    return Backend("reference", True, "step by step in torch; slow, any device, float64 too")


def takes(device: torch.device, dtype: torch.dtype) -> bool:
    """Every device and dtype."""
    return True


def forward(inputs: ScanInputs) -> tuple[Tensor, Tensor]:
    """Scan; differentiable by torch's autograd through the loop.

    Returns:
        y (b, d, l) in u's dtype and the states after every 128th and the last step,
        (b, d, ceil(l / 128), n), in float32 or float64.
    """
    x = _in_state_dtype(inputs)
    delta = step_size(x)
    A, B, C = x.A, _by_channel(x.B, x), _by_channel(x.C, x)
    steps = range(x.u.shape[-1])
    h = x.u.new_zeros(x.u.shape[0], *A.shape)
    outputs, states = [], []
    for t in steps:
        a = torch.exp(delta[..., t, None] * A)
        h = a * h + (delta[..., t] * x.u[..., t])[..., None] * B[..., t]
        outputs.append((C[..., t] * h).sum(-1))
        if (t + 1) % CHUNK == 0 or t + 1 == len(steps):
            states.append(h)
    y = torch.stack(outputs, -1)
    if x.D is not None:
        y = y + x.D[:, None] * x.u
    return y.to(inputs.u.dtype), torch.stack(states, 2)


def backward(
    inputs: ScanInputs, *, states: Tensor, dy: Tensor, dstates: Tensor | None
) -> ScanGradients:
    """Gradients by the reverse recurrence dh_t = C_t dy_t + a_{t+1} dh_{t+1}, step by step."""
    x = _in_state_dtype(inputs)
    delta = step_size(x)
    B, C, dy = _by_channel(x.B, x), _by_channel(x.C, x), dy.to(delta.dtype)
    history = _states_before(x, delta, B)
    last = x.u.shape[-1] - 1
    du, ddelta, dB, dC = [], [], [], []
    dA, carried = torch.zeros_like(x.A), torch.zeros_like(history[0])
    for t in range(last, -1, -1):
        step, u = delta[..., t, None], x.u[..., t, None]
        a = torch.exp(step * x.A)
        decayed = a * history[t]
        dh = C[..., t] * dy[..., t, None] + carried
        if dstates is not None and ((t + 1) % CHUNK == 0 or t == last):
            dh = dh + dstates[:, :, t // CHUNK]
        dC.append(dy[..., t, None] * (decayed + step * u * B[..., t]))
        dB.append(dh * step * u)
        du.append((dh * step * B[..., t]).sum(-1))
        ddelta.append((dh * (x.A * decayed + u * B[..., t])).sum(-1))
        dA = dA + (dh * step * decayed).sum(0)
        carried = a * dh
    du_all, ddelta_all = torch.stack(du[::-1], -1), torch.stack(ddelta[::-1], -1)
    dD = x.u.new_zeros(0)
    if x.D is not None:
        du_all, dD = du_all + x.D[:, None] * dy, (dy * x.u).sum((0, 2))
    ddelta_all = ddelta_all * _step_size_slope(x)
    dbias = x.u.new_zeros(0) if x.delta_bias is None else ddelta_all.sum((0, 2))
    grads = ScanGradients(
        du_all, ddelta_all, dA, _by_group(dB[::-1], x), _by_group(dC[::-1], x), dD, dbias
    )
    return _in_dtypes_of(inputs, grads)


def step_size(inputs: ScanInputs) -> Tensor:
    """The positive step size: softplus(delta + delta_bias), or without the softplus."""
    delta = _biased(inputs)
    return F.softplus(delta) if inputs.delta_softplus else delta


def _step_size_slope(inputs: ScanInputs) -> Tensor:
    delta = _biased(inputs)
    # torch's softplus is the identity above 20, and so is its slope.
    slope = torch.where(delta > 20, 1.0, torch.sigmoid(delta))
    return slope if inputs.delta_softplus else torch.ones_like(delta)


def _biased(inputs: ScanInputs) -> Tensor:
    bias = inputs.delta_bias
    return inputs.delta if bias is None else inputs.delta + bias[:, None]


def _states_before(x: ScanInputs, delta: Tensor, B: Tensor) -> list[Tensor]:
    h = x.u.new_zeros(x.u.shape[0], *x.A.shape)
    history = []
    for t in range(x.u.shape[-1]):
        history.append(h)
        a = torch.exp(delta[..., t, None] * x.A)
        h = a * h + (delta[..., t] * x.u[..., t])[..., None] * B[..., t]
    return history


def _by_channel(matrix: Tensor, x: ScanInputs) -> Tensor:
    """(b, g, n, l) -> (b, d, n, l): every channel sees its group's B or C."""
    return matrix.repeat_interleave(x.u.shape[1] // matrix.shape[1], dim=1)


def _by_group(steps: list[Tensor], x: ScanInputs) -> Tensor:
    """A list over l of (b, d, n) -> (b, g, n, l), summed over the channels of a group."""
    b, d, _, n, g = x.sizes
    return torch.stack(steps, -1).reshape(b, g, d // g, n, -1).sum(2)


def _in_state_dtype(inputs: ScanInputs) -> ScanInputs:
    dtype = state_dtype(inputs.u.dtype)
    cast = [v.to(dtype) if isinstance(v, Tensor) else v for v in inputs]
    return ScanInputs(*cast)  # type: ignore[arg-type]


def _in_dtypes_of(inputs: ScanInputs, grads: ScanGradients) -> ScanGradients:
    return ScanGradients(
        *(
            grad.to(given.dtype) if isinstance(given, Tensor) else grad
            for grad, given in zip(grads, inputs[:7], strict=True)
        )
    )
