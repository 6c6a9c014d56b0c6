"""Claims: at most one live process works on a run, even when several commands share a store.

A claim is a small file created exclusively. It is stale when its process is gone from this
machine, or when another machine has let its heartbeat rest for three beats. Reading, taking over
and releasing happen under one file lock, so that two processes never both take over.
"""

import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
from filelock import FileLock

from remamber.record.files import write_whole

BEAT_S = 30.0
STALE_S = 3 * BEAT_S

_log = logging.getLogger(__name__)


class Holder(NamedTuple):
    """The process that holds a claim; times are seconds since 1970 (UTC)."""

    host: str
    pid: int
    process_mark: str
    started: float
    heartbeat: float
    token: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host.partition('/')[0]}"


class Claimed(Exception):  # noqa: N818 - a state of the store, not a mistake
    """The run is held by a live process.

    Args:
        holder: that process, or None where the claim is too fresh to say.
    """

    def __init__(self, holder: Holder | None) -> None:
        super().__init__(f"held by {holder or 'a process that is just starting'}")
        self.holder = holder


@contextmanager
def claim(path: Path) -> Iterator[Holder]:
    """Hold a claim for the length of a with-block.

    Args:
        path: the claim's file; its folder also holds the lock of all claims beside it.

    Raises:
        Claimed: a live process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.parent / ".lock")
    mine = _myself()
    with lock:
        _take(path, mine)
    finished = threading.Event()
    beat = threading.Thread(target=_beat, args=(path, mine, finished), daemon=True)
    beat.start()
    try:
        yield mine
    finally:
        finished.set()
        beat.join()
        with lock:
            if _token(path) == mine.token:
                path.unlink(missing_ok=True)


def holder_of(path: Path) -> Holder | None:
    """The live holder of a claim, None if it is free, stale or unreadable."""
    found = _read(path)
    return found if found is not None and _alive(found) else None


def process_mark(pid: int) -> str | None:
    """What tells a process from a later one with the same number; None if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    except OSError:
        pass
    try:
        process = psutil.Process(pid)
        gone = process.status() == psutil.STATUS_ZOMBIE
        return None if gone else f"{process.create_time():.0f}"
    except psutil.Error:
        return None


def _myself() -> Holder:
    now = time.time()
    pid = os.getpid()
    return Holder(_machine(), pid, process_mark(pid) or "", now, now, uuid.uuid4().hex)


def _machine() -> str:
    """Host name and process namespace: the scope in which a process number means something."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return f"{socket.gethostname()}/{namespace}"


def _take(path: Path, mine: Holder) -> None:
    content = json.dumps(mine._asdict()).encode()
    try:
        _create(path, content)
    except FileExistsError:
        holder = _read(path)
        if _held(path, holder):
            raise Claimed(holder) from None
        _log.info("taking over the claim %s of %s, which is gone", path.name, holder)
        path.unlink(missing_ok=True)
        try:
            _create(path, content)
        except FileExistsError:
            # Only where the file system ignores the lock: someone else was faster.
            raise Claimed(_read(path)) from None


def _create(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _held(path: Path, holder: Holder | None) -> bool:
    if holder is not None:
        return _alive(holder)
    try:
        return time.time() - path.stat().st_mtime < STALE_S
    except FileNotFoundError:
        return False


def _alive(holder: Holder) -> bool:
    if holder.host == _machine():
        return process_mark(holder.pid) == holder.process_mark
    return time.time() - holder.heartbeat < STALE_S


def _read(path: Path) -> Holder | None:
    try:
        return Holder(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _token(path: Path) -> str | None:
    found = _read(path)
    return found.token if found is not None else None


def _beat(path: Path, mine: Holder, finished: threading.Event) -> None:
    lock = FileLock(path.parent / ".lock")
    while not finished.wait(BEAT_S):
        try:
            with lock:
                if _token(path) != mine.token:
                    _log.warning("the claim %s was taken over by another process", path.name)
                    return
                write_whole(path, json.dumps(mine._replace(heartbeat=time.time())._asdict()))
        except Exception:
            _log.warning("the claim %s could not be renewed", path.name, exc_info=True)
