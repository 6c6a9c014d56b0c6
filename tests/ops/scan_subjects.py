"""A scan operator on one backend, as the contract tests see it: arguments, call, gradients."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from directional_cases import directional_arguments
from scan_cases import scan_arguments

from remamber.ops import FOUR_WAYS, directional_scan, selective_scan
from remamber.ops.backends import load_backend

NAMES = ("u", "delta", "A", "B", "C", "D", "delta_bias")


class Op(NamedTuple):
    """One operator.

    Attributes:
        name: of the public function and of ``torch.ops.remamber``.
        make: arguments by sizes.
        sizes: of a small case.
        least: of one that an interpreter takes in about a second.
        time: axes of the steps, from the end, where there are steps.
        call: values and a backend's name to y.
        channels: which of the sizes is d.
        settings: what stands between the tensors and the backend in the operator's schema.
    """

    name: str
    make: Callable
    sizes: tuple[int, ...]
    least: tuple[int, ...]
    time: tuple[int, ...]
    call: Callable
    channels: int
    settings: tuple


def _selective(values, backend):
    return selective_scan(**values, delta_softplus=True, backend=backend)


def _directional(values, backend):
    return directional_scan(**values, delta_softplus=True, directions=FOUR_WAYS, backend=backend)


SELECTIVE = Op(
    "selective_scan",
    scan_arguments,
    (2, 8, 37, 2, 4),
    (2, 4, 5, 2, 2),
    (-1,),
    _selective,
    1,
    (True,),
)
DIRECTIONAL = Op(
    "directional_scan",
    directional_arguments,
    (2, 4, 5, 7, 6, 2),
    (2, 4, 2, 3, 2, 1),
    (-3, -2),
    _directional,
    4,
    (True, list(FOUR_WAYS)),
)


class Subject(NamedTuple):
    """An operator on a backend; where a backend takes no CPU tensors, on CUDA."""

    op: Op
    backend: str

    @property
    def width(self):
        """The channels d of u."""
        return (self.op.least if self.interpreted else self.op.sizes)[self.op.channels]

    @property
    def device(self):
        takes = load_backend(self.backend).takes(torch.device("cpu"), torch.float32)
        return "cpu" if takes else "cuda"

    def steps(self, wished):
        """As many steps as this backend takes in seconds: loops and interpreters take fewer."""
        if self.backend == "reference":
            return min(wished, 2000)
        return min(wished, 300) if self.interpreted else wished

    @property
    def interpreted(self):
        """Whether a compiled language is only imitated, a thousand times slower."""
        return self.device == "cpu" and self.backend not in ("cpu", "reference")

    def affordable(self, b, d, length, n, g):
        """Sizes of a selective scan; fewer channels and steps under an interpreter."""
        if not self.interpreted:
            return b, d, length, n, g
        return b, min(d, 12 // g * g), min(length, 140), n, g

    def arguments(self, *sizes, dtype=torch.float32):
        small = self.op.least if self.interpreted else self.op.sizes
        made = self.op.make(*(sizes or small), dtype=dtype)
        return {name: value.to(self.device) for name, value in made.items()}

    def __call__(self, values):
        return self.op.call(values, self.backend)

    def reference(self):
        return Subject(self.op, "reference")

    def with_gradients(self, values):
        """y and the gradient of a fixed random sum of it by every argument that wants one."""
        leaves = {n: v.detach().clone().requires_grad_() for n, v in values.items()}
        y = self(leaves)
        generator = torch.Generator().manual_seed(1)
        weights = torch.randn(y.shape, generator=generator).to(y.device)
        y.backward(weights.to(y.dtype))
        return {"y": y.detach()} | {f"d_{name}": leaf.grad for name, leaf in leaves.items()}

    def operator(self, values):
        """The registered operator's own result, y and the states."""
        return self.operators[0](*values.values(), *self.op.settings, self.backend)

    @property
    def operators(self):
        """The registered forward and backward."""
        library = torch.ops.remamber
        return getattr(library, self.op.name), getattr(library, f"{self.op.name}_backward")
