"""One measuring process: started fresh, listened to, and survived when it is killed."""

import json
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import IO

from pydantic import ValidationError

from remamber.tasks._speed_found import Asked, Found, Line
from remamber.tasks._speed_trouble import OUT_OF_MEMORY

COMMAND = (sys.executable, "-P", "-X", "faulthandler", "-m", "remamber.tasks._speed_child")
POLL_S = 0.2
_TAIL = 4000

OnLine = Callable[[str, int, int], None]
"""(what, done, total); may raise to stop."""


def ask(
    asked: Asked,
    *,
    on_line: OnLine,
    on_poll: Callable[[], None] = lambda: None,
    command: tuple[str, ...] = COMMAND,
) -> Found:
    """Measure in a fresh process; whatever ends it, every model that was asked for has a status.

    Args:
        asked: what to measure.
        on_line: told of progress, and called without words at every poll; may raise to stop.
        on_poll: called a few times a second while the process works.
        command: what is started.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        )
        try:
            found = _listen(process, asked, on_line, on_poll)
            status = process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if found is None:
            found = _died(asked, status, _tail(errors))
    return found


def _listen(
    process: "subprocess.Popen[bytes]",
    asked: Asked,
    on_line: OnLine,
    on_poll: Callable[[], None],
) -> Found | None:
    lines: SimpleQueue[Line | None] = SimpleQueue()
    reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
    reader.start()
    if process.stdin is not None:
        try:
            process.stdin.write(asked.model_dump_json().encode())
            process.stdin.close()
        except BrokenPipeError:
            process.stdin = None
    found = None
    while True:
        try:
            line = lines.get(timeout=POLL_S)
        except Empty:
            on_poll()
            on_line("", 0, 0)
            continue
        if line is None:
            return found
        if line.found is not None:
            found = Found.model_validate(line.found)
        else:
            on_line(line.what, line.done, line.total)


def _read(stream: IO[bytes] | None, lines: "SimpleQueue[Line | None]") -> None:
    if stream is not None:
        with stream:
            for text in stream:
                try:
                    lines.put(Line.model_validate(json.loads(text)))
                except (ValidationError, ValueError):
                    continue
    lines.put(None)


def _died(asked: Asked, status: int, tail: str) -> Found:
    """Every model of a process that ended without a word: out of memory if it was killed."""
    found = Found()
    if status in (-signal.SIGKILL, 128 + signal.SIGKILL):
        how, reason = "oom", "its process was ended from outside, as the system does without memory"
    elif any(word in tail for word in OUT_OF_MEMORY):
        how, reason = "oom", f"its process ran out of memory: {_last_line(tail)}"
    else:
        how, reason = "error", f"its process ended with status {status}: {_last_line(tail)}"
    for key in asked.keys:
        found.fail(key, how, reason)
    return found


def _tail(errors: IO[bytes]) -> str:
    errors.seek(0, 2)
    errors.seek(max(0, errors.tell() - _TAIL))
    return errors.read().decode("utf-8", errors="replace")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no word"
