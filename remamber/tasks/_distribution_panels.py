"""From the points at every tap to what a report shows: scores on axes, and numbers."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from remamber.models._taps import ModelTap
from remamber.record.schema import Measurement
from remamber.tasks._distribution_basis import Basis, fit_basis
from remamber.tasks._distribution_numbers import (
    Number,
    first_axis_share,
    line_share,
    mean_by_image,
    modality_gap,
    own_neighbours,
    probe_accuracy,
)
from remamber.tasks._distribution_points import Floats, Points, TapPoints
from remamber.tasks._distribution_similarity import similarity

SHOWN_AXES = 3
PAIRS = (("image", "text"), ("image", "local"))
"""Groups that are held against each other: the picture, and what the text brings."""
_PAIRED = {
    "modality_gap": modality_gap,
    "probe_accuracy": probe_accuracy,
    "own_neighbours": own_neighbours,
}
Where = dict[str, str]


class Found(NamedTuple):
    """Numbers and arrays of a run, and what is not there."""

    measurements: list[Measurement]
    arrays: dict[str, NDArray[Any]]
    notes: list[str]


class Images(NamedTuple):
    """The images of the expressions whose means were kept, and how often each was drawn."""

    of_means: Sequence[int]
    times: Floats


def panels(
    taps: Sequence[ModelTap],
    points: Mapping[str, TapPoints],
    *,
    images: Images,
    joint: bool,
    seed: int,
) -> Found:
    """Everything that is told of the taps.

    The arrays, by tap: ``<tap>/scores/<group>`` (n, 3); by number, the same on every resample:
    ``<tap>/<metric>/<what it is of>``; and ``similarity`` (taps, taps).

    Args:
        taps: in their order; ``points`` has each.
        points: of every tap.
        images: see there.
        joint: one basis for all taps of a stage whose points have as many features.
        seed: of iterative decompositions.
    """
    found = Found([], {}, _lacking(taps, points))
    bases = _bases(taps, points, joint=joint, seed=seed)
    for tap in taps:
        own, basis = points[tap.name], bases[tap.name]
        _describe(found, tap, own)
        if basis is None:
            found.notes.append(f"the features at {tap.name} do not vary, so they have no axes")
            continue
        for axis, share in enumerate(basis.shares[:SHOWN_AXES], start=1):
            where = {"tap": tap.name, "axis": str(axis)}
            found.measurements.append(
                Measurement(
                    metric="explained_variance", value=float(share), unit="fraction", where=where
                )
            )
        for name, group in own.groups.items():
            scores = basis.scores(group.values)[:, :SHOWN_AXES]
            padded = np.zeros((len(scores), SHOWN_AXES), dtype=np.float32)
            padded[:, : scores.shape[1]] = scores
            found.arrays[f"{tap.name}/scores/{name}"] = padded
        _compare_groups(found, tap, own, _own_basis(own, basis, joint, seed), images.times, seed)
    _compare_taps(found, taps, points, images)
    return found


def _own_basis(own: TapPoints, basis: Basis, joint: bool, seed: int) -> Basis:
    """The panel's own, also where the picture is drawn on a joint one."""
    if not joint:
        return basis
    return fit_basis([group.values for group in own.groups.values()], seed=seed) or basis


def _bases(
    taps: Sequence[ModelTap], points: Mapping[str, TapPoints], *, joint: bool, seed: int
) -> dict[str, Basis | None]:
    shared: dict[tuple[object, ...], list[str]] = {}
    for tap in taps:
        width = next((g.values.shape[1] for g in points[tap.name].groups.values()), 0)
        shared.setdefault((tap.stage, width) if joint else (tap.name,), []).append(tap.name)
    found: dict[str, Basis | None] = {}
    for names in shared.values():
        parts = [group.values for name in names for group in points[name].groups.values()]
        basis = fit_basis(parts, seed=seed) if parts else None
        found |= dict.fromkeys(names, basis)
    return found


def _describe(found: Found, tap: ModelTap, own: TapPoints) -> None:
    """How many points there are of every group."""
    for name, group in own.groups.items():
        where = {"tap": tap.name, "group": name, "as": "source" if own.sources else "itself"}
        found.measurements.append(
            Measurement(metric="points", value=len(group.values), unit="count", where=where)
        )


def _lacking(taps: Sequence[ModelTap], points: Mapping[str, TapPoints]) -> list[str]:
    """Which groups have no points where, and why, each reason once."""
    places: dict[str, list[str]] = {}
    for tap in taps:
        for name, why in points[tap.name].lacking.items():
            places.setdefault(f"no {name} points, since {why}", []).append(tap.name)
    return [
        f"{said}: at {'every tap' if len(names) == len(taps) else ', '.join(names)}"
        for said, names in places.items()
    ]


def _compare_groups(
    found: Found, tap: ModelTap, own: TapPoints, basis: Basis, times: Floats, seed: int
) -> None:
    for pair in PAIRS:
        if all(name in own.groups for name in pair):
            one, other = (own.groups[name] for name in pair)
            for metric, compare in _PAIRED.items():
                unit = "ratio" if metric == "modality_gap" else "fraction"
                number = compare(one, other, times)
                _tell(found, metric, number, {"tap": tap.name, "groups": "-".join(pair)}, unit)
    for name, group in own.groups.items():
        where = {"tap": tap.name, "group": name}
        _tell(found, "line_share", _line(group, times, seed), where, "fraction")
        if len(own.groups) > 1:
            share = first_axis_share(own.groups, name, basis, times)
            _tell(found, "first_axis_share", share, where, "fraction")
    for name, shares in own.read.items():
        read = mean_by_image(shares.values, shares.images, times)
        _tell(found, "read_share", read, {"tap": tap.name, "group": name}, "fraction")


def _line(group: Points, times: Floats, seed: int) -> Number | None:
    return line_share(group, times, seed=seed) if len(group.values) > 2 else None


def _compare_taps(
    found: Found, taps: Sequence[ModelTap], points: Mapping[str, TapPoints], images: Images
) -> None:
    """Linear CKA of every tap with every other; resampled for those that follow each other."""
    matrix = np.eye(len(taps), dtype=np.float32)
    plain = images.times[:1]
    for i, tap in enumerate(taps):
        for j, before in enumerate(taps[:i]):
            times = images.times if j == i - 1 else plain
            means = points[tap.name].means, points[before.name].means
            number = similarity(*means, images.of_means, times)
            matrix[i, j] = matrix[j, i] = np.nan if number is None else number.value
            if j == i - 1:
                where = {"tap": tap.name, "against": before.name}
                _tell(found, "similarity", number, where, "fraction")
    found.arrays["similarity"] = matrix


def _tell(found: Found, metric: str, number: Number | None, where: Where, unit: str) -> None:
    if number is None:
        return
    found.measurements.append(
        Measurement(metric=metric, value=number.value, unit=unit, where=where)
    )
    if number.draws is not None:
        tap, *rest = where.values()
        found.arrays["/".join([tap, metric, *rest])] = number.draws.astype(np.float32)
