"""Who else uses the machine while models are measured: other processes, clocks, a GPU's state."""

import time
from dataclasses import dataclass, field

import psutil

from remamber.errors import ExitCode, UserError
from remamber.plan.speed import SpeedSpec
from remamber.tasks._pressure import cpu_pressure
from remamber.tasks._speed_found import Found
from remamber.tasks._speed_gpu import GpuState, open_gpu

NOISY_PRESSURE = 0.05
"""Share of ten seconds in which something waited for a core, above which times are noisy."""
_LEAST_CLOCK = 0.75


@dataclass
class Watch:
    """Looks at the machine a few times a second, from the process that does not measure.

    Attributes:
        timing: whether what is seen belongs to the rounds.
    """

    settings: SpeedSpec
    timing: bool = False
    pressure: float | None = field(default_factory=cpu_pressure)
    _seconds: float = 0.0
    _load: list[float] = field(default_factory=list)
    _others: list[float] = field(default_factory=list)
    _gpu: list[GpuState] = field(default_factory=list)
    _before: "tuple[float, float, float] | None" = None

    def require_alone(self) -> None:
        """Refuse a GPU that other processes compute on.

        Raises:
            UserError: it is shared and that was not allowed (exit 3).
        """
        gpu = open_gpu(self.settings.device)
        others = gpu.others() if gpu is not None else []
        if others and not self.settings.allow_shared:
            raise UserError(
                f"the GPU is in use by {len(others)} other process{'es'[: 2 * (len(others) > 1)]}",
                where=[f"process  {pid}" for pid in others],
                fix=["wait for them to end", "--allow-shared: times will be less certain"],
                exit_code=ExitCode.MISSING,
                slug="gpu_shared",
            )

    def look(self) -> None:
        """Take one look."""
        if not self.timing:
            self._before = None
            return
        self._load.append(psutil.getloadavg()[0])
        own, everyone = _busy_seconds()
        now = time.perf_counter()
        if self._before is not None:
            own_before, everyone_before, before = self._before
            self._others.append((everyone - everyone_before) - (own - own_before))
            self._seconds += now - before
        self._before = own, everyone, now
        gpu = open_gpu(self.settings.device)
        if gpu is not None:
            self._gpu.append(gpu.state())

    def note(self, found: Found) -> None:
        """Add what was seen, and warn where it spoils times."""
        if self.pressure is not None:
            # From before the run: during it our own threads wait for cores as well.
            found.add("cpu_pressure", self.pressure, "fraction")
            if self.pressure > NOISY_PRESSURE:
                found.warnings.append(
                    "other processes waited for the cores when this run began; its times are"
                    " noisier than their intervals"
                )
        if self._load:
            found.add("load", max(self._load), "count")
        if self._seconds:
            found.add("others_cores", max(0.0, sum(self._others)) / self._seconds, "count")
        _note_gpu(found, self._gpu)


def _busy_seconds() -> tuple[float, float]:
    """CPU seconds of this process with those that it started, and of the whole system."""
    own = 0.0
    me = psutil.Process()
    for process in (me, *me.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        own += times.user + times.system
    system = psutil.cpu_times()
    return own, system.user + system.system + system.nice


def _note_gpu(found: Found, states: list[GpuState]) -> None:
    if not states:
        return
    clocks = [s.sm_clock_hz for s in states if s.sm_clock_hz]
    if clocks:
        found.add("sm_clock_low", min(clocks), "hertz")
        found.add("sm_clock_high", max(clocks), "hertz")
        if min(clocks) < _LEAST_CLOCK * max(clocks):
            found.warnings.append("the GPU's clock fell below three quarters of its highest")
    found.add("temperature_high", max(s.celsius for s in states), "celsius")
    found.add("power_high", max(s.watts for s in states), "watt")
    reasons = sorted({reason for s in states for reason in s.throttled})
    if reasons:
        found.warnings.append(f"the GPU was slowed down: {', '.join(reasons)}")
