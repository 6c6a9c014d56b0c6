"""A record: what a run was, where it ran, how it ended and every number it measured."""

from typing import Literal

from remamber.plan.spec import RunSpec, Strict

RECORD_VERSION = 1

SIDE_BY_SIDE = "runs side by side"
"""Key of an environment's details: how many runs shared the machine while this one ran."""

PRECISION = "precision"
"""Key of an environment's details: what training computed in; a CPU has no fp16 to give."""

SHUFFLED = "+shuffled-text"
"""Suffix of a split, in the counts, whose expressions were shuffled among its images: the control.
"""

NEEDS_BY = "needs by"
"""Key of a record's data: what says what an expression needs, one of the next two."""
BY_PROGRAM, BY_WORDS = "the generator's programs", "a rule on words"

WEIGHTS = "weights"
"""Key of a record's data: the file whose weights were evaluated."""

WEIGHTS_RUN = "weights of run"
"""Key of a record's data: the run that trained them, if they lie in a run's folder."""


def counts_place(split: str, protocol: str, *, first: str) -> str:
    """Where a split's counts stand in the npz of a record whose first protocol is ``first``."""
    return split if protocol == first else f"{split}@{protocol}"


Status = Literal["ok", "oom", "error"]


class Measurement(Strict):
    """One number. ``where`` holds what varies inside a run, such as the split.

    ``unit`` is a base unit: ``fraction``, ``seconds``, ``bytes``, ``parameters``, ``steps``.
    """

    metric: str
    value: float
    unit: str
    where: dict[str, str] = {}


class Environment(Strict):
    """The machine and the software that made the numbers."""

    python: str
    platform: str
    cpu: str
    cores: int
    threads: int
    memory_bytes: int
    device: str
    packages: dict[str, str]
    commit: str | None
    dirty: bool | None
    scan_backend: str
    details: dict[str, str] = {}


class Record(Strict):
    """The whole of one finished run; its file is written last and at once.

    ``curves`` maps a name (``loss``, ``lr``) to (step, value) pairs; ``counts`` names the npz
    beside the record with the integer counts of every scored expression, None if there is none;
    ``arrays`` the npz with whatever else figures are drawn from, by the names that its task gives.
    ``wall_s`` is that of all sessions of a run that was stopped and went on, ``started`` the last
    one's start. ``data`` says what was read: name, fingerprint, expressions, truncated and
    unknown shares.
    """

    record_version: int = RECORD_VERSION
    run_id: str
    digest: str
    spec: RunSpec
    status: Status
    error: str | None = None
    command: str
    started: str
    finished: str
    wall_s: float
    environment: Environment
    data: dict[str, str | int | float] = {}
    measurements: tuple[Measurement, ...] = ()
    curves: dict[str, tuple[tuple[float, float], ...]] = {}
    counts: str | None = None
    counts_sha256: str | None = None
    arrays: str | None = None
    arrays_sha256: str | None = None
    warnings: tuple[str, ...] = ()
