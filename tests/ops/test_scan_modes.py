"""The scans under torch's own machinery: compilation, fake tensors, precision modes, functorch."""

import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from scan_subjects import NAMES
from torch._subclasses.fake_tensor import FakeTensorMode

from remamber.errors import UserError


def loss_and_gradients(function, values):
    leaves = {n: v.detach().clone().requires_grad_() for n, v in values.items()}
    y = function(leaves)
    return [y.detach(), *torch.autograd.grad(y.square().sum(), list(leaves.values()))]


def close(found, expected):
    for name, mine, theirs in zip(("y", *NAMES), found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, msg=lambda text, n=name: f"{n}: {text}")


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
@pytest.mark.parametrize(
    "compiler",
    [
        "aot_eager",
        pytest.param(
            "inductor",
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(
                    shutil.which("g++") is None, reason="inductor needs a C++ compiler: no g++"
                ),
            ],
        ),
    ],
)
def test_forward_and_backward_compile_as_one_graph(either, compiler):
    def model(values):
        return either({n: v * 1.5 if n == "u" else v for n, v in values.items()}).sin()

    compiled = torch.compile(model, fullgraph=True, backend=compiler)
    values = either.arguments()
    close(loss_and_gradients(compiled, values), loss_and_gradients(model, values))


def test_one_compiled_graph_serves_every_length(scan):
    compiled = torch.compile(scan, fullgraph=True, backend="aot_eager", dynamic=True)
    torch._dynamo.reset()
    with torch._dynamo.config.patch(error_on_recompile=True):
        for length in (300, 137, 777):
            values = scan.arguments(2, 8, length, 2, 4)
            close(loss_and_gradients(compiled, values), loss_and_gradients(scan, values))


@pytest.mark.parametrize("name", NAMES)
def test_one_argument_may_want_its_gradient_alone(either, name):
    values = either.arguments()
    expected = either.with_gradients(values)
    leaf = values[name].requires_grad_()
    y = either(values)
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(y.shape, generator=generator).to(y.device)
    y.backward(weights)
    assert torch.equal(leaf.grad, expected[f"d_{name}"])
    assert all(v.grad is None for n, v in values.items() if n != name)


def test_without_gradients_wanted_none_is_recorded(either):
    assert not either(either.arguments()).requires_grad
    values = {n: v.requires_grad_() for n, v in either.arguments().items()}
    with torch.no_grad():
        assert not either(values).requires_grad


def test_two_uses_of_one_tensor_add_their_gradients(either):
    values = either.arguments()
    single = either.with_gradients(values)
    leaf = values["u"].clone().requires_grad_()
    y = either(values | {"u": leaf}) + either(values | {"u": leaf})
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(y.device)
    y.backward(weights)
    torch.testing.assert_close(leaf.grad, 2 * single["d_u"])


def test_a_second_derivative_is_refused_rather_than_wrong(either):
    values = {n: v.requires_grad_() for n, v in either.arguments().items()}
    with pytest.raises(UserError, match="_scan has no second derivative"):
        torch.autograd.grad(either(values).sum(), values["u"], create_graph=True)


def test_inference_mode_gives_the_same_bits(either):
    values = either.arguments()
    expected = either(values)
    with torch.inference_mode():
        assert torch.equal(either(values), expected)


def test_autocast_leaves_the_scan_in_the_precision_it_is_given(either):
    values = {n: v.requires_grad_() for n, v in either.arguments().items()}
    expected = loss_and_gradients(either, values)
    with torch.autocast(either.device, torch.bfloat16):
        found = loss_and_gradients(either, values)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.interpreted
def test_under_autocast_the_outputs_of_low_precision_layers_are_taken(either):
    values = either.arguments()
    mix = torch.randn(either.width, either.width, device=either.device, requires_grad=True)
    axes = "bdl,de->bel" if either.op.name == "selective_scan" else "bhwd,de->bhwe"
    with torch.autocast(either.device, torch.bfloat16):
        u = torch.einsum(axes, values["u"], mix)
        assert u.dtype == torch.bfloat16
        y = either(values | {"u": u})
    y.float().square().mean().backward()
    assert y.isfinite().all()
    assert mix.grad.isfinite().all() and mix.grad.abs().max() > 0


def test_fake_tensors_have_the_shape_dtype_and_layout_of_real_ones(either):
    values = either.arguments()
    real = either.with_gradients(values)
    with FakeTensorMode() as mode:
        leaves = {n: mode.from_tensor(v).requires_grad_() for n, v in values.items()}
        y = either(leaves)
        y.sum().backward()
    fake = {"y": y} | {f"d_{n}": leaf.grad for n, leaf in leaves.items()}
    for name, value in real.items():
        assert (fake[name].shape, fake[name].dtype) == (value.shape, value.dtype), name
    assert fake["y"].stride() == real["y"].stride()


def test_meta_tensors_give_a_shape_without_a_backend(either):
    values = {n: v.to("meta") for n, v in either.arguments().items()}
    auto = either._replace(backend="auto")
    y = auto(values)
    assert y.device.type == "meta"
    assert y.shape == either(either.arguments()).shape


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("full", [True, False])
def test_torch_finds_both_operators_well_registered(either, dtype, full):
    values = either.arguments()
    if not full:
        values |= {"D": None, "delta_bias": None}
    low = {n: v.to(dtype) if n in ("u", "delta", "B", "C") else v for n, v in values.items()}
    settings = (*either.op.settings, either.backend)
    forward, backward = either.operators
    leaves = [v if v is None else v.requires_grad_() for v in low.values()]
    torch.library.opcheck(forward.default, (*leaves, *settings))
    given = [v if v is None else v.detach() for v in low.values()]
    y, states = forward(*given, *settings)
    upstream = (torch.ones_like(y), torch.zeros_like(states))
    if either.op.name == "directional_scan":
        upstream = upstream[:1]
    torch.library.opcheck(backward.default, (*upstream, states, *given, *settings))


def test_vmap_works_or_says_that_it_does_not(either):
    values = either.arguments()
    stacked = torch.stack([values["u"], values["u"] + 1])
    expected = torch.stack([either(values | {"u": u}) for u in stacked])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="There is a performance drop")
        try:
            found = torch.vmap(lambda u: either(values | {"u": u}))(stacked)
        except (RuntimeError, UserError) as refusal:
            assert "vmap" in str(refusal) or "functorch" in str(refusal)
            return
    torch.testing.assert_close(found, expected)


def test_functional_gradients_are_autograds_or_refused(either):
    values = either.arguments()
    leaf = values["u"].clone().requires_grad_()
    (expected,) = torch.autograd.grad(either(values | {"u": leaf}).sum(), leaf)
    try:
        found = torch.func.grad(lambda u: either(values | {"u": u}).sum())(values["u"])
    except UserError as refusal:
        assert "no gradient for torch.func" in refusal.what
        return
    torch.testing.assert_close(found, expected)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
def test_forward_mode_gradients_are_refused_rather_than_dropped(either):
    values = either.arguments()
    u, tangent = values["u"], torch.ones_like(values["u"])
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(u, tangent)
        with pytest.raises(UserError, match="u has a tangent, but forward-mode gradients"):
            either(values | {"u": dual})
        assert torch.equal(either(values), either.op.call(values, either.backend))
    with pytest.raises(UserError, match="u has a tangent"):
        torch.func.jvp(lambda u: either(values | {"u": u}), (u,), (tangent,))


def test_an_argument_changed_before_the_backward_is_noticed(either):
    values = either.arguments()
    leaf = values["delta"].requires_grad_()
    y = either(values)
    values["u"].add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
    assert leaf.grad is None


def test_a_kept_graph_gives_the_same_gradients_again(either):
    values = {n: v.requires_grad_() for n, v in either.arguments().items()}
    y = either(values)
    first = torch.autograd.grad(y.sum(), list(values.values()), retain_graph=True)
    second = torch.autograd.grad(y.sum(), list(values.values()))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_recomputing_it_in_the_backward_gives_the_same_bits(either):
    from torch.utils.checkpoint import checkpoint

    values = {n: v.requires_grad_() for n, v in either.arguments().items()}
    expected = torch.autograd.grad(either(values).square().sum(), list(values.values()))
    y = checkpoint(either, values, use_reentrant=False)
    found = torch.autograd.grad(y.square().sum(), list(values.values()))
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_calls_from_several_threads_at_once_do_not_mix(either):
    cases = [either.arguments() | {"u": either.arguments()["u"] + i} for i in range(4)]
    expected = [either.with_gradients(values) for values in cases]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(either.with_gradients, cases * 2))
    for mine, theirs in zip(found, expected * 2, strict=True):
        assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
