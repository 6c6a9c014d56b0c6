"""What a running run says while it runs: one JSON line an event, from the run to its launcher."""

from typing import Literal

from remamber.plan.spec import Strict

EventKind = Literal[
    "prepare",
    "start",
    "step",
    "saved",
    "evaluate",
    "note",
    "finished",
    "failed",
    "stopped",
    "waiting",
    "calibrated",
]


class Event(Strict):
    """One line of a run's event stream.

    prepare: ``what`` is being done, ``done`` of ``total``. start: ``done`` steps were resumed of
    ``total``. step: step ``done`` of ``total``; ``values`` holds loss, step_s, lr and, when just
    measured, mIoU. saved: checkpoint at step ``done``. evaluate: ``what`` is the split. note:
    a warning in ``message``. finished: ``values`` holds the metrics of the lead split. failed:
    ``what`` is the status, ``message`` one sentence. stopped: interrupted after step ``done``,
    resumable. waiting: another process holds the run. calibrated: ``values`` holds parameters,
    step_s and peak_bytes.
    """

    kind: EventKind
    run_id: str
    what: str = ""
    done: int = 0
    total: int = 0
    values: dict[str, float] = {}
    message: str = ""
