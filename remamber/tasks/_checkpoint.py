"""What a stopped training goes on from: weights, optimiser, generator, history."""

import logging
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from remamber.record.files import set_aside, whole_file

_log = logging.getLogger(__name__)
_NAME, _PREVIOUS = "checkpoint.pt", "checkpoint.previous.pt"
_VERSION = 2


@dataclass
class Progress:
    """How far a training is and what it saw; lists grow by one entry a step.

    Attributes:
        step: steps done.
        loss: training loss of every step.
        lr: learning rate of the fusion group at every step.
        step_s: seconds of every step.
        probes: (step, mIoU) of the small validation sample.
        train_s: seconds spent in training, all sessions together.
        wait_s: seconds of these in which the next batch was not ready yet.
    """

    step: int = 0
    loss: list[float] = field(default_factory=list)
    lr: list[float] = field(default_factory=list)
    step_s: list[float] = field(default_factory=list)
    probes: list[tuple[int, float]] = field(default_factory=list)
    train_s: float = 0.0
    wait_s: float = 0.0


class Checkpoints:
    """The last two checkpoints of one run folder, each written whole.

    Args:
        folder: the run's folder.
        digest: of the run's spec; a checkpoint of another run is not taken.
        scaler: of the loss under fp16, None without one.
    """

    def __init__(self, folder: Path, digest: str, *, scaler: GradScaler | None = None) -> None:
        self._folder, self._digest, self._scaler = folder, digest, scaler

    def save(self, model: nn.Module, optimiser: Optimizer, progress: Progress) -> None:
        """Write the state; the file before it is kept as the previous one.

        Raises:
            UserError: the disk is full; the files before it are untouched.
        """
        state = {
            "version": _VERSION,
            "digest": self._digest,
            "model": model.state_dict(),
            "optimiser": optimiser.state_dict(),
            "scaler": self._scaler.state_dict() if self._scaler is not None else {},
            "generator": torch.get_rng_state(),
            "progress": dict(vars(progress)),
        }
        if torch.cuda.is_available():
            state["cuda_generators"] = torch.cuda.get_rng_state_all()
        path = self._folder / _NAME
        temporary = self._folder / f".{_NAME}.next"
        with whole_file(temporary) as stream:
            torch.save(state, stream)
        if path.exists():
            path.replace(self._folder / _PREVIOUS)
        temporary.replace(path)

    def restore(self, model: nn.Module, optimiser: Optimizer) -> tuple[Progress, list[str]]:
        """Load the newest readable state into model and optimiser.

        Returns:
            The progress (at step 0 if there is nothing to go on from) and a warning for every
            checkpoint that was damaged; such a file is set aside, named, and not used.
        """
        warnings: list[str] = []
        for name in (f".{_NAME}.next", _NAME, _PREVIOUS):
            path = self._folder / name
            if not path.exists():
                continue
            try:
                return self._load(path, model, optimiser), warnings
            except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
                reason = str(error).split("\n", 1)[0]
            except (pickle.UnpicklingError, EOFError, BadZipFile) as error:
                reason = f"not a readable checkpoint ({type(error).__name__})"
            aside = set_aside(path)
            warnings.append(f"checkpoint {path} was not used and is set aside as {aside}: {reason}")
            _log.warning(warnings[-1])
        return Progress(), warnings

    def discard(self) -> None:
        """Remove all but the last checkpoint, which stays with the record."""
        (self._folder / _PREVIOUS).unlink(missing_ok=True)
        for torn in self._folder.glob(f".*{_NAME}.next.*"):
            torn.unlink(missing_ok=True)

    def _load(self, path: Path, model: nn.Module, optimiser: Optimizer) -> Progress:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if state["version"] != _VERSION or state["digest"] != self._digest:
            raise ValueError("it belongs to another run")
        fresh_model = {k: v.clone() for k, v in model.state_dict().items()}
        fresh_optimiser = optimiser.state_dict()
        try:
            model.load_state_dict(state["model"])
            optimiser.load_state_dict(state["optimiser"])
            progress = Progress(**state["progress"])
        except Exception:
            # A checkpoint that fits in part must not leave half of itself behind.
            model.load_state_dict(fresh_model)
            optimiser.load_state_dict(fresh_optimiser)
            raise
        if self._scaler is not None:
            self._scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["generator"])
        if torch.cuda.is_available() and "cuda_generators" in state:
            torch.cuda.set_rng_state_all(state["cuda_generators"])
        return progress
