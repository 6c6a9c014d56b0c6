"""Random arguments of a directional scan, and its oracle: a selective scan of each direction."""

import torch

from remamber.ops import directional_scan, selective_scan

NAMES = ("u", "delta", "A", "B", "C", "D", "delta_bias")


def directional_arguments(b, k, h, w, d, n, *, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    values = {
        "u": normal(b, h, w, d),
        "delta": normal(b, k, h, w, d),
        "A": -normal(k * d, n).abs() - 0.1,
        "B": normal(b, k, h, w, n),
        "C": normal(b, k, h, w, n),
        "D": normal(k * d),
        "delta_bias": normal(k * d) - 1,
    }
    return {name: value.to(torch.float32).to(dtype) for name, value in values.items()}


def in_order(image, way):
    """One channels-last image ``b h w c`` as the sequence ``b c l`` that a direction reads."""
    lines = image.transpose(1, 2) if way & 1 else image
    sequence = lines.flatten(1, 2).transpose(1, 2)
    return sequence.flip(2) if way & 2 else sequence


def out_of_order(sequence, way, height, width):
    sequence = sequence.flip(2) if way & 2 else sequence
    shape = (width, height) if way & 1 else (height, width)
    lines = sequence.transpose(1, 2).unflatten(1, shape)
    return lines.transpose(1, 2) if way & 1 else lines


def one_by_one(values, *, directions, softplus=True):
    """The definition: each direction's own reference scan, put back and summed."""
    height, width, d = values["u"].shape[1:]
    total = 0
    for i, way in enumerate(directions):
        rows = slice(i * d, (i + 1) * d)
        y = selective_scan(
            in_order(values["u"], way),
            in_order(values["delta"][:, i], way),
            values["A"][rows],
            in_order(values["B"][:, i], way),
            in_order(values["C"][:, i], way),
            values["D"][rows],
            delta_bias=values["delta_bias"][rows],
            delta_softplus=softplus,
            backend="reference",
        )
        total = total + out_of_order(y, way, height, width)
    return total


def with_gradients(scan, values, *, dtype):
    """y and the gradient of a fixed random sum of it by every argument."""
    leaves = {name: v.detach().to(dtype).requires_grad_() for name, v in values.items()}
    y = scan(leaves)
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(y.shape, generator=generator, dtype=torch.float64)
    (y.double() * weights).sum().backward()
    return {"y": y.detach()} | {f"d_{name}": leaf.grad for name, leaf in leaves.items()}


def fused(directions, backend, *, softplus=True):
    """The op as a function of a dictionary of arguments."""

    def scan(values):
        return directional_scan(
            **values, delta_softplus=softplus, directions=directions, backend=backend
        )

    return scan
