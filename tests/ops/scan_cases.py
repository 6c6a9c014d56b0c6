"""Random arguments of a selective scan and how two results of it are compared."""

import math

import torch

from remamber.ops import selective_scan

NAMES = ("u", "delta", "A", "B", "C", "D", "delta_bias")


def scan_arguments(b, d, length, n, g, *, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    values = {
        "u": normal(b, d, length),
        "delta": normal(b, d, length),
        "A": -normal(d, n).abs() - 0.1,
        "B": normal(b, g, n, length),
        "C": normal(b, g, n, length),
        "D": normal(d),
        "delta_bias": normal(d) - 1,
    }
    return {name: value.to(torch.float32).to(dtype) for name, value in values.items()}


def scan_with_gradients(values, *, backend, dtype, of_state=True):
    """y, the last state, and the gradient of a fixed random sum of both by every argument.

    Without ``of_state`` the sum is of y alone.
    """
    leaves = {name: v.detach().to(dtype).requires_grad_() for name, v in values.items()}
    y, state = selective_scan(
        **leaves, delta_softplus=True, return_last_state=True, backend=backend
    )
    generator = torch.Generator().manual_seed(1)
    weights = [torch.randn(v.shape, generator=generator, dtype=torch.float64) for v in (y, state)]
    if not of_state:
        weights[1].zero_()
    loss = sum(
        (v.double() * w.to(v.device)).sum() for v, w in zip((y, state), weights, strict=True)
    )
    loss.backward()
    found = {"y": y.detach(), "state": state.detach()}
    return found | {f"d_{name}": leaf.grad for name, leaf in leaves.items()}


def relative_error(found, expected):
    """Largest difference over the largest expected magnitude."""
    scale = expected.double().abs().max().clamp_min(1e-12)
    return ((found.double() - expected.double()).abs().max() / scale).item()


def channel_by_floats(u, delta, a, B, C, D, bias, dy):
    """One channel with one state in Python's own floats: y, and the gradients of (dy * y).sum().

    Shares nothing with the implementations, and its time is linear in the steps.
    """
    steps = range(len(u))
    dt = [math.log1p(math.exp(x + bias)) for x in delta]
    slope = [1 / (1 + math.exp(-x - bias)) for x in delta]
    decay = [math.exp(t * a) for t in dt]
    h, history, y = 0.0, [0.0], []
    for t in steps:
        h = decay[t] * h + dt[t] * u[t] * B[t]
        history.append(h)
        y.append(C[t] * h + D * u[t])
    grads = {name: [0.0] * len(u) for name in ("u", "delta", "B", "C")}
    da = dD = dbias = carried = 0.0
    for t in reversed(steps):
        dh = C[t] * dy[t] + carried
        grads["C"][t] = dy[t] * history[t + 1]
        grads["B"][t] = dh * dt[t] * u[t]
        grads["u"][t] = dh * dt[t] * B[t] + D * dy[t]
        kept = decay[t] * history[t]
        grads["delta"][t] = dh * (a * kept + u[t] * B[t]) * slope[t]
        da, dD, dbias = da + dh * dt[t] * kept, dD + dy[t] * u[t], dbias + grads["delta"][t]
        carried = decay[t] * dh
    sums = {"A": da, "D": dD, "delta_bias": dbias}
    return y, {name: torch.tensor(v, dtype=torch.float64) for name, v in (grads | sums).items()}
