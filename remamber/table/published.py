"""The paper's numbers, read from the CSV files that ship with the analyses."""

import csv
from collections.abc import Collection
from pathlib import Path

from remamber.errors import ExitCode, UserError
from remamber.plan.question import Analysis
from remamber.plan.study import studies_folder

COLUMNS = ("dataset", "split", "variant", "metric", "value")

PAPER_NAMES = {"RefCOCO": "refcoco", "RefCOCO+": "refcoco+", "G-Ref": "refcocog"}
"""The paper's names of data sets and ours."""

Published = dict[tuple[str, str, str], float]
"""(split, metric, row's label) -> a fraction."""


def published_of(analysis: Analysis, dataset: str | None) -> Published:
    """The published values that belong to a study, empty if it names none.

    Args:
        analysis: names the file.
        dataset: the paper's name of the data set.

    Raises:
        UserError: the file is missing or malformed.
    """
    if analysis.published is None:
        return {}
    return load_published(studies_folder("analysis") / analysis.published, dataset)


def published_dataset(analysis: Analysis, trained: Collection[str]) -> str | None:
    """Whose published values stand beside some runs: their own data set's, if the table has it.

    Args:
        analysis: names the file, and the data set for all other runs.
        trained: names of the data sets that the runs were trained on.

    Raises:
        UserError: the file is missing or malformed.
    """
    own = [paper for paper, ours in PAPER_NAMES.items() if set(trained) == {ours}]
    return own[0] if own and published_of(analysis, own[0]) else analysis.published_dataset


def load_published(path: Path, dataset: str | None) -> Published:
    """Read a CSV of published percentages.

    Args:
        path: a CSV with ``COLUMNS``; lines that begin with # are comments.
        dataset: keep only this data set's lines; None keeps all.

    Raises:
        UserError: the file is missing, lacks a column or holds a value that is no percentage.
    """
    return {
        (line["split"], line["metric"], line["variant"]): _fraction(line["value"], path)
        for line in read_lines(path, COLUMNS)
        if dataset is None or line["dataset"] == dataset
    }


def read_lines(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """The lines of a CSV that ships with the analyses.

    Args:
        path: the file; lines that begin with # are comments.
        columns: its header.

    Raises:
        UserError: the file is missing or has another header.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UserError(
            f"the paper's numbers {path} not found",
            fix=["correct 'published' in the analysis file"],
            exit_code=ExitCode.MISSING,
            slug="published_missing",
            path=str(path),
        ) from error
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    reader = csv.DictReader(lines)
    if tuple(reader.fieldnames or ()) != columns:
        raise _malformed(path, f"the header is not {','.join(columns)}")
    return list(reader)


def is_same_dataset(published: str | None, name: str) -> bool:
    """Whether a run's data set is the one that the paper's values are about."""
    return PAPER_NAMES.get(str(published).split(" (")[0]) == name


def paper_name(dataset: str) -> str:
    """What the paper calls a data set; its own name if the paper does not have it."""
    return next((paper for paper, ours in PAPER_NAMES.items() if ours == dataset), dataset)


def _fraction(text: str, path: Path) -> float:
    try:
        percent = float(text)
    except (TypeError, ValueError) as error:
        raise _malformed(path, f"{text!r} is not a number") from error
    if not 0 <= percent <= 100:
        raise _malformed(path, f"{text!r} is not a percentage")
    return percent / 100


def _malformed(path: Path, how: str) -> UserError:
    return UserError(
        f"the paper's numbers in {path} are malformed: {how}",
        exit_code=ExitCode.DAMAGED,
        slug="published_malformed",
        path=str(path),
    )
