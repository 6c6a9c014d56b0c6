"""Processes that decode for a run, each with a thread here that hands it one job at a time."""

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Protocol, runtime_checkable

from remamber.datasets import DataPlace, Referent, ReferringDataset
from remamber.datasets._decode_worker import Job
from remamber.errors import ExitCode, UserError

_COMMAND = (sys.executable, "-P", "-m", "remamber.datasets._decode_worker")
_IN_PROCESS = "remamber-bench ... --workers 0    (decodes in the run's own process)"

_FEW_PIXELS = 2**29
"""Seven seconds of one core: less than this is decoded sooner than processes would pay."""

_ENOUGH = 4
"""Processes that decode 640x480 JPEG faster than a model of any size here trains at 256 px."""


@runtime_checkable
class DecodesElsewhere(Protocol):
    """A data set whose images and masks another process can decode.

    What is given can be pickled, is small, and is complete in itself: the process that calls it
    has not opened the data set.
    """

    def image_job(self, image_id: int, size: int) -> Job:
        """What gives ``resize_image(image(image_id), size)``."""

    def mask_job(self, ref: Referent) -> Job:
        """What gives ``mask(ref)``."""


class DecodeCrew:
    """Decodes in other processes; they are started with the first job and end with this one.

    The answer to a job does not depend on how many processes there are, or on which one did it.

    Args:
        processes: how many; 0 decodes nothing ahead, so that ``submit`` is not to be called.
    """

    def __init__(self, processes: int) -> None:
        self.processes = processes
        self._threads: ThreadPoolExecutor | None = None
        self._own = threading.local()
        self._workers: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, job: Job) -> "Future[Any]":
        """Do a job when a process is free.

        The future raises what the job raised, or a UserError if the process died of it.
        """
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self.processes, thread_name_prefix="decode")
        return self._threads.submit(self._perform, job)

    def close(self) -> None:
        """End the processes at once; jobs that are not done are cancelled."""
        with self._lock:
            self._closed = True
            workers, self._workers = self._workers, []
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.kill()
            worker.wait()
        if self._threads is not None:
            self._threads.shutdown(wait=True)
        for worker in workers:
            _close_pipes(worker)

    def _perform(self, job: Job) -> Any:  # noqa: ANN401 - what the job gives
        worker = self._worker()
        stdin, stdout = worker.stdin, worker.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("a decoding process has no standard streams")
        asked = pickle.dumps(job, protocol=pickle.HIGHEST_PROTOCOL)
        try:
            stdin.write(asked)
            stdin.flush()
            answer = pickle.load(stdout)
        except (OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
            raise self._death(worker) from error
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _worker(self) -> subprocess.Popen[bytes]:
        """The process of the calling thread."""
        worker: subprocess.Popen[bytes] | None = getattr(self._own, "worker", None)
        if worker is None:
            with self._lock:
                if self._closed:
                    raise RuntimeError("the decoding processes have been ended")
                worker = self._own.worker = _start()
                self._workers.append(worker)
        return worker

    def _death(self, worker: subprocess.Popen[bytes]) -> Exception:
        if self._closed:
            return RuntimeError("the decoding processes have been ended")
        worker.kill()
        status = worker.wait()
        self._own.worker = None
        with self._lock, suppress(ValueError):
            self._workers.remove(worker)
        _close_pipes(worker)
        return _died(status)


def crew_for(
    dataset: ReferringDataset, refs: Sequence[Referent], *, place: DataPlace
) -> DecodeCrew:
    """As many processes as ``place.loaders`` says; by default none for a small set.

    Small means that all of its images are decoded in a few seconds, once, after which they are in
    the reader's memory. A data set that cannot be decoded elsewhere gets none.

    Raises:
        UserError: the first image, whose size stands for all, cannot be read.
    """
    if not isinstance(dataset, DecodesElsewhere) or not refs:
        return DecodeCrew(0)
    if place.loaders is not None:
        return DecodeCrew(place.loaders)
    first = dataset.image(refs[0].image_id)
    pixels = len({ref.image_id for ref in refs}) * first.shape[0] * first.shape[1]
    if pixels < _FEW_PIXELS:
        return DecodeCrew(0)
    return DecodeCrew(min(_ENOUGH, max(1, place.workers // 2)))


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        _COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # It finds the package where this process did; it is one thread's work.
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "OMP_NUM_THREADS": "1",
        },
    )


def _close_pipes(worker: subprocess.Popen[bytes]) -> None:
    for stream in (worker.stdin, worker.stdout):
        if stream is not None:
            with suppress(OSError):
                stream.close()


def _died(status: int) -> UserError:
    try:
        how = f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        how = f"ended with exit status {status}"
    memory = status == -signal.SIGKILL
    return UserError(
        f"a process that decodes images {how}",
        where=["which is also what the system does when memory runs out"] if memory else [],
        fix=["run the same command again: it goes on from the last checkpoint", _IN_PROCESS],
        exit_code=ExitCode.OUT_OF_MEMORY if memory else ExitCode.DAMAGED,
        slug="decoder_died",
    )
