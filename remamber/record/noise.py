"""How far this machine's timings of one and the same thing lie apart: the noise floor."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from remamber.plan.spec import Strict
from remamber.record.files import write_whole

Share = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class NoiseFloor(Strict):
    """What timing A against A gave.

    ``floor`` and ``one_after_other`` are the largest apparent differences of equal things,
    fractions: interleaved, and timed in two blocks. ``false_verdicts`` and
    ``false_one_after_other`` count the trials in which a difference was found. ``machine`` is
    the hash of ``machine_key``.
    """

    machine: str
    device: str
    threads: int
    trials: int
    rounds: int
    floor: Share
    one_after_other: Share
    false_verdicts: int
    false_one_after_other: int
    measured: str


def write_noise(store: Path, noise: NoiseFloor) -> Path:
    """Keep a machine's noise floor beside its records.

    Raises:
        UserError: the disk is full or the folder cannot be written (exit 3).
    """
    path = _place(store, noise.machine)
    write_whole(path, noise.model_dump_json(indent=1))
    return path


def read_noise(store: Path, machine: str) -> NoiseFloor | None:
    """The machine's noise floor, None if it was not measured or the file does not hold it."""
    try:
        noise = NoiseFloor.model_validate_json(_place(store, machine).read_bytes())
    except (OSError, ValidationError):
        return None
    return noise if noise.machine == machine else None


def _place(store: Path, machine: str) -> Path:
    return store / "noise" / f"{machine}.json"
