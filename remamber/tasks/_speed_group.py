"""The timing of a group's models in this process, interleaved."""

import gc
import statistics
from collections.abc import Callable

import torch

from remamber.plan.speed import model_key
from remamber.tasks._resident import give_back
from remamber.tasks._speed_calls import Subject, make_inputs, make_subject, state_key
from remamber.tasks._speed_found import TIMING, Asked, Found
from remamber.tasks._speed_timing import (
    LEAST_BLOCK_S,
    Rounds,
    TwoClocks,
    plan_rounds,
    timed_rounds,
    warm_up,
)
from remamber.tasks._speed_trouble import Disturbance, is_out_of_memory, last_words

Say = Callable[[str, int, int], None]
"""(what, done, total)."""

SECOND_CLOCK = {"cpu": "cpu_s", "cuda": "device_s"}


def time_group(asked: Asked, device: torch.device, say: Say) -> Found:
    """First call, warm-up and rounds of every model that can be built and called."""
    found = Found()
    clocks = TwoClocks(device)
    subjects, each_s = _ready(asked, device, clocks, found, say)
    if not subjects:
        return found
    calls = {f"{s.key} {part}": c for s in subjects for part, c in _parts(s)}
    plans, made = plan_rounds(
        each_s,
        rounds=asked.speed.rounds,
        budget_s=asked.speed.budget_s,
        least_block_s=LEAST_BLOCK_S[device.type],
    )
    disturbance = Disturbance.begin()
    gc.freeze()
    rounds = timed_rounds(
        calls, plans, clocks, rounds=made, on_round=lambda done: say(TIMING, done, made)
    )
    disturbance.end(found)
    for subject in subjects:
        found.status[subject.key] = "ok"
        for part, _ in _parts(subject):
            _note(found, rounds, subject.key, part, SECOND_CLOCK[device.type])
    return found


def _parts(subject: Subject) -> tuple[tuple[str, Callable[[], object]], ...]:
    return ("iteration", subject.call), ("text", subject.text)


def _ready(
    asked: Asked, device: torch.device, clocks: TwoClocks, found: Found, say: Say
) -> tuple[list[Subject], dict[str, float]]:
    """The models that could be built, called and warmed, and seconds of their calls."""
    inputs = make_inputs(asked.speed, device, seed=asked.seed)
    models = {model_key(m): m for m in asked.speed.models}
    ready: list[Subject] = []
    each_s: dict[str, float] = {}
    for number, key in enumerate(asked.keys):
        say(f"warming up {key}", number, len(asked.keys))
        try:
            subject = make_subject(models[key], key, inputs, asked, device)
            for part, call in _parts(subject):
                each_s[f"{key} {part}"] = _warmed(asked, key, part, call, clocks, found)
        except Exception as error:  # noqa: BLE001 - a model that fails does not stop the others
            each_s = {name: s for name, s in each_s.items() if not name.startswith(f"{key} ")}
            found.fail(key, "oom" if is_out_of_memory(error) else "error", last_words(error))
            del error
            gc.collect()
            give_back()
            continue
        found.add(
            "parameters",
            sum(p.numel() for p in subject.model.parameters()),
            "parameters",
            model=key,
        )
        found.facts[f"shapes {key}"] = state_key(subject.model)
        ready.append(subject)
    return ready, each_s


def _warmed(
    asked: Asked,
    key: str,
    part: str,
    call: Callable[[], object],
    clocks: TwoClocks,
    found: Found,
) -> float:
    where = {"model": key, "part": part}
    found.add("first_call_s", clocks(call, 1), "seconds", **where)
    warm = warm_up(call, clocks, least_s=asked.speed.warm_s, cap_s=asked.speed.warm_cap_s)
    found.add("warm_up_s", warm.seconds, "seconds", **where)
    found.add("warm_up_calls", warm.calls, "count", **where)
    found.add("steady", float(warm.steady), "count", **where)
    return warm.each_s


def _note(found: Found, rounds: Rounds, key: str, part: str, second: str) -> None:
    name, where = f"{key} {part}", {"model": key, "part": part}
    kept = [(r, s) for r, s in rounds.wall[name] if s > 0]
    if len(kept) < len(rounds.wall[name]):
        found.warnings.append(f"{name}: a clock that went backwards cost a block")
    found.curves[f"{name} wall"] = [(float(r), s) for r, s in rounds.wall[name]]
    found.curves[f"{name} {second}"] = [(float(r), s) for r, s in rounds.second[name]]
    values = [s for _, s in kept]
    found.add("time_s", statistics.median(values), "seconds", **where)
    found.add("time_p90_s", _p90(values), "seconds", **where)
    found.add("time_iqr_s", _iqr(values), "seconds", **where)
    found.add(second, statistics.median(s for _, s in rounds.second[name]), "seconds", **where)
    found.add("blocks", len(values), "count", **where)
    found.add("calls_a_block", rounds.plans[name].calls, "count", **where)


def _p90(values: list[float]) -> float:
    return statistics.quantiles(values, n=10, method="inclusive")[-1]


def _iqr(values: list[float]) -> float:
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return high - low
