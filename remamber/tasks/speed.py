"""Time and memory of models on one input: each group in fresh processes, failures as rows."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from remamber.errors import ExitCode, UserError
from remamber.ops import resolve_backend
from remamber.plan.spec import RunSpec
from remamber.plan.speed import SpeedSpec, model_key
from remamber.record.event import Event, EventKind
from remamber.registry import TASKS
from remamber.tasks import Outcome, Stopped, TaskContext
from remamber.tasks._device import device_name
from remamber.tasks._speed_found import TIMING, Action, Asked, Found
from remamber.tasks._speed_process import ask
from remamber.tasks._speed_watch import Watch

register = TASKS.register

MOST_BATCH = 512


@register("speed")
def speed(spec: RunSpec, context: TaskContext) -> Outcome:
    """Memory of every model in a process of its own, then all that fit against each other.

    Raises:
        Stopped: asked to stop; it starts again the next time.
        UserError: the spec has no speed section, its device is not there, or others use it.
    """
    settings = spec.speed
    if settings is None:
        raise UserError("a run of the task 'speed' needs a speed section", slug="no_speed")
    device = require_device(settings)
    watch = Watch(settings)
    watch.require_alone()
    group = Group(spec, settings, context, watch)
    group.measure()
    found = group.found
    watch.note(found)
    return Outcome(
        measurements=tuple(found.measurements),
        curves={name: tuple(samples) for name, samples in found.curves.items()},
        data={
            **{f"status {key}": status for key, status in found.status.items()},
            **{f"reason {key}": reason for key, reason in found.reasons.items()},
            **found.facts,
        },
        device=device_name(device),
        scan_backend=resolve_backend(spec.scan_backend, device),
        warnings=tuple(found.warnings),
        details=_details(settings, device),
    )


def require_device(settings: SpeedSpec) -> torch.device:
    """The device of a group.

    Raises:
        UserError: CUDA was asked for and is not there (exit 3).
    """
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise UserError(
            f"device cuda was asked for, but torch {torch.__version__} sees no CUDA GPU",
            fix=["--device cpu"],
            exit_code=ExitCode.MISSING,
            slug="no_cuda",
        )
    return torch.device(settings.device)


def largest_batch(fits: Callable[[int], bool], *, most: int) -> int:
    """The largest batch that fits: doubled until one does not, then halved in between.

    Args:
        fits: whether a batch does; one image is known to.
        most: where doubling ends.
    """
    low, high = 1, 2
    while high <= most and fits(high):
        low, high = high, 2 * high
    if high > most:
        return low
    while high - low > max(1, low // 8):
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


@dataclass
class Group:
    """The processes of one run; ``batch`` is the one in use."""

    spec: RunSpec
    settings: SpeedSpec
    context: TaskContext
    watch: Watch
    found: Found = field(default_factory=Found)
    batch: int = 1

    def __post_init__(self) -> None:
        if not self.settings.find_batch:
            self.batch = self.settings.batch

    def measure(self) -> None:
        """Everything; a model that does not fit is left out of what comes after it."""
        for key in self.settings.skipped:
            self.found.fail(key, "skipped_oom", "it ran out of memory on a smaller image")
        keys = tuple(map(model_key, self.settings.models))
        if self.settings.find_batch:
            self._use_largest_batch(keys)
        if self.settings.memory:
            for key in self._left(keys):
                self._ask("memory", (key,), f"memory of {key}")
        left = self._left(keys)
        if left:
            self._ask("time", left, "starting")

    def _use_largest_batch(self, keys: tuple[str, ...]) -> None:
        """Find the largest batch that every model fits with, each trial in a fresh process.

        A model that does not fit with one image alone is left out of it.
        """
        for key in self._left(keys):
            self._ask("memory", (key,), f"one image of {key}")
        left = self._left(keys)

        def fits(batch: int) -> bool:
            return all(self._fits(key, batch) for key in left)

        if left:
            self.batch = largest_batch(fits, most=MOST_BATCH)
        self.found.measurements.clear()
        self.found.add("batch", self.batch, "count")

    def _fits(self, key: str, batch: int) -> bool:
        self._tell(f"{key} with a batch of {batch}", 0, 0)
        found = ask(self._asked("memory", (key,), batch), on_line=self._tell)
        if found.status[key] == "error":
            raise RuntimeError(f"{key} failed with a batch of {batch}: {found.reasons[key]}")
        return found.status[key] == "ok"

    def _left(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(key for key in keys if self.found.status.get(key, "ok") == "ok")

    def _ask(self, action: Action, keys: tuple[str, ...], what: str) -> None:
        self._tell(what, 0, 0)
        asked = self._asked(action, keys, self.batch)
        self.found.take(ask(asked, on_line=self._tell, on_poll=self.watch.look))

    def _asked(self, action: Action, keys: tuple[str, ...], batch: int) -> Asked:
        root = self.context.place.root
        return Asked(
            action=action,
            speed=self.settings.model_copy(update={"batch": batch}),
            keys=keys,
            backend=self.spec.scan_backend,
            seed=self.spec.seed,
            root=str(root) if root else None,
        )

    def _tell(self, what: str, done: int, total: int) -> None:
        if self.context.should_stop():
            raise Stopped(0)
        self.watch.timing = what == TIMING or (self.watch.timing and not what)
        if what == TIMING:
            self._emit("step", "", done, total)
        elif what:
            self._emit("prepare", what, done, total)

    def _emit(self, kind: EventKind, what: str, done: int, total: int) -> None:
        run_id = self.spec.run_id
        self.context.emit(Event(kind=kind, run_id=run_id, what=what, done=done, total=total))


def _details(settings: SpeedSpec, device: torch.device) -> dict[str, str]:
    details = {
        "vector instructions": torch.backends.cpu.get_cpu_capability(),
        "float32 matrix products": torch.get_float32_matmul_precision(),
        "cudnn.benchmark": str(torch.backends.cudnn.benchmark),
        "precision": "float32" if settings.dtype == "fp32" else f"autocast to {settings.dtype}",
        "inputs": "random pixels and fixed expressions, the same for all models",
    }
    if device.type == "cuda":
        details["CUDA"] = str(torch.version.cuda)
    return details
