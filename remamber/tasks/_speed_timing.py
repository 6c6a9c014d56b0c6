"""How a group is timed: first call apart, warm until steady, then interleaved rounds."""

import math
import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch

from remamber.tasks._interleaving import Call, Plan, Stopwatch, interleaved

LEAST_BLOCK_S = {"cpu": 0.05, "cuda": 0.02}
LEAST_WARM_CALLS = 10
STEADY = 0.01
"""How far the last two windows of a warm-up may lie apart, as a share."""
FEWEST_ROUNDS = 6
"""Rounds even where the budget does not hold them: fewer have no interval."""


class TwoClocks:
    """Wall time of a block that ends when the device is idle; beside it a second clock.

    The second is the CPU time of all threads on a CPU and the time between two events on a GPU,
    kept by call in ``second``, one value a block, seconds a call.
    """

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self.second: dict[Call, list[float]] = {}

    def __call__(self, call: Call, calls: int) -> float:
        """Wall seconds of so many calls."""
        wall, second = (self._on_gpu if self._cuda else self._on_cpu)(call, calls)
        self.second.setdefault(call, []).append(second / calls)
        return wall

    def forget(self) -> None:
        """Drop the second clock's values, those of a warm-up."""
        self.second.clear()

    @staticmethod
    def _on_cpu(call: Call, calls: int) -> tuple[float, float]:
        used, start = time.process_time(), time.perf_counter()
        for _ in range(calls):
            call()
        return time.perf_counter() - start, time.process_time() - used

    @staticmethod
    def _on_gpu(call: Call, calls: int) -> tuple[float, float]:
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in "ab")  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
        start = time.perf_counter()
        begin.record()
        for _ in range(calls):
            call()
        end.record()
        torch.cuda.synchronize()
        return time.perf_counter() - start, begin.elapsed_time(end) / 1000


class Warm(NamedTuple):
    """A warm-up: how long it took, how often it called, whether it became steady, seconds a call.

    ``steady`` is false where the cap came first.
    """

    seconds: float
    calls: int
    steady: bool
    each_s: float


def warm_up(call: Call, stopwatch: Stopwatch, *, least_s: float, cap_s: float) -> Warm:
    """Call until the last two windows agree, and for a least time and number of calls.

    Args:
        call: what is warmed.
        stopwatch: takes the time of one call at a time.
        least_s: seconds at least; a window is half of it.
        cap_s: seconds after which it ends all the same, but never before the second call.
    """
    windows: list[float] = []
    window: list[float] = []
    seconds, calls = 0.0, 0
    while True:
        one = stopwatch(call, 1)
        seconds, calls = seconds + one, calls + 1
        window.append(one)
        if sum(window) >= least_s / 2:
            windows.append(statistics.fmean(window))
            window = []
        each = windows[-1] if windows else statistics.fmean(window)
        enough = seconds >= least_s and calls >= LEAST_WARM_CALLS
        if enough and len(windows) > 1 and abs(windows[-1] / windows[-2] - 1) <= STEADY:
            return Warm(seconds, calls, steady=True, each_s=each)
        if seconds >= cap_s and calls > 1:
            return Warm(seconds, calls, steady=False, each_s=each)


def plan_rounds(
    each_s: Mapping[str, float], *, rounds: int, budget_s: float, least_block_s: float
) -> tuple[dict[str, Plan], int]:
    """Calls a block for everyone, and how many rounds of all of them the budget holds.

    Everyone takes part in every round, so that every round compares all of them.
    """
    calls = {k: max(1, math.ceil(least_block_s / max(s, 1e-9))) for k, s in each_s.items()}
    of_a_round = sum(each_s[key] * calls[key] for key in each_s)
    held = int(budget_s / max(of_a_round, 1e-9))
    made = max(min(FEWEST_ROUNDS, rounds), min(rounds, held))
    return {key: Plan(n, made) for key, n in calls.items()}, made


class Rounds(NamedTuple):
    """Blocks by name, each (round, seconds a call): wall, and the second clock's."""

    wall: dict[str, list[tuple[int, float]]]
    second: dict[str, list[tuple[int, float]]]
    plans: dict[str, Plan]


def timed_rounds(
    calls: Mapping[str, Call],
    plans: Mapping[str, Plan],
    clocks: TwoClocks,
    *,
    rounds: int,
    on_round: Callable[[int], None],
) -> Rounds:
    """Time everything in interleaved rounds; see ``interleaved``."""
    clocks.forget()
    wall = interleaved(calls, plans, rounds=rounds, stopwatch=clocks, on_round=on_round)
    second = {
        name: list(zip((r for r, _ in wall[name]), clocks.second[call], strict=True))
        for name, call in calls.items()
    }
    return Rounds(wall, second, dict(plans))
