"""What the paper's own tables can decide of its claims: margins against what a split can detect.

A table of percentages says nothing of how two rows' errors go together, so what its splits can
detect is an estimate under stated assumptions; for Pr@50 alone, whose variance follows from its
value.
"""

import math
from dataclasses import dataclass

from remamber.plan.claims import AccuracyClaim
from remamber.plan.question import load_analysis
from remamber.plan.study import studies_folder
from remamber.table.published import PAPER_NAMES, Published, is_same_dataset, load_published
from remamber.table.significance import detectable_difference
from remamber.table.sota_published import EXPRESSIONS, Place

WITHIN_IMAGE = 0.2
"""Assumed correlation of the hits of expressions on one image."""
BETWEEN_ROWS = 0.7
"""Assumed correlation of the hits of two rows on one expression."""
JUDGED = "Pr@50"

IMAGES: dict[Place, int] = {
    **{(name, "val"): 1_500 for name in ("RefCOCO", "RefCOCO+")},
    **{(name, split): 750 for name in ("RefCOCO", "RefCOCO+") for split in ("testA", "testB")},
    ("G-Ref", "val"): 1_300,
    ("G-Ref", "test"): 2_600,
}
"""Images of every split (UNC's splits, UMD's for G-Ref)."""


@dataclass(frozen=True, kw_only=True)
class PublishedMargin:
    """One pair of a claim in the paper's table of one data set; differences are fractions.

    Attributes:
        higher: label of the row that the claim says is higher.
        lower: label of the other.
        margins: by (split, metric).
        detectable: by split, the smallest difference in Pr@50 that it shows, as estimated.
    """

    claim: AccuracyClaim
    dataset: str
    higher: str
    lower: str
    margins: dict[tuple[str, str], float]
    detectable: dict[str, float]

    @property
    def ahead(self) -> int:
        """In how many columns the higher row is ahead."""
        return sum(margin > 0 for margin in self.margins.values())

    @property
    def mean(self) -> float:
        """Mean margin over the columns."""
        return sum(self.margins.values()) / len(self.margins)

    @property
    def resolved(self) -> int:
        """On how many splits the margin in Pr@50 is at least what they can detect."""
        return sum(self.margins[s, JUDGED] >= least for s, least in self.detectable.items())


def published_margins(claim: AccuracyClaim) -> list[PublishedMargin]:
    """The margins of a claim's pairs in the paper, by data set.

    Raises:
        UserError: a file that ships with the analyses is missing or malformed.
    """
    analysis = load_analysis(studies_folder("analysis") / f"{claim.study}.toml")
    if analysis.published is None:
        return []
    path = studies_folder("analysis") / analysis.published
    found = []
    for dataset in PAPER_NAMES:
        named = _as_named(analysis.published_dataset, dataset)
        values = load_published(path, named) if named is not None else {}
        for higher, lower in claim.pairs if values else ():
            labels = analysis.table.labels
            found.append(_margin(claim, dataset, values, labels[higher], labels[lower]))
    return found


def _as_named(published: str | None, dataset: str) -> str | None:
    """The table's own name of a data set: one that names none is about its inferred one alone."""
    if published is None or "(" not in published:
        return dataset
    return published if is_same_dataset(published, PAPER_NAMES[dataset]) else None


def _margin(
    claim: AccuracyClaim, dataset: str, values: Published, higher: str, lower: str
) -> PublishedMargin:
    places = [(split, metric) for split, metric, row in values if row == higher]
    margins = {
        (split, metric): values[split, metric, higher] - values[split, metric, lower]
        for split, metric in places
        if (split, metric, lower) in values
    }
    detectable = {
        split: _detectable((dataset, split), values[split, JUDGED, higher])
        for split, metric in margins
        if metric == JUDGED
    }
    return PublishedMargin(
        claim=claim,
        dataset=dataset,
        higher=higher,
        lower=lower,
        margins=margins,
        detectable=detectable,
    )


def _detectable(place: Place, hits: float) -> float:
    """Of a paired difference of shares: binomial, clustered by image, rows that go together."""
    expressions = EXPRESSIONS[place]
    per_image = expressions / IMAGES[place]
    clustered = 1 + (per_image - 1) * WITHIN_IMAGE
    variance = hits * (1 - hits) / expressions * clustered * 2 * (1 - BETWEEN_ROWS)
    return detectable_difference(math.sqrt(variance))
