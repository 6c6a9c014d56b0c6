"""The parts of the kernel task: arguments, peers, costs, memory."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from remamber.ops import reference, selective_scan
from remamber.ops._contract import ScanInputs
from remamber.plan.scan_shapes import SHAPES, TWO_WAYS, ScanShape
from remamber.tasks._kernel_calls import GRADIENTS, implementations
from remamber.tasks._kernel_costs import perfect_cost
from remamber.tasks._kernel_errors import MOST_UPDATES, Oracle, comparable_shape, relative_error
from remamber.tasks._kernel_memory import can_measure, peak_extra_bytes
from remamber.tasks._kernel_peers import _missing, peers
from remamber.tasks._kernel_problem import Problem

CPU = torch.device("cpu")
IMAGE = ScanShape(2, 6, 1, 4, 5)
SEQUENCE = ScanShape(2, 5, 3, 1, 17, (0,), image=False)
CHANNELS = ScanShape(1, 3, 1, 1, 12, TWO_WAYS)
SHAPES_HERE = [IMAGE, SEQUENCE, CHANNELS]


def sizes(case):
    s = SHAPES[case]
    return s.b, s.channels, s.length, s.n, s.groups


def test_the_shapes_are_those_of_the_base_model_and_of_mamba():
    assert sizes("s1_256") == (1, 1024, 4096, 1, 4)
    assert sizes("s4_256") == (1, 8192, 64, 1, 4)
    assert [SHAPES[f"s{i}_480"].length for i in (1, 2, 3, 4)] == [14400, 3600, 900, 225]
    assert SHAPES["s1_1024"].length == 65536
    assert sizes("ch2") == (1, 2048, 768, 1, 4)
    assert sizes("tr4") == (16, 2048, 16, 1, 4)
    assert sizes("mamba") == (1, 1536, 2048, 16, 1)


@pytest.mark.parametrize("shape", SHAPES_HERE)
def test_putting_back_undoes_laying_out(shape):
    problem = Problem(shape, CPU)
    delta = problem.image["delta"]
    assert torch.equal(problem.put_back(problem.lay_out(delta)), delta)


def test_directions_read_rows_columns_and_both_backwards():
    problem = Problem(ScanShape(1, 1, 1, 2, 3), CPU)
    image = torch.arange(6.0).view(1, 1, 2, 3, 1).expand(1, 4, 2, 3, 1)
    assert problem.lay_out(image)[0, :, 0].tolist() == [
        [0, 1, 2, 3, 4, 5],
        [0, 3, 1, 4, 2, 5],
        [5, 4, 3, 2, 1, 0],
        [5, 2, 4, 1, 3, 0],
    ]


@pytest.mark.parametrize("shape", SHAPES_HERE)
@pytest.mark.parametrize("name", ["loop", "mambapy", "transformers", "mamba-ssm-ref"])
def test_a_peer_computes_the_same_scan(shape, name):
    peer = peers()[name]
    if peer.absent:
        pytest.skip(peer.absent)
    problem = Problem(shape, CPU)
    one = next(i for i in implementations(problem) if i.name == name)
    oracle = Oracle(problem)
    for which in ("forward", "training"):
        errors = oracle.errors(one, one.ready(problem, which)())
        assert max(errors.values()) < 2e-6
    assert set(errors) == {"y", *GRADIENTS}


@pytest.mark.parametrize("shape", SHAPES_HERE)
def test_every_implementation_that_is_here_agrees_with_float64(shape):
    problem = Problem(shape, CPU)
    oracle = Oracle(problem)
    here = [i for i in implementations(problem) if i.absent is None]
    assert {"cpu", "reference"} <= {i.name for i in here}
    assert any(i.op == "ss2d" for i in here) == shape.image
    for one in here:
        errors = oracle.errors(one, one.ready(problem, "training")())
        assert max(errors.values()) < 5e-6, (one.op, one.name, errors)


def test_the_oracle_notices_a_wrong_gradient_and_a_nan():
    problem = Problem(IMAGE, CPU)
    oracle = Oracle(problem)
    one = next(i for i in implementations(problem) if i.name == "reference")
    results = list(one.ready(problem, "training")())
    results[3] = results[3] * 1.01
    results[4] = torch.full_like(results[4], float("nan"))
    errors = oracle.errors(one, tuple(results))
    assert errors["dA"] == pytest.approx(0.01, rel=0.01)
    assert errors["dB"] == float("inf")
    assert errors["du"] < 1e-6


def test_relative_error_is_to_the_largest_magnitude():
    expected = torch.tensor([1.0, -4.0], dtype=torch.float64)
    assert relative_error(torch.tensor([1.0, -4.4]), expected) == pytest.approx(0.1, rel=1e-6)


def test_a_gpus_backend_says_that_there_is_none():
    absent = {i.name: i.absent for i in implementations(Problem(IMAGE, CPU))}
    gpu_only = [n for n in ("triton", "mamba-ssm") if n in absent]
    assert all(absent[name] == "no CUDA" for name in gpu_only)


def test_a_package_that_is_not_there_is_named():
    assert _missing("no_such_scan.inner", "scan") == "no-such-scan not installed"
    assert _missing("math", "no_such_name") == "math has no no_such_name"
    assert _missing("math", "sqrt") is None


def test_operations_are_those_that_torch_counts():
    problem = Problem(IMAGE, CPU)
    leaves = {n: t.detach().requires_grad_() for n, t in problem.sequences.items()}
    with FlopCounterMode(display=False) as forward:
        y = selective_scan(**leaves, delta_softplus=True, backend="reference")
    with FlopCounterMode(display=False) as backward:
        torch.autograd.grad(y, list(leaves.values()), problem.sequences_dy)
    flops = forward.get_total_flops()
    assert perfect_cost(IMAGE, "scan", "forward").flops == flops
    total = flops + backward.get_total_flops()
    assert perfect_cost(IMAGE, "scan", "training").flops == total


def test_bytes_are_counted_tensor_by_tensor():
    given = Problem(IMAGE, CPU)
    size = lambda *tensors: 4 * sum(t.numel() for t in tensors)  # noqa: E731
    s = given.sequences
    forward = size(s["u"], s["delta"], s["u"], s["B"], s["C"])
    assert perfect_cost(IMAGE, "scan", "forward").bytes == forward
    backward = size(*[s["u"]] * 5, *[s["B"]] * 4)
    assert perfect_cost(IMAGE, "scan", "training").bytes == forward + backward
    s = given.image
    forward = size(s["delta"], s["u"], s["u"], s["B"], s["C"])
    assert perfect_cost(IMAGE, "ss2d", "forward").bytes == forward
    backward = size(s["delta"], s["delta"], *[s["u"]] * 3, *[s["B"]] * 4)
    assert perfect_cost(IMAGE, "ss2d", "training").bytes == forward + backward


def test_a_large_shape_is_compared_with_fewer_channels_and_its_whole_length():
    small = comparable_shape(SHAPES["s1_1024"])
    assert small.length == 65536 and 1 <= small.d < SHAPES["s1_1024"].d
    assert small.elements * small.n <= MOST_UPDATES
    assert comparable_shape(SHAPES["s4_256"]) == SHAPES["s4_256"]


@pytest.mark.skipif(not can_measure(), reason="no resettable peak of the resident set here")
@pytest.mark.parametrize("mib", [8, 64])
def test_the_peak_of_a_call_is_what_it_allocates(mib):
    def call():
        temporary = torch.ones(mib * 2**18)
        return (temporary[:10].clone(),)

    call()
    peak = peak_extra_bytes(call, CPU)
    assert peak == pytest.approx(mib * 2**20, abs=2 * 2**20)


@pytest.mark.skipif(not can_measure(), reason="no resettable peak of the resident set here")
def test_memory_that_is_there_before_is_not_counted():
    kept = torch.ones(64 * 2**18)
    assert peak_extra_bytes(lambda: (kept.sum(),), CPU) < 8 * 2**20


def test_the_oracle_is_the_reference_in_float64():
    problem = Problem(SEQUENCE, CPU)
    given = {n: t.double() for n, t in problem.sequences.items()}
    y, _ = reference.forward(ScanInputs(**given, delta_softplus=True))
    one = next(i for i in implementations(problem) if i.name == "reference")
    assert Oracle(problem).errors(one, (y,)) == {"y": 0.0}
