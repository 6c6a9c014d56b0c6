"""From a data set's name, preset and difficulty to its recipe."""

import tomllib
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any

from remamber.datasets._synthetic.grammar import load_grammar, styles
from remamber.datasets._synthetic.knobs import PRESETS, Knobs, Recipe, SplitSize
from remamber.registry import unknown

DIFFICULTIES = ("easy", "default", "hard")


def recipe_of(
    style: str, preset: str, *, difficulty: str = "default", seed: int = 0, side: int | None = None
) -> Recipe:
    """The recipe of a data set.

    Args:
        style: the data set's name, such as ``synth-refcocog``.
        preset: quick, default or paper-shaped.
        difficulty: easy, default or hard.
        seed: of all random choices.
        side: height and width of the images in pixels; None is the preset's. One seed gives the
            same scenes at every side.

    Raises:
        UserError: an unknown style, preset or difficulty; the nearest name is given.
    """
    if style not in styles():
        raise unknown("synthetic data set", style, styles())
    if preset not in PRESETS:
        raise unknown("preset", preset, PRESETS)
    if difficulty not in DIFFICULTIES:
        raise unknown("difficulty", difficulty, DIFFICULTIES)
    knobs = replace(PRESETS[preset], side=side or PRESETS[preset].side)
    knobs = _with_splits(_with_difficulty(knobs, difficulty), load_grammar(style).splits)
    return Recipe(style, preset, seed, knobs, difficulty)


def _with_difficulty(knobs: Knobs, difficulty: str) -> Knobs:
    content = _difficulty(difficulty)
    values = content.get("set", {})
    changes: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    for name, factor in content.get("scale", {}).items():
        low, high = getattr(knobs, name)
        changes[name] = (low * factor, high * factor)
    return replace(knobs, **changes)


def _with_splits(knobs: Knobs, names: tuple[str, ...]) -> Knobs:
    """The style's splits, where it has its own: what it lacks goes into its one test split."""
    if not names:
        return knobs
    sizes = dict(knobs.splits)
    tests = [sizes[name] for name in ("testA", "testB")]
    sizes["test"] = SplitSize(sum(s.images for s in tests), max(s.targets for s in tests))
    return replace(knobs, splits=tuple((name, sizes[name]) for name in names))


@cache
def _difficulty(name: str) -> dict[str, Any]:
    path = f"_synthetic/difficulties/{name}.toml"
    source = resources.files("remamber.datasets").joinpath(path)
    return tomllib.loads(source.read_text(encoding="utf-8"))
