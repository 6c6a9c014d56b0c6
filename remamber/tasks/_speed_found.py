"""What one process of a speed run is asked, and what it found."""

from typing import Literal

from pydantic import BaseModel, Field

from remamber.plan.spec import Strict
from remamber.plan.speed import SpeedSpec
from remamber.record.schema import Measurement

Action = Literal["time", "memory"]

TIMING = "timing"
"""What a process says of its rounds, in which nothing else should disturb it."""


class Asked(Strict):
    """What a process does.

    Attributes:
        action: time all models of the group, or measure the memory of one.
        speed: the group; its batch is the one to use.
        keys: the models that take part, by ``model_key``.
        backend: name of a scan implementation, or "auto".
        seed: of weights and inputs.
        root: the data root, below which a pretrained text encoder may lie.
    """

    action: Action
    speed: SpeedSpec
    keys: tuple[str, ...]
    backend: str = "auto"
    seed: int = 0
    root: str | None = None


class Found(BaseModel):
    """What has been measured so far.

    Attributes:
        measurements: every number; ``where`` names the model.
        curves: raw values by name, (round, value).
        status: how it went, by model: ``ok``, ``oom``, ``skipped_oom`` or ``error``.
        reasons: why, for those that are not ok.
        facts: what else should be known.
        warnings: what a reader of the numbers should know.
    """

    measurements: list[Measurement] = Field(default_factory=list)
    curves: dict[str, list[tuple[float, float]]] = Field(default_factory=dict)
    status: dict[str, str] = Field(default_factory=dict)
    reasons: dict[str, str] = Field(default_factory=dict)
    facts: dict[str, str] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)

    def add(self, metric: str, value: float, unit: str, **where: str) -> None:
        """Note one number."""
        self.measurements.append(Measurement(metric=metric, value=value, unit=unit, where=where))

    def fail(self, key: str, status: str, reason: str) -> None:
        """Note that a model could not be measured."""
        self.status[key], self.reasons[key] = status, reason

    def take(self, other: "Found") -> None:
        """Add what another process found."""
        self.measurements += other.measurements
        self.curves |= other.curves
        self.status |= other.status
        self.reasons |= other.reasons
        self.facts |= other.facts
        self.warnings += [w for w in other.warnings if w not in self.warnings]


class Line(Strict):
    """One line that a process writes: where it is, or, last, what it found."""

    what: str = ""
    done: int = 0
    total: int = 0
    found: dict[str, object] | None = None
