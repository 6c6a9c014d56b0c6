"""The skeleton of a fusion variant: its names, its file, and what to do with it."""

import ast
import importlib.util
import keyword
import re
from importlib.resources import files
from pathlib import Path
from string import Template

from remamber.cli._settings import require_writable
from remamber.errors import UserError
from remamber.record.files import write_whole
from remamber.registry import FUSIONS

SHELF = Path("remamber/fusions")
"""The shelf, seen from the root of a checkout."""

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 60


def write_skeleton(name: str, folder: Path) -> Path:
    """Write ``NAME.py`` with a fusion variant that works.

    Args:
        name: on the command line and in studies, in kebab-case.
        folder: made if it is not there.

    Raises:
        UserError: the name is not kebab-case or taken, also by a module or by what the skeleton
            imports, or the file is there already (exit 2);
            the folder cannot be written (exit 3).
    """
    _require_name(name)
    path = folder / f"{name.replace('-', '_')}.py"
    if path.exists():
        raise UserError(
            f"{path} is there already",
            fix=["choose another name, or move that file away"],
            slug="file_exists",
            path=str(path),
        )
    require_writable(folder.absolute(), what="the folder", option="--to")
    if not (folder / "__init__.py").exists() and importlib.util.find_spec(path.stem):
        raise _taken(name, f"'{path.stem}' is a module already, which {path} would hide")
    write_whole(path, _skeleton(name).encode())
    return path


def next_steps(name: str, path: Path, *, on_shelf: bool) -> list[str]:
    """What to do with the file, as lines that can be pasted."""
    measure = f"  remamber-bench ablate fusion --only twister --only {name}"
    if on_shelf:
        test = f"  pytest tests/fusions/test_fusion_contract.py -k {name}"
        return ["it is on the shelf; next:", test, measure]
    class_name = _class_name(name)
    return [
        "name it in the pyproject.toml of your package, and install that beside this one:",
        '  [project.entry-points."remamber.fusions"]',
        f'  {name} = "{path.stem}:{class_name}"',
        "  remamber-bench list variants",
        measure,
    ]


def _class_name(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-"))


def _skeleton(name: str) -> str:
    template = files("remamber.cli").joinpath("skeletons", "fusion.py.txt")
    return Template(template.read_text(encoding="utf-8")).substitute(
        name=name, class_name=_class_name(name), title=" ".join(name.split("-")).capitalize()
    )


def _imported() -> set[str]:
    """Names that the skeleton imports, which its class must not hide."""
    nodes = ast.parse(_skeleton("my-fusion")).body
    return {
        alias.asname or alias.name
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }


def _require_name(name: str) -> None:
    class_name = _class_name(name)
    known = _NAME.fullmatch(name) and len(name) <= _LONGEST
    if not known or keyword.iskeyword(name) or keyword.iskeyword(class_name):
        raise UserError(
            f"'{name}' cannot be the name of a fusion: expected words of small letters and"
            " digits with hyphens between, and no word of Python's own",
            fix=["remamber-bench new fusion my-fusion"],
            slug="bad_name",
        )
    if name in FUSIONS.names():
        raise _taken(name, f"there is a fusion '{name}' already", *FUSIONS.names())
    if class_name in _imported():
        raise _taken(name, f"the class {class_name} would hide what the skeleton imports")


def _taken(name: str, what: str, *known: str) -> UserError:
    return UserError(
        what,
        where=[f"known  {', '.join(known)}"] if known else [],
        fix=[f"remamber-bench new fusion my-{name}"],
        slug="name_taken",
    )
