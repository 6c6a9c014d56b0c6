"""The question of a study: what to ask of its records, a file of ``analysis/``."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from remamber.plan.model_spec import Strict
from remamber.plan.sota import SotaView
from remamber.plan.speed import SpeedView
from remamber.plan.strict_toml import read_toml, validate


class TableView(Strict):
    """Which records make rows, which splits and metrics make columns.

    ``rows`` is a dotted key of the spec, or ``row`` for the study's own names of its rows;
    ``labels`` gives them the paper's names;
    ``lead`` is the column (split, metric) that the verdict is read from.
    """

    rows: str
    labels: dict[str, str] = {}
    splits: tuple[str, ...] = ("val", "testA", "testB")
    metrics: tuple[str, ...] = ("mIoU", "oIoU", "Pr@50", "Pr@70")
    lead: tuple[str, str] = ("val", "mIoU")


class FigureView(Strict):
    """One figure of a report: an entry of the figure shelf and what it shows."""

    kind: str
    title: str
    split: str = "val"
    metric: str = "mIoU"


class Question(Strict):
    """What every file of ``analysis/`` holds, whatever is measured."""

    title: str
    paper: str
    experiment: str
    question: str
    figure: tuple[FigureView, ...] = ()


class Analysis(Question):
    """The question of a study of accuracy; ``sota`` adds a table of published systems."""

    published: str | None = None
    published_dataset: str | None = None
    table: TableView
    sota: SotaView | None = None


class KernelsView(Strict):
    """How a report of kernel times is laid out.

    ``baselines`` and ``peers`` are implementations: those that the scan in use is compared with
    by name, the first of them in the verdict and the figures too, and those of other projects,
    of which it is compared with the fastest. ``labels`` gives implementations names.
    """

    baselines: Annotated[tuple[str, ...], Field(min_length=1)]
    peers: tuple[str, ...]
    labels: dict[str, str] = {}

    @property
    def baseline(self) -> str:
        """The first of the baselines."""
        return self.baselines[0]


class KernelAnalysis(Question):
    """The question of a study of kernel times."""

    kernels: KernelsView


class SpeedAnalysis(Question):
    """The question of a study of models' time and memory."""

    speed: SpeedView


class DistributionView(Strict):
    """How a report of feature distributions is laid out; ``labels`` gives rows names."""

    labels: dict[str, str] = {}


class DistributionAnalysis(Question):
    """The question of a study of features at the taps of trained models (Fig. 5)."""

    distribution: DistributionView


class AttentionView(Strict):
    """How a report of interaction and attention maps is laid out; ``labels`` names rows."""

    labels: dict[str, str] = {}


class AttentionAnalysis(Question):
    """The question of a study of interaction and attention maps (Fig. 4)."""

    attention: AttentionView


class MasksView(Strict):
    """How a report of predicted masks is laid out.

    ``labels`` gives rows names; ``beside`` are those that other studies train, with the command.
    """

    labels: dict[str, str] = {}
    beside: dict[str, str] = {}


class MasksAnalysis(Question):
    """The question of a study of predicted masks (Figs. 6 and 7)."""

    masks: MasksView


class ReceptiveView(Strict):
    """How a report of receptive fields is laid out; ``labels`` names the trained rows."""

    labels: dict[str, str] = {}


class ReceptiveAnalysis(Question):
    """The question of a study of how far a model's features see."""

    receptive: ReceptiveView


KINDS: dict[str, type[Question]] = {
    "speed": SpeedAnalysis,
    "kernels": KernelAnalysis,
    "distribution": DistributionAnalysis,
    "attention": AttentionAnalysis,
    "masks": MasksAnalysis,
    "receptive": ReceptiveAnalysis,
}
"""The table of an analysis file that says what its study measures, by its task; else accuracy."""


def load_analysis(path: Path) -> Analysis:
    """Read and check an analysis file of a study of accuracy.

    Raises:
        UserError: missing file, unknown key or bad value, by file and key.
    """
    return validate(Analysis, [(str(path), read_toml(path))])


def load_question(path: Path) -> Question:
    """Read and check an analysis file of any kind.

    Raises:
        UserError: missing file, unknown key or bad value, by file and key.
    """
    content = read_toml(path)
    kind = next((KINDS[key] for key in KINDS if key in content), Analysis)
    return validate(kind, [(str(path), content)])
