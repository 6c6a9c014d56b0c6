"""Which expressions are pictured: chosen from the counts of trained runs by a printed rule.

No model is asked and nobody picks by hand: the same counts give the same examples. Ties go to
the lowest (image, ref, sentence) ids, no image is shown twice, and the rules choose by turns.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from remamber.errors import ExitCode, UserError
from remamber.metrics import Counts, Floats, iou
from remamber.plan.look import MaskExample, MaskRule, MasksSpec
from remamber.plan.protocols import find_protocol
from remamber.table.counts import CountsFile, ExpressionCounts, require_same_expressions
from remamber.table.example_slices import kept

RULE_WORDS: dict[MaskRule, str] = {
    "best": "highest IoU of {reference}",
    "median": "IoU of {reference} nearest to its median",
    "worst": "lowest IoU of {reference}",
    "disagreement": "largest difference between the highest and the lowest IoU of the rows",
}

_DIGITS = 12


class RowCounts(NamedTuple):
    """What a row of a study scored: the counts of the runs of all its seeds."""

    label: str
    runs: tuple[CountsFile, ...]


def choose_examples(wish: MasksSpec, rows: Sequence[RowCounts]) -> MasksSpec:
    """The wish with its examples, the rows that were asked, and how many it was chosen from.

    A row of several seeds counts with the mean of their IoUs. A rule that finds too few images
    shows fewer; ``disagreement`` finds none where there is one row.

    Args:
        wish: rules, number, split, conditions and reference.
        rows: at least one row, each of at least one run.

    Raises:
        UserError: the split was not scored, a condition names what the counts do not hold, no
            expression fulfils the conditions, or rows scored different expressions.
    """
    first = rows[0].runs[0]
    _require_split(wish.split, rows)
    scores = _scores(wish.split, rows)
    labels = [row.label for row in rows]
    reference = wish.reference if wish.reference in labels else labels[0]
    places = np.flatnonzero(kept(first, wish.split, wish.keep))
    _require_some(places, wish, total=len(scores.key))
    orders = _orders(scores.values[:, places], by=labels.index(reference))
    chosen = _each_image_once(
        {rule: places[orders[rule]] for rule in wish.rules if rule in orders},
        images=scores.key[:, 0],
        count=wish.count,
    )
    return wish.model_copy(
        update={
            "reference": reference,
            "rows": tuple(labels),
            "candidates": len(places),
            "items": tuple(
                MaskExample(ref_id=int(scores.key[i, 1]), sent_id=int(scores.key[i, 2]), rule=rule)
                for rule, i in chosen
            ),
        }
    )


def rule_words(spec: MasksSpec, labels: Mapping[str, str]) -> str:
    """The rule by which the examples were chosen, in words.

    Args:
        spec: a spec with its examples.
        labels: the rows' names in the report.
    """
    reference = labels.get(spec.reference, spec.reference)
    rules = [RULE_WORDS[rule].format(reference=reference) for rule in spec.rules]
    where = f" with {' and '.join(spec.keep)}" if spec.keep else ""
    return (
        f"Chosen by rule from the {spec.candidates:,} expressions of {spec.split}{where}:"
        f" {spec.count} each by {'; by '.join(rules)}. At most one expression an image, the"
        " rules choosing by turns, ties by the lowest ids. Hand-picked: no."
    )


class _Scores(NamedTuple):
    """IoU by row and expression, and (image, ref, sentence) of every expression."""

    key: Counts
    values: Floats


def _scores(split: str, rows: Sequence[RowCounts]) -> _Scores:
    found = [[run.of(split) for run in row.runs] for row in rows]
    every = [counts for of_row in found for counts in of_row]
    names = [row.label for row, of_row in zip(rows, found, strict=True) for _ in of_row]
    require_same_expressions(every, names)
    values = [np.mean([_iou(counts) for counts in of_row], axis=0) for of_row in found]
    return _Scores(every[0].key, np.stack(values))


def _iou(counts: ExpressionCounts) -> Floats:
    protocol = find_protocol(counts.protocol)
    return iou(
        counts.intersection, counts.union, empty=protocol.empty_union, epsilon=protocol.epsilon
    )


def _orders(values: Floats, *, by: int) -> dict[MaskRule, Counts]:
    """Places from the first choice to the last; the keys are in order, so ties go to low ids."""
    own = values[by]
    ranks: dict[MaskRule, Floats] = {
        "best": -own,
        "median": np.abs(own - np.median(own)),
        "worst": own,
    }
    if len(values) > 1:
        ranks["disagreement"] = -np.ptp(values, axis=0)
    # Rounded, so that what is equal on paper is a tie.
    return {r: np.argsort(rank.round(_DIGITS), kind="stable") for r, rank in ranks.items()}


def _each_image_once(
    orders: Mapping[MaskRule, Counts], *, images: Counts, count: int
) -> list[tuple[MaskRule, int]]:
    """The places that the rules choose by turns, so that few images do for all; rule by rule."""
    shown: set[int] = set()
    left = {rule: iter(order.tolist()) for rule, order in orders.items()}
    chosen: dict[MaskRule, list[int]] = {rule: [] for rule in orders}
    for _ in range(count):
        for rule, places in left.items():
            place = next((p for p in places if int(images[p]) not in shown), None)
            if place is not None:
                shown.add(int(images[place]))
                chosen[rule].append(place)
    return [(rule, place) for rule, places in chosen.items() for place in places]


def _require_split(split: str, rows: Sequence[RowCounts]) -> None:
    for row in rows:
        for run in row.runs:
            if not run.has(split):
                raise UserError(
                    f"the runs of {row.label} did not score the split '{split}'",
                    where=[f"counts  {run.path}"],
                    fix=["--split with one that they scored, such as val"],
                    exit_code=ExitCode.MISSING,
                    slug="split_not_scored",
                    path=str(run.path),
                )


def _require_some(places: Counts, wish: MasksSpec, *, total: int) -> None:
    if not len(places):
        raise UserError(
            f"none of the {total:,} expressions of {wish.split} has {' and '.join(wish.keep)}",
            fix=["leave a --slice out, or widen it"],
            slug="empty_slice",
        )
