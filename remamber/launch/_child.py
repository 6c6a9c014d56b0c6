"""One runner process: a request goes in, events come out, standard error is kept in a file."""

import json
import logging
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from remamber.launch import Errand
from remamber.plan.spec import RunSpec
from remamber.record.event import Event

TAIL_LINES = 12
SPIN_COUNT = "20000"
"""How long a thread of torch's pool waits awake for the others, in turns; a few microseconds.

By default it is a thousand times longer: as soon as something else uses a core, threads burn the
very time that the one they wait for needs, and a training step takes ten times as long or more.
"""

_log = logging.getLogger(__name__)


def request(spec: RunSpec, errand: Errand, *, action: str = "run") -> dict[str, Any]:
    """What the runner reads from its standard input."""
    weights = errand.weights.get(spec.weights.sha256) if spec.weights is not None else None
    return {
        "action": action,
        "spec": spec.model_dump(mode="json"),
        "store": str(errand.store.root),
        "place": {
            "root": str(errand.root) if errand.root else None,
            "cache": str(errand.cache) if errand.cache else None,
            "workers": errand.workers,
            "loaders": errand.loaders,
        },
        "command": errand.command,
        "threads": errand.threads,
        "jobs": errand.jobs,
        "weights": str(weights) if weights is not None else None,
    }


class Child:
    """A started runner.

    Its own session keeps Ctrl-C from it, so that the parent decides how it ends; its own process
    group lets ``kill`` reach whatever it started.

    Args:
        command: the runner's command line.
        request: the JSON request.
        stderr: file that its standard error is appended to.
    """

    def __init__(self, command: Iterable[str], *, request: dict[str, Any], stderr: Path) -> None:
        self.run_id = ""
        self.started = time.time()
        self.stderr = stderr
        stderr.parent.mkdir(parents=True, exist_ok=True)
        with stderr.open("ab") as log:
            self._log_start = log.tell()
            self.process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                env={"GOMP_SPINCOUNT": SPIN_COUNT, **os.environ},
            )
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._send(request)

    def ended(self) -> bool:
        """Whether the process is over and all it said has been read."""
        if self.process.poll() is None:
            return False
        # A process that it left behind may hold the pipe open: it has had its time.
        self._signal_group(signal.SIGKILL)
        self._reader.join(timeout=2.0)
        return True

    def stop(self) -> None:
        """Ask the runner to finish its step, save and end."""
        if self.process.poll() is None:
            self.process.terminate()

    def kill(self) -> None:
        """End the runner and whatever it started, at once."""
        self._signal_group(signal.SIGKILL)

    def tail(self) -> tuple[str, ...]:
        """The last lines that this process wrote to standard error."""
        try:
            with self.stderr.open("rb") as log:
                log.seek(max(self._log_start, log.seek(0, os.SEEK_END) - 16_384))
                text = log.read().decode("utf-8", errors="replace")
        except OSError:
            return ()
        return tuple(text.rstrip().splitlines()[-TAIL_LINES:])

    def _send(self, request: dict[str, Any]) -> None:
        stream = self.process.stdin
        if stream is None:
            return
        try:
            stream.write(json.dumps(request).encode())
            stream.close()
        except BrokenPipeError:
            _log.debug("%s ended before it read its request", self.process.args)

    def _read(self) -> None:
        stream = self.process.stdout
        if stream is None:
            return
        with stream:
            for line in stream:
                try:
                    self.events.put(Event.model_validate_json(line))
                except ValidationError:
                    _log.debug("not an event: %r", line[:200])

    def _signal_group(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.process.pid, number)
        except (ProcessLookupError, PermissionError):
            return
