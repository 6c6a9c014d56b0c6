"""Operators counted while a model runs, by the module that called them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from remamber.tasks._flops_operators import Cost, counted


class Line(NamedTuple):
    """What a line of a ledger is about.

    Attributes:
        module: path of the module that called the operator, from the ledger's own module.
        operator: its name for people.
        known: whether its cost is known.
    """

    module: str
    operator: str
    known: bool


Ledger = dict[Line, Cost]


class Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts every operator under the module that is running, each module on a page of its own.

    Attributes:
        pages: ledgers of the modules that are running, the innermost last.
        names: their names.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.pages: list[Ledger] = [{}]
        self.names: list[str] = [""]

    @contextmanager
    def page(self, name: str) -> Iterator[Ledger]:
        """A ledger for a module that runs; whoever opens it adds it to the caller's."""
        page: Ledger = {}
        self.pages.append(page)
        self.names.append(name)
        try:
            yield page
        finally:
            self.pages.pop()
            self.names.pop()

    def add(self, name: str, page: Mapping[Line, Cost]) -> None:
        """Enter a module's ledger into its caller's.

        Args:
            name: the module's in the model. What the caller does not contain is entered under
                its whole name.
            page: its ledger.
        """
        caller = self.names[-1]
        inside = name.startswith(f"{caller}.") if caller else True
        relative = name[len(caller) + bool(caller) :] if inside else name
        for line, cost in page.items():
            path = ".".join(part for part in (relative, line.module) if part)
            self._enter(line._replace(module=path), cost)

    def _enter(self, line: Line, cost: Cost) -> None:
        page = self.pages[-1]
        page[line] = page[line].plus(cost) if line in page else cost

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> object:
        """Run an operator and count it."""
        out = func(*args, **(kwargs or {}))
        call = counted(func, args, kwargs or {}, out)
        if call is not None:
            self._enter(Line("", call.operator, call.known), call.cost)
        return out
