"""The shelves: from a name on the command line to the entry that a file registers.

A shelf's names are read from its files' syntax trees, so that ``list``, ``--help`` and the
check of a study know every name without importing torch; ``get`` imports the one file it needs.
"""

import ast
import difflib
import importlib
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from remamber.errors import ExitCode, UserError

T = TypeVar("T")


class Entry(NamedTuple):
    """One name on a shelf: where it is defined and the first line of what it says of itself.

    ``options`` are the literal of that name in a class: what a spec may choose of the entry.
    """

    name: str
    module: str
    summary: str
    options: Mapping[str, Any] = MappingProxyType({})


class Shelf:
    """A plural package (or one module) whose ``@register("name")`` definitions are its entries.

    Args:
        package: dotted name of the package or module; also the entry-point group by which
            another installed package adds entries.
        noun: what one entry is called in messages.
    """

    def __init__(self, package: str, *, noun: str) -> None:
        self.package = package
        self.noun = noun
        self._loaded: dict[str, Any] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that puts a class or function on the shelf under a kebab-case name."""

        def put(entry: T) -> T:
            self._loaded[name] = entry
            return entry

        return put

    @cached_property
    def _own(self) -> dict[str, Entry]:
        return {e.name: e for path in self._files() for e in _registered(path, self.package)}

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """All entries by name, own files first, then those of other installed packages."""
        found = dict(self._own)
        for point in entry_points(group=self.package):
            found.setdefault(point.name, Entry(point.name, point.module, f"from {point.value}"))
        return found

    def names(self) -> list[str]:
        """Names of all entries, in the order of their files."""
        return list(self.entries)

    def get(self, name: str) -> Any:  # noqa: ANN401 - each shelf's __init__ gives the type
        """The entry of that name.

        Raises:
            UserError: no such entry, the message lists the known names and the nearest; or
                another package's cannot be loaded.
        """
        if name not in self._loaded:
            self.require(name)
            if name in self._own:
                importlib.import_module(self._own[name].module)
            else:
                self._loaded[name] = self._foreign(name)
        return self._loaded[name]

    def options(self, name: str) -> Mapping[str, Any]:
        """What a spec may choose of an entry; one of another package is loaded for it.

        Raises:
            UserError: as ``get``.
        """
        self.require_usable(name)
        if name in self._own:
            return self._own[name].options
        found: Mapping[str, Any] = getattr(self.get(name), "options", {})
        return found

    def require_usable(self, name: str) -> None:
        """Raise a UserError unless the entry is there and, of another package, can be loaded."""
        self.require(name)
        if name not in self._own:
            self.get(name)

    def _foreign(self, name: str) -> Any:  # noqa: ANN401 - as ``get``
        point = {p.name: p for p in entry_points(group=self.package)}[name]
        try:
            return point.load()
        except Exception as error:  # another package's code may raise anything
            package = point.dist.name if point.dist is not None else point.module
            raise UserError(
                f"{self.noun} '{name}' of the package {package} cannot be loaded",
                where=[f"{point.value}: {type(error).__name__}: {error}"],
                fix=[f"pip install --force-reinstall {package}, or correct its entry point"],
                exit_code=ExitCode.MISSING,
                slug="entry_point_broken",
            ) from error

    def require(self, name: str) -> None:
        """Raise a UserError that names the nearest entry unless ``name`` is on the shelf."""
        if name not in self.entries:
            raise unknown(self.noun, name, self.names())

    def _files(self) -> list[Path]:
        base = Path(__file__).parent.joinpath(*self.package.split(".")[1:])
        if not base.is_dir():
            return [base.with_suffix(".py")]
        return sorted(p for p in base.glob("*.py") if not p.name.startswith("_"))


def unknown(noun: str, name: str, known: Iterable[str], *, where: Iterable[str] = ()) -> UserError:
    """The error for a name that does not exist: the nearest name and all that do."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    fix = [f"did you mean '{near[0]}'?"] if near else []
    return UserError(
        f"unknown {noun} '{name}'",
        where=[*where, f"known  {', '.join(known)}"],
        fix=fix or [f"choose one of {', '.join(known)}"],
        slug=f"unknown_{noun.replace(' ', '_')}",
    )


def _registered(path: Path, package: str) -> list[Entry]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    in_folder = path.parent.name == package.rpartition(".")[2]
    module = f"{package}.{path.stem}" if in_folder else package
    return [
        Entry(name, module, (ast.get_docstring(node) or "").split("\n", 1)[0], _options(node))
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
        for decorator in node.decorator_list
        for name in _name_of(decorator)
    ]


def _options(node: ast.ClassDef | ast.FunctionDef) -> Mapping[str, Any]:
    """The literal that a class body gives the name ``options``, empty without one."""
    for line in node.body:
        match line:
            case ast.Assign(targets=[ast.Name(id="options")], value=ast.Dict() as found):
                return MappingProxyType(ast.literal_eval(found))
            case ast.AnnAssign(target=ast.Name(id="options"), value=ast.Dict() as found):
                return MappingProxyType(ast.literal_eval(found))
    return MappingProxyType({})


def _name_of(decorator: ast.expr) -> list[str]:
    match decorator:
        case ast.Call(func=ast.Name(id="register"), args=[ast.Constant(value=str(name)), *_]):
            return [name]
        case _:
            return []


FUSIONS = Shelf("remamber.fusions", noun="fusion variant")
SCAN_ORDERS = Shelf("remamber.fusions._scan_order", noun="scan ordering")
MODELS = Shelf("remamber.models", noun="model")
DATASETS = Shelf("remamber.datasets", noun="data set")
TASKS = Shelf("remamber.tasks", noun="task")
LAUNCHERS = Shelf("remamber.launch", noun="launcher")
FIGURES = Shelf("remamber.figures", noun="figure")
