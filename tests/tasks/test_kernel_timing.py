"""Rounds, blocks and estimates on a clock that the test moves."""

import math
import statistics

import pytest

from remamber.tasks._interleaving import interleaved, order, plan_blocks, takes_part
from remamber.tasks._kernel_estimate import estimate, predicted


class Clock:
    """Calls take what they are told, times a drift that grows with all that was done."""

    def __init__(self, drift=0.0):
        self.now = 0.0
        self.drift = drift

    def call(self, seconds):
        def run():
            self.now += seconds * (1 + self.drift * self.now)

        return run

    def stopwatch(self, call, calls):
        start = self.now
        for _ in range(calls):
            call()
        return self.now - start


def ratios(samples, slow, fast):
    above, below = dict(samples[slow]), dict(samples[fast])
    return [above[r] / below[r] for r in sorted(above.keys() & below.keys())]


def test_every_second_round_is_reversed_and_every_variant_comes_first():
    rounds = [order(["a", "b", "c"], number) for number in range(6)]
    assert rounds[0] == rounds[1][::-1] and rounds[2] == rounds[3][::-1]
    assert {r[0] for r in rounds[::2]} == {"a", "b", "c"}
    assert all(sorted(r) == ["a", "b", "c"] for r in rounds)


def test_two_equal_variants_stay_equal_on_a_machine_that_slows_down():
    clock = Clock(drift=0.05)
    variants = {name: clock.call(0.1) for name in "abc"}
    plans = {name: plan_blocks(0.1, rounds=20, budget_s=10, least_block_s=0.05) for name in "abc"}
    samples = interleaved(variants, plans, rounds=20, stopwatch=clock.stopwatch)
    assert statistics.geometric_mean(ratios(samples, "a", "b")) == pytest.approx(1, abs=2e-3)
    one_after_the_other = samples["a"][-1][1] / samples["a"][0][1]
    assert one_after_the_other > 1.2, "the drift that sequential timing would have met"


def test_a_difference_is_found_under_drift():
    clock = Clock(drift=0.05)
    variants = {"slow": clock.call(0.3), "fast": clock.call(0.1)}
    plans = {name: plan_blocks(0.1, rounds=8, budget_s=10, least_block_s=0) for name in variants}
    samples = interleaved(variants, plans, rounds=8, stopwatch=clock.stopwatch)
    assert statistics.median(ratios(samples, "slow", "fast")) == pytest.approx(3, rel=0.02)


def test_short_calls_fill_a_block_and_long_ones_sit_rounds_out():
    short = plan_blocks(0.001, rounds=20, budget_s=4, least_block_s=0.05)
    assert (short.calls, short.blocks) == (50, 20)
    long = plan_blocks(1.0, rounds=20, budget_s=4, least_block_s=0.05)
    assert (long.calls, long.blocks) == (1, 4)
    assert plan_blocks(60.0, rounds=20, budget_s=4, least_block_s=0.05).blocks == 2


@pytest.mark.parametrize("blocks", [2, 3, 7, 20])
def test_the_rounds_of_a_slow_variant_are_as_many_as_planned_and_spread(blocks):
    taken = [number for number in range(20) if takes_part(blocks, number, 20)]
    assert len(taken) == blocks
    gaps = [b - a for a, b in zip(taken, taken[1:], strict=False)]
    assert max(gaps) - min(gaps) <= 1


def test_asking_to_stop_ends_the_rounds():
    class StopError(Exception):
        pass

    def on_round(done):
        if done == 3:
            raise StopError

    clock = Clock()
    plans = {"a": plan_blocks(0.1, rounds=9, budget_s=10, least_block_s=0)}
    with pytest.raises(StopError):
        interleaved(
            {"a": clock.call(0.1)},
            plans,
            rounds=9,
            stopwatch=clock.stopwatch,
            on_round=on_round,
        )
    assert clock.now == pytest.approx(0.3)


def test_a_linear_scan_is_estimated_by_proportion():
    found = estimate(lambda steps: 0.001 * steps, 4096, most_s=10)
    assert found.seconds == pytest.approx(4.096) and not found.too_long


def test_a_loop_under_autograd_is_estimated_by_its_square():
    cost = lambda steps: 1e-4 * steps + 1e-6 * steps**2  # noqa: E731
    found = estimate(cost, 16384, most_s=5)
    assert found.too_long
    assert found.seconds == pytest.approx(cost(16384), rel=0.01)


def test_what_is_sure_to_take_too_long_is_not_tried_at_length():
    tried = []

    def cost(steps):
        tried.append(steps)
        return 0.01 * steps

    assert estimate(cost, 65536, most_s=5).too_long
    assert max(tried) <= 65536 // 16


def test_one_interrupted_trial_does_not_leave_a_scan_out():
    def cost(steps):
        return 0.001 * steps + (1.0 if steps == 64 else 0.0)

    assert not estimate(cost, 4096, most_s=5).too_long


def test_a_very_short_sequence_is_simply_timed():
    assert estimate(lambda steps: 0.5 * steps, 8, most_s=10).seconds == 4.0


def test_a_prediction_is_never_below_what_a_part_took():
    assert predicted([(10, 5.0), (20, 1.0)], 21) >= 1.0
    assert math.isfinite(predicted([(10, 5.0)], 20))
