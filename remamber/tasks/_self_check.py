"""A against A: the selective scan timed against itself, so that noise is known before a claim."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

import torch

from remamber.ops import selective_scan
from remamber.record.noise import NoiseFloor
from remamber.record.timing_key import machine_key
from remamber.rounds import RoundRatio, round_ratio, verdict_of
from remamber.tasks._device import device_name
from remamber.tasks._interleaving import Call, Plan, Stopwatch, interleaved, plan_blocks
from remamber.tasks._kernel_machine import make_stopwatch

TRIALS = 10
ROUNDS = 20
_BLOCK_S = 0.02
_WARM_UP_S = 0.5
_CHANNELS, _STEPS, _STATES = 256, 1024, 16


class _Trial(NamedTuple):
    interleaved: RoundRatio
    one_after_other: RoundRatio


def noise_floor(
    *, trials: int = TRIALS, on_trial: Callable[[int, int], None] = lambda done, total: None
) -> NoiseFloor:
    """Time the scan against itself, interleaved and one block after the other.

    Args:
        trials: of both kinds, each with its own rounds.
        on_trial: told how many trials are done, of how many.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    call, stopwatch = _scan(device), make_stopwatch(device)
    plan = _plan(call, stopwatch)
    found = []
    for trial in range(trials):
        on_trial(trial, trials)
        found.append(_trial(call, plan, stopwatch))
    on_trial(trials, trials)
    accelerator = device_name(device) if device.type == "cuda" else ""
    return NoiseFloor(
        machine=machine_key(accelerator),
        device=device_name(device),
        threads=torch.get_num_threads(),
        trials=trials,
        rounds=ROUNDS,
        floor=_largest([t.interleaved for t in found]),
        one_after_other=_largest([t.one_after_other for t in found]),
        false_verdicts=_false([t.interleaved for t in found]),
        false_one_after_other=_false([t.one_after_other for t in found]),
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _scan(device: torch.device) -> Call:
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator).to(device)

    u, delta = drawn(1, _CHANNELS, _STEPS), drawn(1, _CHANNELS, _STEPS)
    a = -drawn(_CHANNELS, _STATES)
    b, c = drawn(1, 1, _STATES, _STEPS), drawn(1, 1, _STATES, _STEPS)
    return torch.inference_mode()(lambda: selective_scan(u, delta, a, b, c, delta_softplus=True))


def _plan(call: Call, stopwatch: Stopwatch) -> Plan:
    """Blocks long enough for the clock, after a warm-up by time."""
    spent = stopwatch(call, 1)
    while spent < _WARM_UP_S:
        spent += stopwatch(call, 4)
    seconds = min(stopwatch(call, 1) for _ in range(5))
    budget = 10 * ROUNDS * max(seconds, _BLOCK_S)
    return plan_blocks(seconds, rounds=ROUNDS, budget_s=budget, least_block_s=_BLOCK_S)


def _trial(call: Call, plan: Plan, stopwatch: Stopwatch) -> _Trial:
    plans = {"A": plan, "B": plan}
    rounds = interleaved({"A": call, "B": call}, plans, rounds=ROUNDS, stopwatch=stopwatch)
    blocks = {
        name: interleaved({name: call}, {name: plan}, rounds=ROUNDS, stopwatch=stopwatch)[name]
        for name in plans
    }
    return _Trial(*(_ratio(samples) for samples in (rounds, blocks)))


def _ratio(samples: dict[str, list[tuple[int, float]]]) -> RoundRatio:
    ratio = round_ratio(dict(samples["A"]), dict(samples["B"]), name="A against A")
    if ratio is None:
        raise AssertionError("both were timed in every round")
    return ratio


def _largest(ratios: list[RoundRatio]) -> float:
    return max(max(r.value, 1 / r.value) - 1 for r in ratios)


def _false(ratios: list[RoundRatio]) -> int:
    return sum(verdict_of(r) in ("faster", "slower") for r in ratios)
