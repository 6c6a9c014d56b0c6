"""A hundred thousand steps, against Python's own floats: seconds, and no loss of precision."""

import torch
from directional_cases import in_order, out_of_order
from scan_cases import channel_by_floats, relative_error
from scan_subjects import DIRECTIONAL, NAMES, Subject

STEPS = 100_000
CHANNELS = 2


def gradients(subject, values, dy):
    leaves = {n: v.to(subject.device, torch.float32).requires_grad_() for n, v in values.items()}
    y = subject(leaves)
    y.backward(dy.to(y))
    return {"y": y.detach().cpu()} | {n: leaf.grad.cpu() for n, leaf in leaves.items()}


def exactly(values, dy):
    """The scan of one group with one state: each channel by itself, in Python's floats."""
    found = {name: torch.zeros_like(value) for name, value in (values | {"y": dy}).items()}
    for d in range(CHANNELS):
        u, delta = (values[name][0, d].tolist() for name in ("u", "delta"))
        B, C = (values[name].flatten().tolist() for name in ("B", "C"))
        A, D, bias = (values[name][d].item() for name in ("A", "D", "delta_bias"))
        y, grads = channel_by_floats(u, delta, A, B, C, D, bias, dy[0, d].tolist())
        found["y"][0, d] = torch.tensor(y, dtype=torch.float64)
        for name in ("u", "delta"):
            found[name][0, d] = grads[name]
        for name in ("A", "D", "delta_bias"):
            found[name][d] = grads[name]
        for name in ("B", "C"):
            found[name] += grads[name].view_as(found[name])
    return found


def check(found, exact):
    for name in ("y", *NAMES):
        limit = 1e-6 if name == "y" else 1e-5
        assert relative_error(found[name], exact[name]) < limit, name


def test_a_sequence_of_a_hundred_thousand_steps_keeps_its_precision(scan):
    steps = scan.steps(STEPS)
    values = scan.op.make(1, CHANNELS, steps, 1, 1, dtype=torch.float64)
    dy = torch.randn(1, CHANNELS, steps, dtype=torch.float64)
    check(gradients(scan, values, dy), exactly(values, dy))


def test_an_image_of_a_hundred_thousand_pixels_keeps_its_precision(backend):
    scan, ways = Subject(DIRECTIONAL, backend), (0, 1, 2, 3)
    width = scan.steps(STEPS) // 20
    values = DIRECTIONAL.make(1, 4, 20, width, CHANNELS, 1, dtype=torch.float64)
    dy = torch.randn(1, 20, width, CHANNELS, dtype=torch.float64)
    exact = {name: torch.zeros_like(value) for name, value in (values | {"y": dy}).items()}
    for way in ways:
        rows = slice(way * CHANNELS, (way + 1) * CHANNELS)
        one = {n: in_order(values[n][:, way], way) for n in ("delta", "B", "C")}
        one |= {n: values[n][rows] for n in ("A", "D", "delta_bias")}
        parts = exactly(one | {"u": in_order(values["u"], way)}, in_order(dy, way))
        for name in ("y", "u"):
            exact[name] += out_of_order(parts[name], way, 20, width)
        for name in ("delta", "B", "C"):
            exact[name][:, way] = out_of_order(parts[name], way, 20, width)
        for name in ("A", "D", "delta_bias"):
            exact[name][rows] = parts[name]
    check(gradients(scan, values, dy), exact)
