"""The report of maps: the verdict follows the data, the figure stays light and within its frame."""

import base64
import json
import re

import numpy as np
import pytest
from simulated_maps import SimulatedMaps

from remamber.figures._map_grid import grid
from remamber.plan.question import load_question
from remamber.plan.study import studies_folder
from remamber.report import render_study
from remamber.report.attention_compose import compose_attention

UP, DOWN, FLAT = (0.1, 0.2, 0.3, 0.4), (0.4, 0.3, 0.2, 0.1), (0.1, 0.1, 0.1, 0.1)


@pytest.fixture
def source(tmp_path):
    return SimulatedMaps(tmp_path)


def question():
    return load_question(studies_folder("analysis") / "attention.toml")


def composed(source):
    return compose_attention(question(), source.runs, source)


def figure(document, kind):
    return next(p for p in document.pictures if p.slug.endswith(kind))


@pytest.mark.parametrize(
    ("energies", "answer"),
    [
        ((UP, UP), "Deeper maps find the target better in Mamba Twister and Attention."),
        ((UP, DOWN), "Deeper maps find the target better in Mamba Twister, not in Attention."),
        ((DOWN, FLAT), "Deeper maps do not find the target better in any of the two."),
    ],
)
def test_the_verdict_is_what_depth_did(source, energies, answer):
    source.add("twister", energies[0]).add("attention", energies[1])
    verdict = composed(source)[0].verdict
    assert verdict.startswith(answer)


def test_the_verdict_names_where_the_target_is_preferred_to_other_objects(source):
    verdict = composed(source.add("twister", UP))[0].verdict
    assert "rises from stage 1 to 4, 10.0 to 40.0 % (+30.0 [30.0, 30.0])" in verdict
    assert "prefers the target to other objects at stages 2, 3 and 4." in verdict
    assert "highest at stage 4 (40.0 %, chance is 10.0 %)" in verdict


def test_one_image_decides_nothing(source):
    document, _ = composed(source.add("twister", UP, images=1))
    assert "do not find the target better in Mamba Twister" in document.verdict
    assert "no interval" in document.verdict
    assert any("one image, so there are no intervals" in note for note in document.notes)


def test_untrained_weights_alone_are_said_so_and_shown(source):
    document, _ = composed(source.add("twister", UP, trained=False))
    assert "only of untrained ones" in document.verdict
    assert "Mamba Twister, untrained" in figure(document, "maps").alt


def test_the_figure_of_maps_has_a_map_a_word_and_one_scale_a_row(source):
    source.add("twister", UP).add("attention", DOWN, layers=2)
    plotly = figure(composed(source)[0], "maps").plotly
    assert len(plotly["data"]) == 2 * 2 * 4 * 3
    assert sum(trace["visible"] for trace in plotly["data"]) == 2 * 2 * 4
    of_row = {trace["coloraxis"] for trace in plotly["data"][:24]}
    assert of_row == {"coloraxis"} != {trace["coloraxis"] for trace in plotly["data"][24:]}
    menus = plotly["layout"]["updatemenus"]
    assert [button["label"] for button in menus[1]["buttons"]] == ["all tokens", "“red”", "“cup”"]
    assert len(plotly["layout"]["images"]) == 4


def test_choosing_a_word_shows_its_maps_and_its_energies(source):
    source.add("twister", UP).add("attention", DOWN)
    document, _ = composed(source)
    layout = figure(document, "maps").plotly["layout"]
    shown, texts, traces = layout["updatemenus"][1]["buttons"][2]["args"]
    assert traces == list(range(24, 48))
    assert [i % 3 for i, seen in enumerate(shown["visible"]) if seen] == [2] * 8
    arrays = dict(np.load(source.arrays_path(source.found[1])))
    energy = arrays["shown/1/energy/stage 4"][2]
    numbers = [int(re.findall(r"\d+", key)[0]) for key in texts]
    assert list(texts.values())[-1] == f"{100 * energy:.1f} %"
    before = [layout["annotations"][number] for number in numbers]
    own = arrays["shown/1/energy/stage 4"][0]
    assert before[-1]["text"] == f"{100 * own:.1f} %"
    assert layout["meta"]["narrow"]["annotations"][numbers[-1]]["text"] == before[-1]["text"]


def test_models_that_see_other_words_show_all_tokens_only(source):
    source.add("twister", UP).add("attention", DOWN, words=("re", "##d", "cup"))
    plotly = figure(composed(source)[0], "maps").plotly
    assert len(plotly["data"]) == 2 * 2 * 4


def test_fine_maps_of_many_words_stay_a_light_figure(source):
    words = tuple(f"word{i}" for i in range(18))
    for row in ("twister", "attention", "lavt"):
        source.add(row, UP, shown=4, words=words, side=120)
    content = json.dumps(figure(composed(source)[0], "maps").plotly)
    assert len(content) < 1.5e6


def test_too_many_words_are_left_out_and_said_so(source):
    words = tuple(f"word{i}" for i in range(18))
    for row in ("twister", "attention"):
        source.add(row, UP, shown=32, images=40, words=words, side=16)
    document, _ = composed(source)
    plotly = figure(document, "maps").plotly
    assert len(plotly["data"]) == 32 * 2 * 4
    assert len(json.dumps(plotly)) < 1.5e6
    assert "too many for one figure" in document.notes[-1]


def test_coarse_drawing_keeps_the_mean_of_a_map(source):
    source.add("twister", UP, shown=4, words=tuple("abcdefgh"), side=120)
    trace = figure(composed(source)[0], "maps").plotly["data"][0]
    values = np.frombuffer(base64.b64decode(trace["z"]["bdata"]), dtype=trace["z"]["dtype"])
    assert len(values) <= 32**2
    assert values.mean() == pytest.approx(100, rel=0.01)


@pytest.mark.parametrize(("width", "is_narrow"), [(1060.0, False), (270.0, True)])
def test_tiles_neither_overlap_nor_leave_the_frame(source, width, is_narrow):
    from remamber.figures import MapRow, MapTile

    def row(height, breadth, models):
        tiles = tuple(
            MapTile(f"model {m}", f"stage {s}", np.ones((1, 2, 2)), (0.1,))
            for m in range(models)
            for s in range(1, 5)
        )
        return MapRow("a long text " * 6, (height, breadth), "", "", ("all",), tiles)

    for models in (1, 2, 3, 5):
        laid = grid([row(48, 64, models), row(200, 90, models)], width=width, is_narrow=is_narrow)
        boxes = [box for block in laid.blocks for box in block.tiles]
        assert all(b.x >= 0 and b.x + b.width <= laid.width + 1e-6 for b in boxes)
        assert all(b.y >= 0 and b.y + b.height <= laid.height for b in boxes)
        for i, a in enumerate(boxes):
            for b in boxes[i + 1 :]:
                apart = a.x + a.width <= b.x or b.x + b.width <= a.x
                assert apart or a.y + a.height <= b.y or b.y + b.height <= a.y


def test_the_whole_report_is_written_and_the_same_again(source, tmp_path, monkeypatch):
    import remamber.report.pictures

    monkeypatch.setattr(remamber.report.pictures, "find_browser", lambda: None)
    source.add("twister", UP).add("twister", FLAT, trained=False).add("attention", DOWN)
    source.add("lavt", UP, status="error")
    made = [
        render_study(question(), source.runs, store=source, out=tmp_path / name) for name in "ab"
    ]
    for kind in ("html", "md", "json", "csv"):
        one, two = (report.paths[kind].read_bytes() for report in made)
        assert one == two
    assert len(made[0].results["pictured"]) == 2
    assert made[0].results["tables"]["results"]
    notes = " ".join(made[0].results["notes"])
    assert "is not shown: error" in notes and "by no hand" in notes
    assert "toy scale" in made[0].terminal(color=False, width=80)
