"""What the maps of several runs say: means, intervals over images, paired differences, chance."""

import numpy as np
import pytest
from simulated_maps import AREA, SimulatedMaps

from remamber.errors import ExitCode, UserError
from remamber.table.attention import build_attention, difference, rise
from remamber.table.attention_layout import attention_tables

UP, DOWN = (0.1, 0.2, 0.3, 0.4), (0.4, 0.3, 0.2, 0.1)
LABELS = {"twister": "Mamba Twister"}


@pytest.fixture
def source(tmp_path):
    return SimulatedMaps(tmp_path)


def built(source):
    return build_attention(LABELS, source.runs, source)


def table(results, name):
    return next(t for t in attention_tables(results) if t.name == name)


def test_runs_of_one_model_stand_together_under_the_rows_name(source):
    source.add("twister", UP).add("attention", DOWN).add("twister", DOWN, trained=False)
    results = built(source)
    assert [v.label for v in results.variants] == ["Mamba Twister", "attention"]
    assert [name for name, _ in results.variants[0].both] == ["trained", "untrained"]
    assert results.variants[1].control is None
    rows = [row.label for row in table(results, "results").rows]
    assert rows == [
        "Mamba Twister, trained",
        "Mamba Twister, untrained",
        "attention, trained",
        "Chance: the target's area",
        "Most that the grid allows",
    ]


def test_means_are_those_of_the_expressions_and_intervals_hold_them(source):
    maps = built(source.add("twister", UP)).first
    for stage, value in enumerate(UP, start=1):
        told = maps.told("energy", stage)
        assert told.value == pytest.approx(value)
        assert told.low < value < told.high
    assert maps.told("energy").value == pytest.approx(np.mean(UP))
    assert maps.told("area").value == pytest.approx(AREA)
    assert maps.told("area").low == pytest.approx(AREA)
    assert maps.told("energy", 7) is None


def test_the_interval_is_that_of_the_mean_of_images(source):
    """Two expressions of an image say the same, so there are 30 values and not 60."""
    maps = built(source.add("twister", UP)).first
    values = maps.arrays["energy/stage 1"][::2, 0]
    told = maps.told("energy", 1)
    expected = 2 * 1.96 * values.std() / np.sqrt(len(values))
    assert told.high - told.low == pytest.approx(expected, rel=0.1)


def test_layers_of_a_stage_are_averaged_and_also_listed(source):
    results = built(source.add("attention", UP, layers=2).add("twister", UP))
    arrays = results.first.arrays
    arrays["energy/stage 1 layer 2"][:] += 0.1
    assert results.first.told("energy", 1).value == pytest.approx(UP[0] + 0.05)
    rows = table(results, "layers").rows
    assert [row.label for row in rows[:2]] == [
        "attention: stage 1 layer 1",
        "attention: stage 1 layer 2",
    ]
    assert rows[1].cells[0].value == pytest.approx(UP[0] + 0.1)
    assert not any("Twister" in row.label for row in rows)


def test_differences_are_paired_by_image(source):
    """Both vary alike from image to image, so their difference does not vary at all."""
    results = built(source.add("twister", UP).add("attention", DOWN))
    one, other = (variant.trained for variant in results.variants)
    told = difference(one, other, "energy", 1)
    assert told.value == pytest.approx(-0.3)
    assert told.high - told.low < 1e-9 < one.told("energy", 1).high - one.told("energy", 1).low
    assert table(results, "models-1").title == "Mamba Twister less attention, trained"
    assert table(results, "models-1").rows[0].cells[0].value == pytest.approx(-0.3)


def test_runs_on_other_expressions_are_not_subtracted(source):
    source.add("twister", UP).add("attention", DOWN, images=20)
    one, other = (variant.trained for variant in built(source).variants)
    assert difference(one, other, "energy", 1) is None


def test_depth_is_the_last_stage_less_the_first_and_less_that_of_the_control(source):
    source.add("twister", UP).add("twister", (0.1, 0.1, 0.1, 0.15), trained=False)
    results = built(source)
    assert rise(results.first, "energy").value == pytest.approx(0.3)
    assert rise(results.first, "energy").sign == 1
    cells = table(results, "depth").rows[0].cells
    assert [cell.value for cell in cells] == pytest.approx([0.3, 0.25])


def test_words_are_compared_with_the_area_of_their_own_expressions(source):
    results = built(source.add("twister", UP))
    results.first.arrays["area"][1::4] = 0.3
    rows = table(results, "kinds-1").rows
    assert [row.label for row in rows] == ["all tokens", "noun (n = 60)", "location (n = 15)"]
    assert rows[0].cells[0].value == pytest.approx(UP[0] - AREA - 0.2 / 4)
    located = results.first.arrays["energy/stage 1"][::4, 2].mean() - AREA
    assert rows[2].cells[0].value == pytest.approx(located)


def test_expressions_without_a_target_or_a_map_are_left_out(source):
    maps = built(source.add("twister", UP)).first
    maps.arrays["area"][:10] = 0.0
    maps.arrays["energy/stage 1"][10:20] = np.nan
    assert maps.measured.sum() == 40 and maps.images == 20
    assert maps.told("energy", 1).value == pytest.approx(
        maps.arrays["energy/stage 1"][20:, 0].mean()
    )


def test_one_image_has_no_interval(source):
    maps = built(source.add("twister", UP, images=1)).first
    told = maps.told("energy", 1)
    assert (told.low, told.high, told.sign) == (None, None, 0)


def test_several_seeds_of_a_row_are_named_by_their_seed(source):
    source.add("twister", UP).add("twister", UP, seed=1)
    labels = [variant.label for variant in built(source).variants]
    assert labels == ["Mamba Twister, seed 0", "Mamba Twister, seed 1"]


def test_failed_and_missing_runs_are_told_and_nothing_at_all_is_an_error(source):
    source.add("attention", UP, status="error")
    with pytest.raises(UserError, match="has left maps") as caught:
        built(source)
    assert caught.value.exit_code is ExitCode.MISSING
    source.add("twister", UP)
    runs = source.runs.model_copy(update={"run_ids": (*source.runs.run_ids, "gone")})
    results = build_attention(LABELS, runs, source)
    assert list(results.failed.values()) == ["error"] and results.unrecorded == ("gone",)
