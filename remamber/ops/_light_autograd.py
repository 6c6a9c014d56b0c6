"""A gradient for an operator, with fewer Python layers than ``torch.library.register_autograd``.

The same place in the dispatcher and the same two functions; only what the scans do not need is
left out (keyword arguments, ``out=``, defaults, lists of tensors).
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

from remamber.errors import UserError

Value: TypeAlias = Any
"""Whatever the operator's schema takes."""
Save: TypeAlias = Callable[[Any, tuple[Any, ...], Any], None]
"""``save(ctx, inputs, output)`` keeps on the context what the gradient will need."""
Gradient: TypeAlias = Callable[..., tuple[Tensor | None, ...]]
"""``gradient(ctx, *gradients of the outputs)``, one result for each input."""


def register_gradient(library: Value, name: str, *, save: Save, gradient: Gradient) -> None:
    """Register a gradient under the dispatcher's Autograd key.

    Args:
        library: the ``torch.library.Library`` that defined the operator.
        name: the operator's name, without the namespace.
        save: see ``Save``.
        gradient: see ``Gradient``.
    """
    operator = getattr(getattr(torch.ops, library.ns), name).default

    def below(*arguments: Value) -> Value:
        with torch._C._AutoDispatchBelowAutograd():
            return operator(*arguments)

    def forward(ctx: Value, *arguments: Value) -> Value:
        output = below(*arguments)
        save(ctx, arguments, output)
        return output

    body = {"forward": staticmethod(forward), "backward": staticmethod(gradient)}
    recorded: Value = type(f"{name}_gradient", (torch.autograd.Function,), body)

    def autograd(*arguments: Value) -> Value:
        if torch.is_grad_enabled() and torch._C._any_requires_grad(*arguments):
            if torch._C._are_functorch_transforms_active():
                raise UserError(
                    f"{name} has no gradient for torch.func's transforms",
                    fix=["compute it with torch.autograd.grad or backward()"],
                    slug="scan_derivative",
                )
            return recorded.apply(*arguments)
        return below(*arguments)

    library.impl(name, autograd, "Autograd")
