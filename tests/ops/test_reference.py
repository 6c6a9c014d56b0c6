import pytest
import torch
from golden import golden, part
from scan_cases import NAMES, relative_error, scan_arguments

from remamber.ops import reference, selective_scan
from remamber.ops._contract import ScanInputs


def _inputs(values, *, softplus=True):
    return ScanInputs(*(values[name] for name in NAMES), softplus)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("prefix", ["n1.", "n4."])
def test_it_agrees_with_the_release(prefix, backend):
    stored = part(golden("ops_selective_scan.safetensors"), prefix)
    dtype = torch.float64 if backend == "reference" else torch.float32
    leaves = {name: stored[name].to(dtype).requires_grad_() for name in NAMES}
    y = selective_scan(**leaves, delta_softplus=True, backend=backend)
    (y * stored["cot"]).sum().backward()
    limit = 1e-9 if backend == "reference" else 1e-6
    assert relative_error(y.detach(), stored["y64"]) < limit
    for name, leaf in leaves.items():
        assert relative_error(leaf.grad, stored[f"d_{name}64"]) < 10 * limit, name


@pytest.mark.parametrize("softplus", [True, False])
def test_its_written_gradient_is_autograds(softplus):
    values = {n: v.requires_grad_() for n, v in scan_arguments(2, 6, 131, 3, 2).items()}
    y, states = reference.forward(_inputs(values, softplus=softplus))
    dy, dstates = torch.randn_like(y), torch.randn_like(states)
    expected = torch.autograd.grad((y, states), list(values.values()), (dy, dstates))
    with torch.no_grad():
        found = reference.backward(
            _inputs(values, softplus=softplus), states=states, dy=dy, dstates=dstates
        )
    for name, mine, autograds in zip(NAMES, found, expected, strict=True):
        torch.testing.assert_close(mine, autograds, msg=name)


def test_the_operator_passes_gradcheck_in_float64():
    values = [v.requires_grad_() for v in scan_arguments(2, 4, 5, 2, 2).values()]

    def scan(*tensors):
        return selective_scan(
            **dict(zip(NAMES, tensors, strict=True)),
            delta_softplus=True,
            return_last_state=True,
            backend="reference",
        )

    assert torch.autograd.gradcheck(scan, values)


def test_only_the_last_state_may_be_asked_for_a_gradient():
    values = {n: v.requires_grad_() for n, v in scan_arguments(1, 2, 4, 1, 1).items()}
    _, state = selective_scan(**values, return_last_state=True)
    state.sum().backward()
    assert values["u"].grad.abs().sum() > 0
    assert values["C"].grad.abs().sum() == 0
