"""What a model costs at a resolution: parameters and operations by part, module and operator."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from torch import nn

from remamber.models import Segmenter, parameter_counts
from remamber.plan.spec import ModelSpec
from remamber.tasks._flops_build import build_without_memory
from remamber.tasks._flops_ledger import Ledger, Line
from remamber.tasks._flops_memo import Memo
from remamber.tasks._flops_operators import SCAN, Cost
from remamber.tasks._flops_run import HollowModel

TEXT, TOTAL, OTHER = "text", "total", "other"
"""Of the parts of a model: its text encoder, all, and what belongs to none."""


@dataclass(frozen=True)
class Counts:
    """One image and one expression through a model.

    Attributes:
        side: of the image in pixels.
        tokens: of the expression.
        parameters: by part, frozen ones too, and ``total``.
        ledger: cost by module and operator.
        parts: part -> paths of its modules.
    """

    side: int
    tokens: int
    parameters: Mapping[str, int]
    ledger: Ledger
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def total(self) -> Cost:
        """Of everything, the text encoder too."""
        return _sum(self.ledger.values())

    def by_part(self) -> dict[str, Cost]:
        """The parts of the model, ``other`` what is in none of them; no total."""
        grouped = self._grouped(lambda line: self._part_of(line.module))
        costs = {part: grouped.get(part, Cost()) for part in self.parts}
        return costs | {p: c for p, c in grouped.items() if p not in costs and c.paper}

    def by_module(self, depth: int = 2) -> dict[str, Cost]:
        """Modules of the model, as many names deep."""
        return self._grouped(lambda line: ".".join(line.module.split(".")[:depth]) or OTHER)

    def by_operator(self) -> dict[str, Cost]:
        """Operators under the names that people use."""
        return self._grouped(lambda line: line.operator)

    def scan(self) -> Cost:
        """Of the selective scans alone."""
        return self.by_operator().get(SCAN, Cost())

    def unknown(self) -> dict[str, int]:
        """Operators whose cost is not known, and how often they were called."""
        lines = [(line.operator, cost) for line, cost in self.ledger.items() if not line.known]
        return {name: sum(c.calls for n, c in lines if n == name) for name, _ in lines}

    def _grouped(self, name: Callable[[Line], str]) -> dict[str, Cost]:
        groups: dict[str, list[Cost]] = {}
        for line, cost in self.ledger.items():
            groups.setdefault(name(line), []).append(cost)
        return {key: _sum(costs) for key, costs in groups.items()}

    def _part_of(self, module: str) -> str:
        """The part that a module is in, the innermost if parts hold each other."""
        inside = [
            (len(whole), part)
            for part, modules in self.parts.items()
            for whole in modules
            if module == whole or module.startswith(f"{whole}.")
        ]
        return max(inside)[1] if inside else OTHER


def count_costs(spec: ModelSpec, sides: Iterable[int], *, memo: Memo | None = None) -> list[Counts]:
    """Count a model at several resolutions; nothing of the size of its tensors is allocated.

    Args:
        spec: the model.
        sides: of the images in pixels.
        memo: shared by the models of a table; without one every module is counted anew.

    Raises:
        UserError: unknown model, fusion, scan ordering or option, or a side that is not a
            multiple of 32.
    """
    model = build_without_memory(spec)
    parameters, parts = parameter_counts(model), _paths(model)
    hollow, tokens = HollowModel(model, memo), model.tokenizer.length
    return [Counts(side, tokens, parameters, hollow.count(side), parts) for side in sides]


def _paths(model: Segmenter) -> dict[str, tuple[str, ...]]:
    names: dict[nn.Module, str] = {module: name for name, module in model.named_modules()}
    return {
        part: tuple(names[module] for module in modules) for part, modules in model.parts().items()
    }


def _sum(costs: Iterable[Cost]) -> Cost:
    total = Cost()
    for cost in costs:
        total = total.plus(cost)
    return total
