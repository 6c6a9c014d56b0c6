"""Shelf of figures: each entry turns the numbers of a study into one plotly figure.

An entry is a function ``(FigureData) -> plotly.graph_objects.Figure`` that puts its alternative
text, made from the data, into ``layout.meta["alt"]``. A file with such a function under
``@register("name")`` is all that another figure needs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from remamber.registry import FIGURES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from plotly.graph_objects import Figure

Curve = tuple[tuple[float, float], ...]
"""(step, value) pairs."""


class Estimate(NamedTuple):
    """A fraction with its 95 % interval; the ends are None where there is none."""

    value: float
    low: float | None = None
    high: float | None = None


class Point(NamedTuple):
    """One measurement of an implementation: where it stands under the roofs, and how fast it is.

    Attributes:
        place: the shape's name.
        panel: the pass, as one of ``FigureData.panels``.
        intensity: operations a byte of memory traffic.
        rate: operations a second.
        seconds: median time.
        speedup: how many times faster than the baseline; None if that is not known.
    """

    place: str
    panel: str
    intensity: float
    rate: float
    seconds: float
    speedup: Estimate | None = None


class Reading(NamedTuple):
    """What a model costs on an image: a value in base units, or that it did not fit.

    Attributes:
        side: of the image, pixels.
        panel: the condition, as one of ``FigureData.panels``.
        value: None where there is none.
        low: lower end of the bar, None for no bar.
        high: upper end.
        lost: whether the model ran out of memory.
    """

    side: int
    panel: str
    value: float | None
    low: float | None = None
    high: float | None = None
    lost: bool = False


class Cloud(NamedTuple):
    """Points of one group on the first principal axes.

    Attributes:
        panel: the place in the model, one panel.
        choice: the stage and layer, one at a time is shown.
        group: what the points are.
        points: n by 3.
        shares: of the panel's variance on the axes; fewer than three if there are no more.
    """

    panel: str
    choice: str
    group: str
    points: "NDArray[np.float32]"
    shares: tuple[float, ...]


class MapTile(NamedTuple):
    """The maps of one model at one depth for one expression.

    Attributes:
        model: the row's name.
        depth: such as ``stage 3``.
        density: words by rows by columns, 1 where a map is as if evenly spread.
        energy: of each word's map, the share inside the target.
    """

    model: str
    depth: str
    density: "NDArray[np.float64]"
    energy: tuple[float, ...]


class MapRow(NamedTuple):
    """An expression and its maps.

    Attributes:
        text: the expression.
        size: height and width of the image, in any unit.
        image: the image as a data URI.
        target: the image with the target marked on it, as a data URI.
        words: of which there are maps; the first stands for all tokens.
        tiles: model by model, depth by depth.
    """

    text: str
    size: tuple[int, int]
    image: str
    target: str
    words: tuple[str, ...]
    tiles: tuple[MapTile, ...]


class Roofs(NamedTuple):
    """What the machine can do: bytes a second of a copy, operations a second of a product."""

    bandwidth: float
    peak: float


@dataclass(frozen=True, kw_only=True)
class Series:
    """One row of the study, or one implementation of a kernel study.

    Attributes:
        index: place of the row in the study; fixes colour, dash and marker in every figure.
        label: the row's name.
        by_split: the figure's metric by split.
        difference: the row minus the best row of the figure's split, paired; None if not scored.
        best: whether it is that best row.
        tied: whether it cannot be told from the best row at 5 %.
        curves: curve name -> one curve a seed.
        points: measurements of an implementation.
        readings: what a model costs by image size, in the figure's metric.
        growth: panel -> the exponent of that against pixels.
        by_slice: way to divide the split -> slice -> the figure's metric in it.
        cost: of one iteration in the figure's metric, beside the accuracy in ``by_split``.
        by_map: map of the model -> the figure's metric.
        energy: map of the model -> where in the image its gradient lies, summing to 1.
        control: whether its weights are initial.
    """

    index: int
    label: str
    by_split: Mapping[str, Estimate] = field(default_factory=dict)
    difference: Estimate | None = None
    best: bool = False
    tied: bool = False
    curves: Mapping[str, tuple[Curve, ...]] = field(default_factory=dict)
    points: tuple[Point, ...] = ()
    readings: tuple[Reading, ...] = ()
    growth: Mapping[str, Estimate] = field(default_factory=dict)
    by_slice: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    cost: float | None = None
    by_map: Mapping[str, Estimate] = field(default_factory=dict)
    energy: "Mapping[str, NDArray[np.float32]]" = field(default_factory=dict)
    control: bool = False


@dataclass(frozen=True, kw_only=True)
class FigureData:
    """All that a figure may show.

    Attributes:
        title: heading of the figure.
        split: the split in question.
        metric: the metric in question.
        series: rows in table order.
        floors: split -> (name, metric) of a prediction that reads no text.
        ceilings: split -> (name, metric) of the best mask that the stride allows.
        roofs: limits of the machine, for the points.
        panels: names of the panels over which the points are spread.
        clouds: points on principal axes.
        maps: expressions with their maps.
        percent: writes a fraction for people, in percent.
    """

    title: str
    split: str
    metric: str
    series: tuple[Series, ...]
    floors: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    ceilings: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    roofs: Roofs | None = None
    panels: tuple[str, ...] = ()
    clouds: tuple[Cloud, ...] = ()
    maps: tuple[MapRow, ...] = ()
    percent: Callable[[float], str]


def draw(kind: str, data: FigureData) -> "Figure":
    """Draw a figure of the shelf.

    Raises:
        UserError: no figure has that name; the nearest is named.
    """
    entry: Callable[[FigureData], Figure] = FIGURES.get(kind)
    return entry(data)
