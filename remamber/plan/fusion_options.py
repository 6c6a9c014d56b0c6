"""Decisions of a fusion variant that the paper leaves open: declared by the variant, by name.

A variant's class has ``options = {"name": default}``, where a tuple of words is a choice with
its default first. A study sets them as ``model.fusion.options.name``; a run's spec holds all.
"""

from collections.abc import Collection, Iterable, Mapping

from remamber.errors import UserError
from remamber.registry import unknown

Option = bool | int | float | str
Declared = Mapping[str, Option | tuple[str, ...]]

PLACE = "model.fusion.options"
"""Where they stand in a run's spec."""

ADDED_OPTIONS: Mapping[str, Mapping[str, Option]] = {
    "attention": {
        "order": "attention-first",
        "head_channels": 32,
        "image_positions": True,
        "text_positions": True,
        "width": 0.0,
    },
    "in-context": {
        "text_place": "first-in-all",
        "keep_text": True,
        "image_positions": True,
        "text_positions": True,
        "width": 0.0,
    },
    "norm-adaptation": {"hidden": 0.5, "zero_start": False, "width": 0.0},
}
"""How runs were made before variants had options: who leaves them so keeps its hash.

Not the defaults, which may change: those stand with the variants.
"""


def default_of(declared: Option | tuple[str, ...]) -> Option:
    """What an option is unless told otherwise."""
    return declared[0] if isinstance(declared, tuple) else declared


def unusual(fusion: str, options: Mapping[str, Option]) -> dict[str, Option]:
    """Those of a variant's options by which its runs are told from those of before options."""
    usual = ADDED_OPTIONS.get(fusion, {})
    return {k: v for k, v in options.items() if k not in usual or usual[k] != v}


def resolved_options(
    fusion: str, given: Mapping[str, Option], *, declared: Declared, others: Collection[str] = ()
) -> dict[str, Option]:
    """All options of a variant: as given, else their defaults.

    Args:
        fusion: the variant's name, for messages.
        given: by name.
        declared: what the variant lets a spec choose.
        others: options of a study's other variants, which this one has not and may be given.

    Raises:
        UserError: an unknown option, the nearest is named; or a value that it cannot have.
    """
    for name in given:
        if name not in declared and name not in others:
            raise _unknown(fusion, name, dict.fromkeys((*declared, *others)))
    return {
        name: _checked(fusion, name, given[name], choice) if name in given else default_of(choice)
        for name, choice in declared.items()
    }


def _unknown(fusion: str, name: str, known: Iterable[str]) -> UserError:
    places = [f"{PLACE}.{option}" for option in known]
    error = unknown("option", f"{PLACE}.{name}", places)
    return UserError(
        f"fusion variant '{fusion}': {error.what}",
        where=error.where if places else [f"'{fusion}' has no options"],
        fix=error.fix if places else [f"leave {PLACE}.{name} out"],
        slug="unknown_option",
    )


def expectation(choice: Option | tuple[str, ...]) -> str:
    """What an option may be, in words."""
    match choice:
        case tuple():
            return " or ".join(choice)
        case bool():
            return "true or false"
        case int():
            return "a whole number from 1"
        case float():
            return "a number from 0"
    return "a word"


def _checked(fusion: str, name: str, value: Option, choice: Option | tuple[str, ...]) -> Option:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match choice:
        case tuple():
            fits = value in choice
        case bool():
            fits = isinstance(value, bool)
        case int():
            fits = number and isinstance(value, int) and value >= 1
        case float():
            fits = number and float(value) >= 0
        case _:
            fits = isinstance(value, str)
    if not fits:
        place = f"{PLACE}.{name}"
        raise UserError(
            f"{place} of fusion variant '{fusion}' is {value!r}; expected {expectation(choice)}",
            fix=[f"--set {place}={str(default_of(choice)).lower()}"],
            slug="bad_option",
        )
    return float(value) if isinstance(choice, float) else value
