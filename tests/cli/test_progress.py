"""Progress: what a line says, when it comes, and how the rest of the time is estimated."""

import io
import re
import time

import pytest
from rich.console import Console

from remamber.cli._display import PlainDisplay
from remamber.cli._duration import parse_duration, spoken
from remamber.cli._progress import Progress
from remamber.cli._rich_display import RichDisplay
from remamber.cli._streams import Streams
from remamber.errors import UserError
from remamber.record.event import Event


def step(done: int, total: int = 700, **values: float) -> Event:
    return Event(kind="step", run_id="r", done=done, total=total, values=values)


def five(planned: float | None = None) -> Progress:
    labels = ["channel", "spatial", "parallel", "spatial-channel", "channel-spatial"]
    return Progress(labels, planned_s=[planned] * 5)


def streams() -> tuple[Streams, io.StringIO]:
    text = io.StringIO()
    console = Console(file=text, force_terminal=False, width=100)
    return Streams(console, "plain", quiet=False, color=False), text


def test_a_line_says_step_loss_metric_pace_and_time_left():
    progress = five()
    progress.hear(1, Event(kind="start", run_id="r", total=700), now=0.0)
    for done in range(1, 341):
        progress.hear(1, step(done, loss=0.61, mIoU=0.382, step_s=0.11), now=0.12 * done)
    line = f"{progress.name(1)} {progress.runs[1].line(0.12 * 340)}"
    assert line == "[2/5 spatial] step 340/700 loss 0.61 mIoU 38.2 0.11 s/step eta 43s"


def test_scoring_says_how_much_is_left_from_the_second_batch_on():
    progress = five()

    def score(done: int, now: float, what: str = "val") -> str:
        event = Event(kind="evaluate", run_id="r", what=what, done=done, total=1000)
        progress.hear(0, event, now=now)
        return progress.runs[0].line(now)

    assert score(16, 10.0) == "scoring val 16/1000"
    assert score(100, 52.0) == "scoring val 100/1000 eta 7m30s"
    assert score(200, 102.0, what="testA") == "scoring testA 200/1000 eta 6m40s"
    assert progress.runs[0].line(112.0) == "scoring testA 200/1000 eta 6m30s"
    # Another pass begins at the start.
    assert score(16, 120.0) == "scoring val 16/1000"


def test_the_time_left_counts_runs_that_have_not_started():
    progress = five()
    progress.hear(0, Event(kind="start", run_id="r", total=100), now=0.0)
    for done in range(1, 51):
        progress.hear(0, step(done, total=100), now=float(done))
    # 50 s of this run, and 100 s for each of the four others.
    assert progress.eta(50.0) == pytest.approx(450.0)
    progress.hear(0, Event(kind="finished", run_id="r"), now=120.0)
    assert progress.eta(120.0) == pytest.approx(4 * 120.0)


def test_the_plan_gives_the_time_left_before_anything_has_run():
    assert five().eta(0.0) is None
    assert five(planned=60.0).eta(0.0) == pytest.approx(300.0)


def test_a_run_planned_as_nothing_says_nothing_of_the_time_left():
    progress = Progress(["channel", "spatial", "bounds"], planned_s=[None, None, 0.0])
    assert progress.eta(0.0) is None
    progress.hear(0, Event(kind="start", run_id="r", total=100), now=0.0)
    for done in range(1, 51):
        progress.hear(0, step(done, total=100), now=float(done))
    assert progress.eta(50.0) == pytest.approx(50.0 + 100.0)


def test_the_plain_display_writes_at_start_and_end_and_even_when_a_run_is_silent():
    shown, text = streams()
    with PlainDisplay(five(), shown, every_s=0.05) as display:
        display.hear(0, Event(kind="prepare", run_id="r", what="starting"))
        display.hear(0, Event(kind="start", run_id="r", done=20, total=700))
        display.hear(0, step(21, loss=0.7))
        time.sleep(0.2)
        display.hear(0, Event(kind="evaluate", run_id="r", what="val", done=3, total=9))
        time.sleep(0.2)
        display.hear(0, Event(kind="failed", run_id="r", message="it broke\nin line 3"))
    lines = text.getvalue().splitlines()
    assert lines[0] == "[1/5 channel] starting"
    assert lines[1] == "[1/5 channel] going on from step 20 of 700"
    assert any(line.startswith("[1/5 channel] step 21/700 loss 0.70") for line in lines)
    assert "[1/5 channel] scoring val 3/9" in lines
    assert lines[-1] == "[1/5 channel] failed: it broke"


def test_the_rich_display_fits_an_80_column_terminal():
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=80, height=24)
    shown = Streams(console, "rich", quiet=False, color=True)
    with RichDisplay(five(), shown) as display:
        display.hear(0, Event(kind="finished", run_id="r", values={"mIoU": 0.4}))
        display.hear(4, Event(kind="start", run_id="r", total=700))
        for done in (1, 2, 340):
            display.hear(4, step(done, loss=0.61, mIoU=0.382, step_s=0.11))
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text.getvalue())
    assert "step 340/700 loss 0.61 mIoU 38.2 0.11 s/step eta 0s" in plain.splitlines()[-1]
    assert max(len(line.rstrip()) for line in plain.replace("\r", "\n").splitlines()) <= 80


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("1.5m", 90)]
)
def test_durations_are_read_as_people_write_them(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "ten", "10 m", "-5m", "10mm"])
def test_other_durations_are_refused(text):
    with pytest.raises(UserError, match="expected a time such as"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, "?"), (0, "0s"), (59.6, "1m00s"), (232, "3m52s"), (7500, "2h05m")]
)
def test_durations_are_written_as_people_read_them(seconds, words):
    assert spoken(seconds) == words
