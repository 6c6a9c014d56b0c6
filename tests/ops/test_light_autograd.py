import pytest
import torch

from remamber.errors import UserError
from remamber.ops._light_autograd import register_gradient


@pytest.fixture(scope="module")
def double():
    """An operator that doubles, with a gradient that says which inputs it was given."""
    library = torch.library.Library("remamber_test", "DEF")
    library.define("double(Tensor x, Tensor? unused, float by) -> Tensor")
    library.impl("double", lambda x, unused, by: x * by, "CompositeExplicitAutograd")
    torch.library.register_fake(
        "remamber_test::double", lambda x, unused, by: torch.empty_like(x), lib=library
    )

    def save(ctx, inputs, output):
        ctx.by = inputs[2]

    register_gradient(
        library, "double", save=save, gradient=lambda ctx, dy: (dy * ctx.by, None, None)
    )
    yield torch.ops.remamber_test.double
    library._destroy()


def test_the_gradient_is_the_one_registered(double):
    x = torch.randn(3, requires_grad=True)
    double(x, None, 2.0).sum().backward()
    assert torch.equal(x.grad, torch.full((3,), 2.0))


def test_nothing_is_recorded_where_nothing_wants_a_gradient(double):
    x = torch.randn(3)
    assert double(x, None, 2.0).grad_fn is None
    with torch.no_grad():
        assert double(x.requires_grad_(), None, 2.0).grad_fn is None
    with torch.inference_mode():
        assert not double(x, None, 2.0).requires_grad


def test_it_passes_torchs_own_checks(double):
    torch.library.opcheck(double.default, (torch.randn(3, requires_grad=True), None, 2.0))


def test_it_is_one_node_of_a_compiled_graph(double):
    compiled = torch.compile(
        lambda x: double(x, None, 2.0).sin(), fullgraph=True, backend="aot_eager"
    )
    x = torch.randn(3, requires_grad=True)
    compiled(x).sum().backward()
    torch.testing.assert_close(x.grad, (2 * x).cos().detach() * 2)


def test_torch_func_is_refused_in_our_words(double):
    with pytest.raises(UserError, match="no gradient for torch.func") as refused:
        torch.func.grad(lambda x: double(x, None, 2.0).sum())(torch.randn(3))
    assert "torch.autograd.grad" in refused.value.fix[0]
