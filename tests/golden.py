"""Reads the reference data that was taken from the released model, and renames its weights.

Small files live in tests/data/golden; larger ones are read from a folder beside the checkout and
the tests that need them are skipped, visibly, where it is absent.
"""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

HERE = Path(__file__).parent / "data" / "golden"
BESIDE = Path(__file__).parents[2] / "shared" / "golden"
SSM = ("x_proj_weight", "dt_projs_weight", "dt_projs_bias", "A_logs", "Ds")


def golden_path(name):
    for folder in (HERE, BESIDE):
        if (folder / name).exists():
            return folder / name
    return pytest.skip(f"reference data {name} is not on this machine")


def golden(name):
    return load_file(golden_path(name))


def part(data, prefix):
    return {k[len(prefix) :]: v for k, v in data.items() if k.startswith(prefix)}


def renamed(state, *names):
    """Released names to ours: the state space model's tensors stand under ``ssm``."""
    out = {}
    for key, value in state.items():
        for old, new in names:
            if key.startswith(old):
                key = new + key[len(old) :]
        head, _, last = key.rpartition(".")
        if last in SSM:
            key = ".".join(filter(None, [head, "ssm", last]))
        out[key] = value
    return out


def load(module, state):
    own = module.state_dict()
    assert set(own) == set(state), set(own) ^ set(state)
    module.load_state_dict({k: v.float().reshape(own[k].shape) for k, v in state.items()})


def check_operation(module, data, names, *, call=None, outputs=1, atol=3e-6, rtol=1e-4):
    """Outputs, input gradients and every parameter gradient against the golden ones."""
    load(module, renamed(part(data, "state."), *names))
    inputs = [v.float().requires_grad_() for k, v in sorted(part(data, "in.").items())]
    result = (call or module)(*inputs)
    results = result if isinstance(result, list | tuple) else [result]
    loss = torch.zeros(())
    for i in range(outputs):
        torch.testing.assert_close(
            results[i].detach(), data[f"out.{i}"].float(), atol=atol, rtol=0.0
        )
        loss = loss + (results[i] * data[f"cot.{i}"].float()).sum()
    buffers = dict(module.named_buffers())
    for key, expected in renamed(part(data, "after."), *names).items():
        torch.testing.assert_close(buffers[key], expected.to(buffers[key]), atol=1e-5, rtol=1e-5)
    loss.backward()
    for i, value in enumerate(inputs):
        close(value.grad, data[f"gin.{i}"], data[f"gin64.{i}"], rtol)
    own = dict(module.named_parameters())
    gradients = renamed(part(data, "grad."), *names)
    exact = renamed(part(data, "grad64."), *names)
    assert gradients
    for key, expected in gradients.items():
        close(own[key].grad, expected.reshape(own[key].shape), exact[key], rtol)


def close(actual, expected, exact, rtol):
    """Within rtol of the tensor's maximum, or of the release's own rounding if that is more.

    A bias before a BatchNorm has no gradient at all: what float32 shows there is rounding.
    """
    exact = exact.double().reshape(actual.shape)
    rounding = (expected.double() - exact).abs().max().item()
    bound = max(rtol * exact.abs().max().item(), 4 * rounding)
    torch.testing.assert_close(actual.double(), exact, atol=bound, rtol=0.0)
