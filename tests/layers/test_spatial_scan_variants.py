"""What every spatial scan promises: the release's, with fewer directions, and Mamba-2's."""

import functools
import inspect

import pytest
import torch

from remamber.layers.dual_scan import DualSSM, dual_spatial_scan
from remamber.layers.spatial_scan import SpatialScan
from remamber.layers.ssm import SelectiveSSM
from remamber.ops import FOUR_WAYS, SPATIAL_DIRECTIONS, directional_scan, ssd_scan

IN, OUT, SIZE = 9, 6, (5, 4)
D = 12
SSMS = {"selective": functools.partial(SelectiveSSM, dt_rank=2), "ssd": DualSSM}
SCANS = {"selective": SpatialScan, "ssd": dual_spatial_scan}


@pytest.fixture(params=SPATIAL_DIRECTIONS)
def directions(request):
    return SPATIAL_DIRECTIONS[request.param]


@pytest.fixture(params=SCANS)
def kind(request):
    return request.param


@pytest.fixture
def scan(kind, directions):
    return SCANS[kind](IN, OUT, directions=directions)


@pytest.fixture
def ssm(kind, directions):
    return SSMS[kind](D, directions=directions)


def test_four_directions_are_the_default_everywhere():
    assert SPATIAL_DIRECTIONS["four"] == FOUR_WAYS
    for make in (SpatialScan, dual_spatial_scan, SelectiveSSM, DualSSM):
        assert inspect.signature(make).parameters["directions"].default == FOUR_WAYS


@pytest.mark.parametrize("size", [SIZE, (1, 1), (1, 7), (8, 3)])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_any_size_keeps_its_shape(scan, size, memory_format):
    x = torch.randn(2, IN, *size)
    y = scan(x.to(memory_format=memory_format))
    assert (y.shape, y.dtype) == ((2, OUT, *size), x.dtype)
    assert torch.isfinite(y).all()
    torch.testing.assert_close(y, scan(x), atol=1e-6, rtol=1e-5)


def test_the_ssm_within_reads_in_the_directions_asked_for(scan, directions):
    assert scan.ssm.directions == directions
    assert {len(p) % len(directions) for p in scan.ssm.parameters()} == {0}
    assert len(scan.ssm.x_proj_weight) == len(directions)


def test_gradients_reach_the_map_and_every_parameter_of_every_direction(scan, directions):
    x = torch.randn(2, IN, *SIZE, requires_grad=True)
    (scan(x) * torch.randn(2, OUT, *SIZE)).sum().backward()
    gradients = {"x": x.grad} | {name: p.grad for name, p in scan.named_parameters()}
    for name, gradient in gradients.items():
        assert torch.isfinite(gradient).all(), name
        sets = len(directions) if name.startswith("ssm.") else 1
        assert all(part.any() for part in gradient.chunk(sets)), name


def test_samples_are_independent(scan):
    x = torch.randn(3, IN, *SIZE)
    alone = torch.cat([scan(x[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(scan(x), alone, atol=1e-6, rtol=1e-5)


def test_it_is_deterministic(scan):
    x = torch.randn(2, IN, *SIZE)
    assert torch.equal(scan(x), scan(x))


def test_a_position_reaches_what_its_directions_lead_to(ssm, directions):
    u = torch.randn(1, *SIZE, D)
    changed = u.clone()
    changed[0, 2, 1] += 1
    reached = (ssm(u) != ssm(changed)).any(dim=3).flatten()
    at = 2 * SIZE[1] + 1
    expected = torch.ones_like(reached)
    if directions == (0,):
        expected[:at] = False
    assert torch.equal(reached, expected)


def test_all_directions_are_the_sum_of_each_alone(kind):
    """With its own parameters, which are those of its place among the directions."""
    together, u = SSMS[kind](D), torch.randn(2, *SIZE, D)
    total = torch.zeros(2, *SIZE, D)
    for i, way in enumerate(FOUR_WAYS):
        alone = SSMS[kind](D, directions=(way,))
        state = {n: v.chunk(4)[i].clone() for n, v in together.state_dict().items()}
        alone.load_state_dict(state)
        total += alone(u)
    torch.testing.assert_close(together(u), total, atol=1e-5, rtol=1e-5)


def test_what_is_drawn_after_the_ssm_does_not_depend_on_the_directions(kind):
    starts = []
    for ways in SPATIAL_DIRECTIONS.values():
        torch.manual_seed(3)
        starts.append(SCANS[kind](IN, OUT, directions=ways).state_dict())
    for other in starts[1:]:
        for name, value in starts[0].items():
            k = 1 if not name.startswith("ssm.") else None
            if k or kind == "selective":
                assert torch.equal(value[: other[name].shape[0]], other[name]), name


def test_around_another_ssm_projections_convolution_and_norm_start_equal():
    starts = []
    for make in SCANS.values():
        torch.manual_seed(3)
        starts.append({n: v for n, v in make(IN, OUT).state_dict().items() if "ssm." not in n})
    one, two = starts
    assert one.keys() == two.keys() and len(one) == 5
    assert all(torch.equal(value, two[name]) for name, value in one.items())


@pytest.mark.parametrize("width", [12, 64, 192])
def test_the_dual_ssm_is_the_directional_scan_with_one_decay_a_head(width, directions):
    ssm, u = DualSSM(width, d_state=3, directions=directions).double(), torch.randn(2, 3, 4, width)
    u = u.double()
    k, m, p = len(directions), ssm.dt_bias.shape[1], ssm.head_width
    assert m * p == width and p == min(64, width & -width)
    projected = torch.einsum("b h w d, k e d -> b k h w e", u, ssm.x_proj_weight)
    dt, B, C = projected.split([m, 3, 3], dim=-1)
    y = directional_scan(
        u,
        dt.repeat_interleave(p, dim=-1),
        -torch.exp(ssm.A_logs).repeat_interleave(p, dim=1).view(k * width, 1).expand(-1, 3),
        B,
        C,
        ssm.Ds.repeat_interleave(p, dim=1).flatten(),
        ssm.dt_bias.repeat_interleave(p, dim=1).flatten(),
        True,
        directions=directions,
        backend="reference",
    )
    torch.testing.assert_close(ssm(u), y, atol=1e-10, rtol=1e-10)


def test_the_dual_ssm_has_these_names_and_shapes():
    found = {n: tuple(v.shape) for n, v in DualSSM(192, d_state=5).state_dict().items()}
    expected = {"x_proj_weight": (4, 13, 192), "dt_bias": (4, 3), "A_logs": (4, 3), "Ds": (4, 3)}
    assert found == expected


def test_the_dual_ssm_starts_as_mamba_2_does():
    ssm = DualSSM(64 * 256)
    sizes = torch.nn.functional.softplus(ssm.dt_bias.detach())
    rates = ssm.A_logs.detach().exp()
    assert 1e-3 * 0.999 <= sizes.min() < 2e-3 and 5e-2 < sizes.max() <= 1e-1 * 1.001
    assert 1 <= rates.min() < 1.5 and 15.5 < rates.max() <= 16 * 1.001
    assert (ssm.Ds == 1).all()


def test_mixed_precision_scans_in_single_precision(scan):
    x = torch.randn(2, IN, *SIZE)
    exact = scan(x)
    with torch.autocast("cpu", torch.bfloat16):
        rough = scan(x)
        inner = scan.ssm(torch.randn(1, 2, 3, 2 * OUT, dtype=torch.bfloat16))
    assert inner.dtype == torch.float32
    torch.testing.assert_close(rough.float(), exact, atol=0.05, rtol=0.05)


def test_the_dual_scan_runs_outside_mixed_precision(monkeypatch):
    seen = []

    def listening(*tensors):
        seen.append((torch.is_autocast_enabled("cpu"), {t.dtype for t in tensors}))
        return ssd_scan(*tensors)

    monkeypatch.setattr("remamber.layers.dual_scan.ssd_scan", listening)
    with torch.autocast("cpu", torch.bfloat16):
        dual_spatial_scan(IN, OUT)(torch.randn(1, IN, *SIZE))
    assert seen == [(False, {torch.float32})]


def test_it_compiles_as_one_graph(kind):
    torch._dynamo.reset()
    scan, x = SCANS[kind](IN, OUT, directions=SPATIAL_DIRECTIONS["two"]), torch.randn(2, IN, *SIZE)
    compiled = torch.compile(scan, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), scan(x), atol=1e-6, rtol=1e-5)
