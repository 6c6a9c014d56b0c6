"""What a module costs on inputs of given shapes, remembered for all modules built like it.

The cost of a pass depends on what a module is made of and on the shapes that it is given. Both
are compared in full, so that what is remembered was counted on an equal module and equal shapes.
"""

import types
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from remamber.tasks._flops_ledger import Ledger

_ONLY_IN_TRAINING = ("DropPath", "SwinDropPath", "Dropout")
"""Modules that in evaluation give what they are given, whatever their rate is."""

_OF_TORCH = frozenset(vars(nn.Module())) - {"training"}
"""Attributes that every module has: parts, parameters and hooks."""


class Layout(NamedTuple):
    """All of a tensor but its values."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device

    def make(self) -> Tensor:
        """An empty tensor that is laid out so."""
        return torch.empty_strided(self.shape, self.stride, dtype=self.dtype, device=self.device)


class Remembered(NamedTuple):
    """A pass of a module: its ledger, and its result but for the values."""

    ledger: Ledger
    leaves: tuple[object, ...]
    tree: pytree.TreeSpec

    def result(self) -> object:
        """The result with empty tensors."""
        leaves = [leaf.make() if isinstance(leaf, Layout) else leaf for leaf in self.leaves]
        return pytree.tree_unflatten(leaves, self.tree)


class Memo:
    """Costs by a module's structure and its inputs' shapes; one for all models of a table."""

    def __init__(self) -> None:
        self._passes: dict[Hashable, Remembered] = {}
        self._numbers: dict[Hashable, int] = {}
        self._things: dict[int, tuple[object, Hashable]] = {}

    def __len__(self) -> int:
        """Different passes that are remembered."""
        return len(self._passes)

    def find(self, key: Hashable) -> Remembered | None:
        """The pass of that key, None if there was none."""
        return self._passes.get(key)

    def keep(self, key: Hashable, ledger: Ledger, result: object) -> None:
        """Remember a pass."""
        leaves, tree = pytree.tree_flatten(result)
        self._passes[key] = Remembered(ledger, tuple(map(_laid_out, leaves)), tree)

    def key(self, structure: int, args: tuple[object, ...], kwargs: dict[str, object]) -> Hashable:
        """A module's structure and what it is given, values of tensors apart."""
        leaves, tree = pytree.tree_flatten((args, kwargs))
        return structure, tree, tuple(map(self._plain, map(_laid_out, leaves)))

    def structures(self, model: nn.Module) -> dict[nn.Module, int]:
        """A number for every module; equal ones are built alike, down to the last part."""
        numbers: dict[nn.Module, int] = {}
        for module in reversed(list(model.modules())):
            self._number(module, numbers)
        return numbers

    def _number(self, module: nn.Module, numbers: dict[nn.Module, int]) -> int:
        if module not in numbers:
            parts = [(n, self._number(m, numbers)) for n, m in module.named_children()]
            inert = type(module).__name__ in _ONLY_IN_TRAINING and not module.training
            own = {} if inert else vars(module)
            facts = (type(module), tuple(parts), _tensors(module), self._attributes(own))
            numbers[module] = self._numbers.setdefault(facts, len(self._numbers))
        return numbers[module]

    def _attributes(self, own: Mapping[str, object]) -> Hashable:
        return tuple(
            (name, self._plain(value)) for name, value in own.items() if name not in _OF_TORCH
        )

    def _plain(self, value: Any) -> Hashable:  # noqa: ANN401 - any attribute
        """What a value says, told apart by type; of a thing that cannot be read, which it is."""
        kind = type(value)
        if value is None or kind in (bool, int, float, str, Layout, torch.dtype, torch.device):
            return kind, value
        if isinstance(value, tuple | list):
            return kind, tuple(map(self._plain, value))
        if isinstance(value, set | frozenset):
            return kind, frozenset(map(self._plain, value))
        if isinstance(value, dict):
            return kind, self._items(value.items())
        if isinstance(value, type) or _is_plain_function(value):
            return value.__module__, value.__qualname__
        if id(value) not in self._things:
            readable = hasattr(value, "to_json_string")
            said = value.to_json_string(use_diff=False) if readable else id(value)
            # The thing is kept too, so that no other can take its number.
            self._things[id(value)] = value, (kind, said)
        return self._things[id(value)][1]

    def _items(self, items: Iterable[tuple[object, object]]) -> Hashable:
        return tuple((self._plain(key), self._plain(value)) for key, value in items)


def _laid_out(value: object) -> object:
    if not isinstance(value, Tensor):
        return value
    return Layout(tuple(value.shape), value.stride(), value.dtype, value.device)


def _tensors(module: nn.Module) -> Hashable:
    """Own parameters and buffers; one that stands twice shows, for then it is found once."""
    parameters = dict(module.named_parameters(recurse=False, remove_duplicate=False))
    buffers = dict(module.named_buffers(recurse=False, remove_duplicate=False))
    return tuple((name, _laid_out(t)) for name, t in (*parameters.items(), *buffers.items()))


def _is_plain_function(value: object) -> bool:
    if isinstance(value, types.BuiltinFunctionType):
        return True
    return isinstance(value, types.FunctionType) and value.__closure__ is None
