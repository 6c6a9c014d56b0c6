"""What a claim needs, in words and columns, and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from remamber.report import format as fmt
from remamber.report.columns import columns
from remamber.table.power import CellPower, PairPower, SeedSpread, seeds_needed
from remamber.table.power_rows import GroupPower
from remamber.table.significance import ALPHA

_HEAD = ("split", "metric", "images", "expressions", "median SE", "detects", "images for it")
_SEED_HEAD = ("sd over seeds", "seeds needed")
_SPREADS = (0.002, 0.005, 0.01, 0.02)
"""Standard deviations over seeds that are asked about where none is known, fractions."""
NOT_KNOWN = "not known"
_FEWEST = 2
"""Images without which there is no variance between them."""


class Claim(NamedTuple):
    """A difference that is to be shown, a fraction, and how often it is to be found."""

    delta: float
    power: float


def power_text(name: str, groups: Sequence[GroupPower], claim: Claim) -> str:
    """How many images and seeds a difference needs, and what the splits at hand can show."""
    lines = [
        f"{name}: what a difference of {_points(claim.delta)} points needs"
        f" ({fmt.share(claim.power)} power at {fmt.share(ALPHA)}, two-sided)"
    ]
    for group in groups:
        lines += ["", f"{group.dataset}, protocol {group.protocol}", *_table(group, claim)]
        lines += ["", *_words(group, claim), "", *_seeds(group, claim)]
    lines += [
        "",
        "detects: the smallest true difference between two rows that is found so often;",
        "images for it: how many images like these show the difference asked for;",
        "both from the median paired standard error over images, normal approximation.",
        "Images and seeds are two questions: more images do not tell how trainings vary.",
    ]
    return "\n".join(lines)


def power_json(name: str, groups: Sequence[GroupPower], claim: Claim) -> dict[str, Any]:
    """The same for machines; every value a fraction."""
    return {
        "schema_version": 1,
        "of": name,
        "delta": claim.delta,
        "power": claim.power,
        "alpha": ALPHA,
        "groups": [
            {
                "dataset": group.dataset,
                "protocol": group.protocol,
                "seeds": list(group.seeds),
                "cells": [_cell(cell, claim) for cell in group.cells],
            }
            for group in groups
        ],
        "seeds_by_sd": {
            str(sd): seeds_needed(claim.delta, sd, power=claim.power) for sd in _SPREADS
        },
    }


def _table(group: GroupPower, claim: Claim) -> list[str]:
    rows = [
        (
            cell.split,
            cell.metric,
            fmt.count(cell.images),
            fmt.count(cell.expressions),
            _points(cell.standard_error),
            _points(cell.detectable(power=claim.power)),
            _images(cell.images_for(claim.delta, power=claim.power)),
        )
        for cell in group.cells
    ]
    return columns([_HEAD, *rows], left=(0, 1))


def _words(group: GroupPower, claim: Claim) -> list[str]:
    cell = group.cells[0]
    column = f"{cell.split} {cell.metric}"
    enough = cell.images_for(claim.delta, power=claim.power)
    if enough is None:
        why = "there is one image" if cell.images < _FEWEST else "the rows differ on no image"
        return [f"{column}: {why}, so that the records do not tell how many it needs."]
    asked = f"a difference of {_points(claim.delta)} points"
    lines = [
        f"{column}: {asked} needs {fmt.count(enough)} images, and there are"
        f" {fmt.count(cell.images)}: {_verdict(enough, cell.images)}."
    ]
    if cell.comparisons > 1:
        strict = cell.images_for(claim.delta, power=claim.power, in_table=True)
        here = cell.detectable(power=claim.power, in_table=True)
        lines.append(
            f"In a table of {fmt.number_word(cell.rows)} rows, where Holm counts"
            f" {fmt.number_word(cell.comparisons)} pairs: up to {_images(strict)} images; this"
            f" split then detects {_points(here)} points."
        )
    alone = cell.independent_expressions
    if alone < 0.95 * cell.expressions:
        lines.append(
            f"Expressions on one image go together: the {fmt.count(cell.expressions)} say as much"
            f" as {fmt.count(alone)} independent ones would."
        )
    return lines


def _verdict(needed: int, there: int) -> str:
    if needed <= there:
        return "enough"
    return f"{fmt.times(needed / there)} as many are needed"


def _seeds(group: GroupPower, claim: Claim) -> list[str]:
    """What seeds are needed, from those that there are or, with one, by what they might vary."""
    cell = group.cells[0]
    spreads = [(pair, pair.spread) for pair in cell.pairs if pair.spread is not None]
    if spreads:
        return [_spread_line(cell, pair, spread, claim) for pair, spread in spreads]
    rows = [
        (f"{_points(sd)} points", _needed(seeds_needed(claim.delta, sd, power=claim.power)))
        for sd in _SPREADS
    ]
    return [
        "1 seed: how much trainings vary is not known. By the standard deviation over seeds of",
        f"the paired difference, {_points(claim.delta)} points would need (paired t-test):",
        *columns([_SEED_HEAD, *rows], left=()),
    ]


def _spread_line(cell: CellPower, pair: PairPower, spread: SeedSpread, claim: Claim) -> str:
    middle, low, high = (
        _needed(seeds_needed(claim.delta, sd, power=claim.power))
        for sd in (spread.sd, spread.low, spread.high)
    )
    return (
        f"{pair.row} and {pair.against}, {cell.split} {cell.metric}: sd {_points(spread.sd)} over"
        f" {spread.seeds} seeds (between {_points(spread.low)} and {_points(spread.high)});"
        f" {_points(claim.delta)} points need {middle} seeds (between {low} and {high})."
    )


def _needed(seeds: int | None) -> str:
    return "over 10,000" if seeds is None else fmt.count(seeds)


def _images(number: int | None) -> str:
    return NOT_KNOWN if number is None else fmt.count(number)


def _points(fraction: float | None) -> str:
    """Points with as many decimals as a small difference needs."""
    if fraction is None:
        return NOT_KNOWN
    value = 100 * fraction
    if 0 < value < 0.01:
        return f"{value:.2g}"
    return f"{value:.2f}" if 0 < value < 0.95 else f"{value:.1f}"


def _cell(cell: CellPower, claim: Claim) -> dict[str, Any]:
    return {
        "split": cell.split,
        "metric": cell.metric,
        "images": cell.images,
        "expressions": cell.expressions,
        "independent_expressions": round(cell.independent_expressions, 1),
        "rows": cell.rows,
        "standard_error": cell.standard_error,
        "detectable": cell.detectable(power=claim.power),
        "detectable_in_table": cell.detectable(power=claim.power, in_table=True),
        "images_needed": cell.images_for(claim.delta, power=claim.power),
        "images_needed_in_table": cell.images_for(claim.delta, power=claim.power, in_table=True),
        "pairs": [_pair(pair, claim) for pair in cell.pairs],
    }


def _pair(pair: PairPower, claim: Claim) -> dict[str, Any]:
    spread = pair.spread
    return {
        **asdict(pair),
        "spread": spread._asdict() if spread else None,
        "seeds_needed": seeds_needed(claim.delta, spread.sd, power=claim.power) if spread else None,
    }
