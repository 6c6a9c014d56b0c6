"""Verdicts over interleaved rounds: exact on hand-made cases, honest under a drifting clock."""

import math

import numpy as np
import pytest

from remamber.rounds import LEAST_ROUNDS, RoundRatio, process_ratio, round_ratio, verdict_of


def rounds(*seconds):
    return dict(enumerate(map(float, seconds)))


def test_only_rounds_with_a_time_of_both_count():
    ratio = round_ratio({0: 2.0, 1: 4.0, 2: 100.0}, {0: 1.0, 1: 1.0, 3: 0.01}, name="x")
    assert ratio == RoundRatio(pytest.approx(math.sqrt(8)), None, None, 2)


def test_without_a_common_round_there_is_no_ratio():
    assert round_ratio({0: 1.0}, {1: 1.0}, name="x") is None


def test_few_rounds_give_a_ratio_but_no_interval_and_no_verdict():
    n = LEAST_ROUNDS - 1
    ratio = round_ratio(rounds(*[2] * n), rounds(*[1] * n), name="x")
    assert ratio.value == pytest.approx(2)
    assert (ratio.low, ratio.high, ratio.p) == (None, None, None)
    assert verdict_of(ratio) == "unresolved"


def test_equal_times_are_the_same():
    ratio = round_ratio(rounds(*[1] * 10), rounds(*[1] * 10), name="x")
    assert (ratio.value, ratio.low, ratio.high, ratio.p) == (1, 1, 1, 1)
    assert verdict_of(ratio) == "same"


def test_the_ratio_and_the_verdict_turn_round_with_the_arguments():
    slow, fast = rounds(*[2, 2.1, 1.9, 2, 2.2, 2, 1.8]), rounds(*[1] * 7)
    there, back = round_ratio(slow, fast, name="x"), round_ratio(fast, slow, name="x")
    assert there.value == pytest.approx(1 / back.value)
    assert (verdict_of(there), verdict_of(back)) == ("slower", "faster")


def test_a_real_but_small_difference_is_no_difference():
    ratio = round_ratio(rounds(*[1.01] * 20), rounds(*[1] * 20), name="x")
    assert verdict_of(ratio) == "same"
    assert verdict_of(ratio, delta=0.005) == "slower"


def test_a_wide_interval_is_not_resolved():
    generator = np.random.default_rng(0)
    slow = rounds(*np.exp(0.3 * generator.standard_normal(12)))
    assert verdict_of(round_ratio(slow, rounds(*[1] * 12), name="x")) == "unresolved"


@pytest.mark.parametrize("ratio_of", [round_ratio, process_ratio])
def test_one_wild_round_does_not_move_the_ratio(ratio_of):
    ratio = ratio_of(rounds(*[1.1] * 9, 50), rounds(*[1] * 10), name="x")
    assert ratio.value == pytest.approx(1.1)


def test_an_interval_misses_the_truth_about_as_often_as_it_says():
    generator, missed = np.random.default_rng(2), 0
    for trial in range(200):
        times = rounds(*np.exp(0.05 * generator.standard_normal(20)))
        ratio = round_ratio(times, rounds(*[1] * 20), name=str(trial))
        missed += not ratio.low <= 1 <= ratio.high
    assert missed <= 24, "nominal 10 of 200"


def test_of_two_processes_the_shorter_one_says_how_many_rounds():
    assert process_ratio(rounds(*[1] * 9), rounds(*[1] * 6), name="x").rounds == 6
    assert process_ratio(rounds(*[1] * 6), rounds(*[1] * 9), name="x").rounds == 6


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [
        (RoundRatio(1.1, 1.05, 1.2, 20, 0.01), "slower"),
        (RoundRatio(1.1, 0.99, 1.2, 20, 0.01), "unresolved"),
        (RoundRatio(1.1, 1.05, 1.2, 20, 0.05), "unresolved"),
        (RoundRatio(1.019, 1.01, 1.2, 20, 0.01), "unresolved"),
    ],
)
def test_a_difference_needs_interval_test_and_size(ratio, verdict):
    assert verdict_of(ratio) == verdict


def test_the_same_rounds_give_the_same_interval_again():
    generator = np.random.default_rng(1)
    times = [rounds(*np.exp(0.1 * generator.standard_normal(12))) for _ in range(2)]
    assert round_ratio(*times, name="x") == round_ratio(*times, name="x")


def _machine(generator, kind, drift, count):
    """Seconds of ``count`` equal calls one after the other, with noise of 1 % and a drift."""
    time = np.arange(count) / count
    factor = {
        "linear": drift * time,
        "steps": drift * (np.cumsum(generator.random(count) < 0.05) % 2),
        "bursts": np.where(
            generator.random(count) < 0.1, drift * generator.exponential(3, count), 0
        ),
    }[kind]
    return np.exp(0.01 * generator.standard_normal(count) + factor)


def false_verdicts(kind, *, drift, interleaved, trials=100, n=20):
    found = 0
    for trial in range(trials):
        seconds = _machine(np.random.default_rng([trial, n]), kind, drift, 2 * n)
        a, b = {}, {}
        for i in range(n):
            if interleaved:
                first, second = (a, b) if i % 2 == 0 else (b, a)
                first[i], second[i] = seconds[2 * i], seconds[2 * i + 1]
            else:
                a[i], b[i] = seconds[i], seconds[n + i]
        found += verdict_of(round_ratio(a, b, name=str(trial))) in ("faster", "slower")
    return found


@pytest.mark.parametrize("kind", ["linear", "steps", "bursts"])
@pytest.mark.parametrize("drift", [0.01, 0.03, 0.1, 0.3])
def test_equal_variants_get_a_false_verdict_in_at_most_five_of_a_hundred(kind, drift):
    assert false_verdicts(kind, drift=drift, interleaved=True) <= 5


@pytest.mark.parametrize("kind", ["linear", "steps"])
def test_one_after_the_other_the_same_machine_gives_more_than_twenty(kind):
    assert false_verdicts(kind, drift=0.1, interleaved=False) > 20
