"""Tests of the Triton kernels under its interpreter; ``test_triton`` runs them in a process."""

import pytest
import torch
from directional_cases import directional_arguments, one_by_one, with_gradients
from scan_cases import NAMES, relative_error, scan_arguments

from remamber.ops import FOUR_WAYS, _triton_launch, available_backends, reference, resolve_backend
from remamber.ops import triton as backend
from remamber.ops._contract import ScanInputs, state_count
from remamber.ops._directional_contract import DirectionalInputs
from remamber.ops._triton_tiles import Tile

LIMITS = {"y": 1e-6, "states": 1e-6}


@pytest.fixture
def tile(monkeypatch):
    """Chooses the tile of both passes."""

    def choose(chosen):
        for name in ("forward_tile", "backward_tile"):
            monkeypatch.setattr(_triton_launch, name, lambda work: chosen)

    return choose


def _inputs(values, *, dtype, softplus=True):
    return ScanInputs(*(values[name].to(dtype) for name in NAMES), softplus)


def _both_passes(module, inputs, dy, dstates):
    with torch.no_grad():
        y, states = module.forward(inputs)
        grads = module.backward(inputs, states=states, dy=dy, dstates=dstates)
    return {"y": y, "states": states} | dict(zip(NAMES, grads, strict=True))


def test_the_interpreter_is_there_by_name_and_never_taken_by_itself():
    assert "triton" in available_backends()
    assert resolve_backend("triton", "cpu") == "triton"
    assert resolve_backend("auto", "cpu") != "triton"


@pytest.mark.parametrize(
    ("chosen", "sizes", "softplus"),
    [
        (Tile(2, 128), (1, 6, 260, 1, 2), True),
        (Tile(1, 256, run=4), (1, 2, 300, 3, 1), False),
        (Tile(4, 128, run=8, stages=2), (2, 5, 131, 1, 1), True),
    ],
    ids=str,
)
def test_sequences_over_several_chunks_and_the_gradients_of_every_state(
    tile, chosen, sizes, softplus
):
    values = scan_arguments(*sizes)
    b, d, length, n, _ = sizes
    if not softplus:
        values["delta"], values["delta_bias"] = values["delta"].abs(), values["delta_bias"].abs()
    dy, dstates = torch.randn(b, d, length), torch.randn(b, d, state_count(length), n)
    double = _inputs(values, dtype=torch.float64, softplus=softplus)
    expected = _both_passes(reference, double, dy.double(), dstates.double())
    tile(chosen)
    single = _inputs(values, dtype=torch.float32, softplus=softplus)
    found = _both_passes(backend, single, dy, dstates)
    for name, value in expected.items():
        assert relative_error(found[name], value) < LIMITS.get(name, 1e-5), name


@pytest.mark.parametrize(
    ("chosen", "sizes", "ways"),
    [
        (Tile(2, 128, run=4), (1, 4, 10, 14, 3, 1), FOUR_WAYS),
        (Tile(4, 128, run=8), (2, 2, 3, 46, 2, 1), (3, 1)),
        (Tile(1, 16, run=2), (1, 1, 3, 4, 2, 2), (1,)),
    ],
    ids=str,
)
def test_images_over_several_chunks_in_every_direction(tile, chosen, sizes, ways):
    values = directional_arguments(*sizes)
    expected = with_gradients(
        lambda leaves: one_by_one(leaves, directions=ways), values, dtype=torch.float64
    )
    tile(chosen)
    single = [value.float() for value in values.values()]
    inputs = DirectionalInputs(*single, True, ways)
    y, states = backend.directional_forward(inputs)
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    grads = backend.directional_backward(inputs, states=states, dy=weights.float())
    assert relative_error(y, expected["y"]) < 1e-6
    for name, grad in zip(values, grads, strict=True):
        assert grad.shape == values[name].shape
        assert relative_error(grad, expected[f"d_{name}"]) < 1e-5, name
    assert grads.B.is_contiguous()
    assert grads.delta.transpose(0, 1).is_contiguous()


def test_of_the_image_nothing_is_copied_before_the_kernel_runs(monkeypatch):
    b, k, h, w, d = 2, 4, 4, 6, 8
    values = directional_arguments(b, k, h, w, d, 1, dtype=torch.float32)
    values["delta"] = torch.randn(k, b, h, w, d).transpose(0, 1)
    projected = torch.randn(b, k, h, w, 5)
    values["B"], values["C"] = projected[..., 3:4], projected[..., 4:]
    inputs = DirectionalInputs(*values.values(), True, FOUR_WAYS)
    seen = []

    def launched(view, **options):
        seen.append(view)
        return torch.zeros(k, b, h * w, d).permute(1, 0, 3, 2)

    monkeypatch.setattr(_triton_launch, "run_forward", launched)
    backend.directional_forward(inputs)
    for name in ("u", "delta", "A", "B", "C", "D", "delta_bias"):
        given, passed = values[name].untyped_storage(), getattr(seen[0], name).untyped_storage()
        assert given.data_ptr() == passed.data_ptr(), name
