"""Random arguments of a selective scan and how two results of it are compared."""

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


def scan_with_gradients(values, *, backend, dtype):
    """y, the last state, and the gradient of a fixed random sum of both by every argument."""
    leaves = {name: v.detach().to(dtype).requires_grad_() for name, v in values.items()}
    y, state = selective_scan(
        **leaves, delta_softplus=True, return_last_state=True, backend=backend
    )
    generator = torch.Generator().manual_seed(1)
    weights = [torch.randn(v.shape, generator=generator, dtype=torch.float64) for v in (y, state)]
    loss = sum((v.double() * w).sum() for v, w in zip((y, state), weights, strict=True))
    loss.backward()
    found = {"y": y.detach(), "state": state.detach()}
    return found | {f"d_{name}": leaf.grad for name, leaf in leaves.items()}


def relative_error(found, expected):
    """Largest difference over the largest expected magnitude."""
    scale = expected.double().abs().max().clamp_min(1e-12)
    return ((found.double() - expected.double()).abs().max() / scale).item()
