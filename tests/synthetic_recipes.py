"""Small synthetic data sets for tests: few pictures, everything else as in the presets."""

from dataclasses import replace

from remamber.datasets._synthetic.knobs import PRESETS, Recipe, SplitSize

SIZES = {"train": 24, "val": 12, "testA": 6, "testB": 6, "testC": 6}


def small_recipe(preset="quick", *, seed=0, sizes=SIZES):
    """A recipe of a preset's knobs with a few pictures a split."""
    splits = tuple((split, SplitSize(count, 2)) for split, count in sizes.items())
    return Recipe("synth-refcoco", preset, seed, replace(PRESETS[preset], splits=splits))


def contents(root):
    """Every file under a folder, by its path relative to it."""
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
