"""The parts of a speed run: clocks, warm-up, rounds, processes that die, noise, batches."""

import json
import statistics
import sys
import time
from types import SimpleNamespace

import pytest
import torch

from remamber.errors import UserError
from remamber.plan.spec import ModelSpec, RunSpec, SpeedSpec
from remamber.plan.speed import model_key, model_labels
from remamber.rounds import round_ratio, verdict_of
from remamber.tasks import _speed_gpu, _speed_process, _speed_watch
from remamber.tasks._speed_found import Asked, Found
from remamber.tasks._speed_gpu import Gpu
from remamber.tasks._speed_process import ask
from remamber.tasks._speed_timing import (
    FEWEST_ROUNDS,
    TwoClocks,
    plan_rounds,
    timed_rounds,
    warm_up,
)
from remamber.tasks._speed_trouble import Disturbance, is_out_of_memory
from remamber.tasks._speed_watch import Watch
from remamber.tasks.speed import largest_batch

MODELS = (ModelSpec(), ModelSpec(name="lavt"))
KEYS = tuple(map(model_key, MODELS))


class Clock:
    """A stopwatch whose calls take what they are told, and slow down as time goes by."""

    def __init__(self, drift=0.0):
        self.now, self.drift, self.second = 0.0, drift, {}

    def call(self, seconds):
        def run():
            self.now += seconds(self.now) if callable(seconds) else seconds
            self.now += 0.0

        run.seconds = seconds
        return run

    def __call__(self, call, calls):
        start = self.now
        for _ in range(calls):
            before = self.now
            call()
            self.now = before + (self.now - before) * (1 + self.drift * before)
        self.second.setdefault(call, []).append(self.now - start)
        return self.now - start

    def forget(self):
        self.second.clear()


def asked(action="time", **more):
    return Asked(action=action, speed=SpeedSpec(models=MODELS, **more), keys=KEYS)


def child(code):
    return (sys.executable, "-c", code)


def listen(code, **more):
    return ask(asked(**more), on_line=lambda *words: None, command=child(code))


def test_a_warm_up_ends_when_two_windows_agree():
    clock = Clock()
    falling = clock.call(lambda now: 0.1 if now > 3 else 0.3 - 0.05 * now)
    warm = warm_up(falling, clock, least_s=2.0, cap_s=30.0)
    assert warm.steady and warm.each_s == pytest.approx(0.1, rel=0.02)
    assert 3 < warm.seconds < 8 and warm.calls >= 10


def test_a_warm_up_that_never_settles_ends_at_its_cap_and_says_so():
    clock = Clock()
    restless = clock.call(lambda now: 0.1 + 0.05 * (int(now) % 2))
    warm = warm_up(restless, clock, least_s=2.0, cap_s=6.0)
    assert not warm.steady and 6 <= warm.seconds < 6.5


def test_a_slow_call_is_warmed_by_two_calls():
    clock = Clock()
    warm = warm_up(clock.call(40.0), clock, least_s=2.0, cap_s=10.0)
    assert (warm.calls, warm.each_s) == (2, 40.0)


def test_everyone_takes_part_in_as_many_rounds_as_the_budget_holds():
    plans, rounds = plan_rounds(
        {"slow": 1.0, "fast": 0.01}, rounds=50, budget_s=21.0, least_block_s=0.05
    )
    assert (plans["slow"].calls, plans["fast"].calls, rounds) == (1, 5, 20)
    assert {plan.blocks for plan in plans.values()} == {20}
    _, few = plan_rounds({"slow": 60.0}, rounds=50, budget_s=21.0, least_block_s=0.05)
    assert few == FEWEST_ROUNDS


@pytest.mark.parametrize("drift", [0.0, 0.02, 0.05])
def test_equal_models_are_not_told_apart_on_a_machine_that_slows_down(drift):
    clock = Clock(drift)
    calls = {name: clock.call(0.1) for name in "ab"}
    plans, rounds = plan_rounds(dict.fromkeys("ab", 0.1), rounds=20, budget_s=9, least_block_s=0)
    found = timed_rounds(calls, plans, clock, rounds=rounds, on_round=lambda done: None)
    ratio = round_ratio(dict(found.wall["a"]), dict(found.wall["b"]), name="a b")
    assert verdict_of(ratio) in ("same", "unresolved")
    if drift:
        drifted = [s for _, s in found.wall["a"]]
        assert drifted[-1] / drifted[0] > 1.01, "the drift that sequential timing would have met"


def test_a_real_difference_is_found_on_a_machine_that_slows_down():
    clock = Clock(drift=0.02)
    calls = {"slow": clock.call(0.12), "fast": clock.call(0.1)}
    plans, rounds = plan_rounds(dict.fromkeys(calls, 0.1), rounds=20, budget_s=9, least_block_s=0)
    found = timed_rounds(calls, plans, clock, rounds=rounds, on_round=lambda done: None)
    ratio = round_ratio(dict(found.wall["slow"]), dict(found.wall["fast"]), name="slow fast")
    assert verdict_of(ratio) == "slower" and ratio.value == pytest.approx(1.2, rel=0.01)


def test_the_second_clock_has_a_value_for_every_block():
    clocks = TwoClocks(torch.device("cpu"))
    calls = {"spin": lambda: sum(range(2000)), "sleep": lambda: time.sleep(0.002)}
    plans, rounds = plan_rounds(dict.fromkeys(calls, 0.002), rounds=6, budget_s=9, least_block_s=0)
    found = timed_rounds(calls, plans, clocks, rounds=rounds, on_round=lambda done: None)
    assert [r for r, _ in found.second["sleep"]] == [r for r, _ in found.wall["sleep"]]
    asleep = zip(found.wall["sleep"], found.second["sleep"], strict=True)
    assert all(cpu < wall for (_, wall), (_, cpu) in asleep), "sleep takes no CPU time"


def test_the_harness_adds_less_than_a_hundredth_to_what_it_times():
    """Of a block of 50 ms, by CPU time, which other load on the machine does not lengthen."""
    clocks, calls = TwoClocks(torch.device("cpu")), 2000
    idle = lambda: None  # noqa: E731
    overhead = min(clocks(idle, calls) / calls for _ in range(20))
    clocks.forget()
    clocks(idle, calls)
    # A call of a model is at least a millisecond; blocks of shorter ones hold many.
    assert overhead < 0.01 * 0.001


def test_a_killed_process_is_out_of_memory_and_leaves_a_status_for_every_model():
    found = listen("import os, sys; sys.stdin.read(); os.kill(os.getpid(), 9)")
    assert found.status == dict.fromkeys(KEYS, "oom")
    assert "ended from outside" in found.reasons[KEYS[0]]


def test_a_process_that_breaks_is_an_error_with_its_last_words():
    found = listen("import sys; sys.stdin.read(); print('kernel is broken', file=sys.stderr); 1/0")
    assert found.status == dict.fromkeys(KEYS, "error")
    assert "ZeroDivisionError" in found.reasons[KEYS[0]]


def test_a_failed_allocation_that_ends_a_process_is_out_of_memory():
    code = "import sys; sys.stdin.read(); sys.exit('terminate called: std::bad_alloc')"
    assert set(listen(code).status.values()) == {"oom"}


def test_what_a_process_finds_is_heard_whatever_a_library_prints():
    said = []
    line = json.dumps({"what": "timing", "done": 1, "total": 2})
    last = json.dumps({"found": Found(status={KEYS[0]: "ok"}).model_dump(mode="json")})
    code = f"import sys; sys.stdin.read(); print('hello'); print({line!r}); print({last!r})"
    found = ask(asked(), on_line=lambda *words: said.append(words), command=child(code))
    assert found.status == {KEYS[0]: "ok"} and ("timing", 1, 2) in said


def test_asking_to_stop_ends_the_process(monkeypatch):
    monkeypatch.setattr(_speed_process, "POLL_S", 0.02)

    class StopError(Exception):
        pass

    def stop(*words):
        raise StopError

    begin = time.perf_counter()
    with pytest.raises(StopError):
        ask(asked(), on_line=stop, command=child("import time; time.sleep(60)"))
    assert time.perf_counter() - begin < 20


@pytest.mark.parametrize("largest", [1, 2, 3, 7, 24, 100, 511])
def test_the_largest_batch_is_found_within_an_eighth(largest):
    tried = []

    def fits(batch):
        tried.append(batch)
        return batch <= largest

    found = largest_batch(fits, most=512)
    assert largest * 0.88 - 1 <= found <= largest
    assert len(tried) <= 13 and 1 not in tried


def test_a_batch_that_always_fits_ends_the_search():
    assert largest_batch(lambda batch: True, most=512) == 512


def test_errors_of_every_allocator_are_out_of_memory():
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(ValueError("wrong shape"))


def test_a_clock_that_is_set_and_a_machine_that_swaps_are_warned_of():
    before = Disturbance.begin()
    found = Found()
    Disturbance(before.interrupted, before.swapped - 5, before.civil - 3600, before.steady).end(
        found
    )
    assert any("swapped 5 pages" in w for w in found.warnings)
    assert any("clock was set by +3600" in w for w in found.warnings)
    quiet = Found()
    Disturbance.begin().end(quiet)
    assert not [w for w in quiet.warnings if "clock" in w]


DRIVER = SimpleNamespace(
    NVML_CLOCK_SM=0,
    NVML_TEMPERATURE_GPU=0,
    nvmlDeviceGetComputeRunningProcesses=lambda handle: [SimpleNamespace(pid=4242)],
    nvmlDeviceGetCurrentClocksEventReasons=lambda handle: 0x4 | 0x40,
    nvmlDeviceGetClockInfo=lambda handle, which: 1980,
    nvmlDeviceGetTemperature=lambda handle, which: 87,
    nvmlDeviceGetPowerUsage=lambda handle: 690_000,
)
"""It knows of another process on the GPU, and of a clock that heat has lowered."""


def test_a_gpu_that_others_use_is_refused_unless_allowed(monkeypatch):
    monkeypatch.setattr(_speed_watch, "open_gpu", lambda device: Gpu(DRIVER, None))
    with pytest.raises(UserError, match="in use by 1 other process") as refused:
        Watch(SpeedSpec(device="cuda")).require_alone()
    assert refused.value.exit_code == 3 and "--allow-shared" in refused.value.fix[1]
    Watch(SpeedSpec(device="cuda", allow_shared=True)).require_alone()


def test_a_gpu_that_was_slowed_down_by_heat_is_warned_of(monkeypatch):
    monkeypatch.setattr(_speed_watch, "open_gpu", lambda device: Gpu(DRIVER, None))
    watch, found = Watch(SpeedSpec(device="cuda"), timing=True, pressure=None), Found()
    watch.look()
    watch.look()
    watch.note(found)
    assert "the GPU was slowed down: heat" in found.warnings
    values = {m.metric: m.value for m in found.measurements}
    assert values["sm_clock_low"] == 1.98e9 and values["power_high"] == 690


def test_without_the_driver_there_is_nothing_to_say(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(_speed_gpu.importlib, "import_module", missing)
    _speed_gpu.open_gpu.cache_clear()
    assert _speed_gpu.open_gpu("cuda") is None
    assert _speed_gpu.open_gpu("cpu") is None
    _speed_gpu.open_gpu.cache_clear()


def test_labels_hold_only_what_tells_models_apart():
    models = (ModelSpec(), ModelSpec(decoder="mamba"), ModelSpec(name="lavt"))
    assert list(model_labels(models).values()) == ["remamber conv", "remamber mamba", "lavt"]
    assert list(model_labels(models[1:]).values()) == ["remamber", "lavt"]


def test_a_groups_hash_does_not_know_of_fields_that_models_got_later():
    spec = RunSpec(task="speed", speed=SpeedSpec(models=MODELS))
    canonical = json.loads(spec.canonical())
    assert set(canonical) == {"spec_version", "task", "seed", "speed", "scan_backend"}
    assert "backbone" not in canonical["speed"]["models"][0]
    other = spec.model_copy(update={"data": spec.data.model_copy(update={"image_size": 128})})
    assert other.digest == spec.digest
    wider = spec.speed.model_copy(update={"image_size": 512})
    assert spec.model_copy(update={"speed": wider}).digest != spec.digest


def test_medians_are_what_the_blocks_say():
    values = [0.1, 0.2, 0.3, 0.4, 5.0]
    from remamber.tasks._speed_group import _iqr, _p90

    assert _p90(values) == pytest.approx(3.16) and _iqr(values) == pytest.approx(0.2)
    assert statistics.median(values) == 0.3


SMALL = """
import resource, sys
import remamber.tasks._speed_child as child
def limit():
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (1200 * 2**20, hard))
child.limit_memory = limit
sys.exit(child.main())
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's data")
def test_a_model_that_does_not_fit_is_out_of_memory_and_no_crash():
    big = SpeedSpec(models=MODELS, image_size=2048, threads=1, warm_s=0.1, warm_cap_s=0.2)
    one = Asked(action="memory", speed=big, keys=KEYS[1:])
    found = ask(one, on_line=lambda *words: None, command=child(SMALL))
    assert found.status == {KEYS[1]: "oom"}, found.reasons
    assert not [m for m in found.measurements if m.metric == "peak_bytes"]
