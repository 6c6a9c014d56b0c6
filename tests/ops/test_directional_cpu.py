"""What the fused CPU form promises beyond the contract of every backend."""

import multiprocessing

import pytest
import torch
from directional_cases import NAMES, directional_arguments, fused, one_by_one, with_gradients
from scan_cases import relative_error

from remamber.ops import FOUR_WAYS, _cpu_directional
from remamber.ops._directional_composed import composed_backward, composed_forward
from remamber.ops._directional_contract import DirectionalInputs
from remamber.ops.backends import load_backend

LARGE = (2, 4, 24, 25, 200, 1)


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def _operator(values):
    """The operator alone: torch's own parallel loops would hang in a forked child."""
    rest = (*values, True, list(FOUR_WAYS), "cpu")
    y, states = torch.ops.remamber.directional_scan(*rest)
    return [y, states, *torch.ops.remamber.directional_scan_backward(y, states, *rest)]


def _in_child(values, queue):
    queue.put([value.numpy() for value in _operator(values)])


@pytest.mark.parametrize("d", [1, 31, 32, 33, 63, 64, 65, 96, 130])
def test_any_number_of_channels_fills_its_vectors_right(d):
    values = directional_arguments(1, 4, 3, 5, d, 2)
    expected = with_gradients(
        lambda v: one_by_one(v, directions=FOUR_WAYS), values, dtype=torch.float64
    )
    found = with_gradients(fused(FOUR_WAYS, "cpu"), values, dtype=torch.float32)
    for name, value in expected.items():
        assert relative_error(found[name], value) < (1e-6 if name == "y" else 1e-5), name


def test_the_number_of_threads_does_not_change_a_bit(threads):
    values = list(directional_arguments(*LARGE, dtype=torch.float32).values())
    results = []
    for count in (1, 2, 3, 4):
        threads(count)
        results.append(_operator(values))
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_a_forked_child_of_a_threaded_parent_scans_to_the_same_bits(threads):
    threads(4)
    values = list(directional_arguments(*LARGE, dtype=torch.float32).values())
    expected = _operator(values)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(values, queue), daemon=True)
    child.start()
    found = queue.get(timeout=60)
    child.join(timeout=10)
    assert all(torch.equal(torch.from_numpy(f), e) for f, e in zip(found, expected, strict=True))


def test_no_direction_gets_a_copy_of_the_image():
    values = directional_arguments(1, 4, 64, 64, 64, 1, dtype=torch.float32)
    image = values["u"].nbytes
    scan = fused(FOUR_WAYS, "cpu")
    scan(values)
    with torch.profiler.profile(profile_memory=True) as profile:
        scan(values)
    allocated = sum(max(0, event.self_cpu_memory_usage) for event in profile.key_averages())
    assert image < allocated < 1.1 * image


def test_a_sample_and_a_channel_that_are_not_finite_spoil_no_other():
    values = directional_arguments(2, 4, 9, 11, 70, 1, dtype=torch.float32)
    expected = fused(FOUR_WAYS, "cpu")(values)
    values["u"][0, 3, 4, 66] = float("nan")
    found = fused(FOUR_WAYS, "cpu")(values)
    clean = torch.ones(70, dtype=torch.bool)
    clean[66] = False
    assert torch.equal(found[1], expected[1])
    assert torch.equal(found[0][..., clean], expected[0][..., clean])
    assert found[0, ..., 66].isnan().all()


def test_gradients_of_what_is_not_finite_are_what_the_composed_form_gives():
    values = directional_arguments(1, 4, 3, 5, 70, 2, dtype=torch.float32)
    values["B"][0, 1, 1, 2, 0] = float("inf")
    inputs = DirectionalInputs(*(values[name] for name in NAMES), True, FOUR_WAYS)
    backend, dy = load_backend("cpu"), torch.randn(1, 3, 5, 70)
    _, states = composed_forward(backend, inputs)
    expected = composed_backward(backend, inputs, states=states, dy=dy)
    _, states = _cpu_directional.directional_forward(inputs)
    found = _cpu_directional.directional_backward(inputs, states=states, dy=dy)
    for name, mine, theirs in zip(NAMES, found, expected, strict=True):
        assert torch.equal(mine.isfinite(), theirs.isfinite()), name
