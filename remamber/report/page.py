"""Templates of pages: filled in with everything escaped that is not said to be markup."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"


def filled(template: str, **values: Any) -> str:  # noqa: ANN401 - whatever the template shows
    """The page that a template makes of some values; a name that is missing is an error."""
    page: str = _environment().get_template(template).render(**values)
    return page


@cache
def asset(name: str) -> str:
    """The text of a style sheet or script that pages hold."""
    return (_TEMPLATES / name).read_text(encoding="utf-8")


@cache
def _environment() -> "Environment":
    # Imported here: only a page pays for jinja2.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
