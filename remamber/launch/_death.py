"""A runner that ended without a word: its failure becomes a record all the same."""

import logging
import signal
import time
from datetime import UTC, datetime

from remamber.errors import UserError
from remamber.launch import Errand, Outcome
from remamber.plan.spec import RunSpec
from remamber.record.environment import environment, usable_cores
from remamber.record.schema import Record
from remamber.record.sessions import Stopwatch, wall_s_until
from remamber.record.store import Claimed

_log = logging.getLogger(__name__)


def how_it_ended(status: int) -> str:
    """A process's exit status in words; negative is the signal that killed it."""
    if status >= 0:
        return f"the run ended with exit status {status} and did not say why"
    try:
        name = f" ({signal.Signals(-status).name})"
    except ValueError:
        name = ""
    words = f"the run was killed by signal {-status}{name}"
    if -status == signal.SIGKILL:
        words += ", which is also what the system does when memory runs out"
    return words


def record_death(errand: Errand, spec: RunSpec, outcome: Outcome, *, started: float) -> Outcome:
    """Write the record of a run whose process died, unless the run has gone on elsewhere.

    Args:
        errand: what the launcher was asked for.
        spec: the run.
        outcome: the failure, with the last lines of standard error.
        started: when the process was started, seconds since 1970.

    Returns:
        The outcome: still a failure, unless a good record had been written before the death.
    """
    store = errand.store
    try:
        with store.claim(spec):
            if store.find(spec) is not None:
                return Outcome(spec.run_id, "done", step=outcome.step)
            store.write_record(_record(errand, spec, outcome, started=started))
            Stopwatch(store.folder(spec)).forget()
    except Claimed as claimed:
        _log.warning("%s died here and is now %s", spec.run_id, claimed)
    except UserError as error:
        _log.warning("the failure of %s could not be recorded: %s", spec.run_id, error)
    return outcome


def _record(errand: Errand, spec: RunSpec, outcome: Outcome, *, started: float) -> Record:
    now = time.time()
    return Record(
        run_id=spec.run_id,
        digest=spec.digest,
        spec=spec,
        status="error",
        error="\n".join([outcome.message, *outcome.tail]),
        command=errand.command,
        started=datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        finished=datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"),
        wall_s=wall_s_until(now, errand.store.folder(spec), started=started),
        environment=environment(
            device="unknown",
            threads=errand.threads or usable_cores(),
            scan_backend=spec.scan_backend,
        ),
    )
