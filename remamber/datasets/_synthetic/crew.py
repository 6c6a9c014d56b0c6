"""Spreads the pictures of a data set over worker processes and collects what they made."""

import json
import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from remamber.datasets._synthetic.entries import Entry
from remamber.datasets._synthetic.worker import Job, make

_FEWEST_A_WORKER = 16
"""A process takes about as long to start as so many pictures take to make."""

_Lines = queue.SimpleQueue[bytes | None]


def work(job: Job, *, workers: int) -> Generator[Entry, None, None]:
    """Make all pictures of a job, in no certain order.

    Raises:
        OSError: an image could not be written.
        RuntimeError: a worker ended before its pictures were made.
    """
    workers = min(workers, len(job.pictures) // _FEWEST_A_WORKER)
    if workers <= 1:
        yield from (make(job, split, index) for split, index in job.pictures)
        return
    shares = [job.pictures[first::workers] for first in range(workers)]
    lines: _Lines = queue.SimpleQueue()
    with _processes([replace(job, pictures=share) for share in shares], lines) as running:
        working = len(running)
        while working:
            line = lines.get()
            if line is None:
                working -= 1
            else:
                yield _entry(line)
        failed = [process.wait() for process in running if process.wait()]
    if failed:
        raise RuntimeError(f"{len(failed)} worker(s) failed, exit status {failed[0]}")


def _entry(line: bytes) -> Entry:
    made: Entry = json.loads(line)
    if "errno" in made:
        raise OSError(made["errno"], made["strerror"])
    return made


@contextmanager
def _processes(jobs: Sequence[Job], lines: _Lines) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Running workers whose lines arrive in the queue; none outlives the block."""
    running: list[subprocess.Popen[bytes]] = []
    listeners: list[threading.Thread] = []
    try:
        for job in jobs:
            running.append(_start(job))
            listener = threading.Thread(target=_listen, args=(running[-1], lines), daemon=True)
            listener.start()
            listeners.append(listener)
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()
        for listener in listeners:
            listener.join()


def _start(job: Job) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "remamber.datasets._synthetic.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # A worker finds the package where the caller did; its share is one thread's work.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    if process.stdin is None:
        raise RuntimeError("a worker has no standard input")
    with suppress(BrokenPipeError), process.stdin:
        process.stdin.write(pickle.dumps(job))
    return process


def _listen(process: subprocess.Popen[bytes], lines: _Lines) -> None:
    if process.stdout is not None:
        with process.stdout:
            for line in process.stdout:
                lines.put(line)
    lines.put(None)
