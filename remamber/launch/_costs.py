"""What a training step costs on this machine: from earlier records, else from a few timed steps."""

import json
import logging
import time
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from filelock import FileLock
from pydantic import ValidationError

from remamber.errors import ExitCode, UserError
from remamber.launch import Cost, Errand, OnTiming
from remamber.launch._child import Child, request
from remamber.plan.spec import RunSpec, Strict
from remamber.record.environment import cpu_model, usable_cores
from remamber.record.event import Event
from remamber.record.files import set_aside, write_whole
from remamber.record.schema import Environment, Record
from remamber.record.store import Store

_log = logging.getLogger(__name__)
_MENDABLE = (ExitCode.USAGE, ExitCode.MISSING, ExitCode.DAMAGED)


class Notebook(Strict):
    """What the store remembers of this and other machines, ``<store>/calibration.json``.

    ``budgets`` keeps the step count that was chosen for a time budget, so that the same command
    means the same runs.
    """

    costs: dict[str, Cost] = {}
    budgets: dict[str, int] = {}


def known_costs(errand: Errand) -> dict[str, Cost]:
    """Costs by ``cost_key``: records of this machine first, then what was timed before."""
    keys = {cost_key(spec, errand): spec for spec in errand.specs if spec.task == "train"}
    found = {k: c for k, c in read_notebook(errand.store).costs.items() if k in keys}
    by_key: dict[str, list[Record]] = {}
    for record in errand.store.records():
        if record.status == "ok" and record.spec.task == "train":
            by_key.setdefault(_record_key(record), []).append(record)
    for key in keys:
        cost = _from_records(by_key.get(key, []), found.get(key))
        if cost is not None:
            found[key] = cost
    return found


def look_seconds(errand: Errand) -> dict[str, float]:
    """By ``look_key``, what runs on trained weights took on this machine: medians of records."""
    wanted = {look_key(spec) for spec in errand.specs if spec.weights is not None}
    took: dict[str, list[float]] = {}
    for record in errand.store.records() if wanted else ():
        made = (record.environment.cpu, record.environment.cores)
        if record.status != "ok" or made != (cpu_model(), usable_cores()):
            continue
        key = look_key(record.spec)
        if key in wanted and record.spec.weights is not None:
            took.setdefault(key, []).append(record.wall_s)
    return {key: median(seconds) for key, seconds in took.items()}


def look_key(spec: RunSpec) -> str:
    """What decides the time of a run on trained weights: its task, data and sizes, not whose."""
    fusion = spec.model.fusion.model_copy(update={"scan_order": "", "options": {}})
    alike = {
        "seed": 0,
        "weights": None,
        "model": spec.model.model_copy(update={"fusion": fusion}),
        "data": spec.data.model_copy(update={"fingerprint": ""}),
    }
    return spec.model_copy(update=alike).model_dump_json()


def timed_costs(
    errand: Errand, known: dict[str, Cost], *, on_timing: OnTiming = lambda done, total: None
) -> dict[str, Cost]:
    """Known costs, completed by timing a few steps of every other model in a process of its own.

    A model that cannot be timed is left out, with a warning that says why.
    """
    keys = {cost_key(spec, errand): spec for spec in errand.specs if spec.task == "train"}
    missing = {key: spec for key, spec in keys.items() if key not in known}
    costs = dict(known)
    for number, (key, spec) in enumerate(missing.items()):
        on_timing(number, len(missing))
        cost = _time(spec, errand)
        if cost is not None:
            costs[key] = cost
            remember(errand.store, costs={key: cost})
    if missing:
        on_timing(len(missing), len(missing))
    return costs


def cost_key(spec: RunSpec, errand: Errand) -> str:
    """What decides the time of a step: the machine, the model and the size of a batch."""
    try:
        torch = version("torch")
    except PackageNotFoundError:
        torch = "none"
    machine = [cpu_model(), usable_cores(), errand.threads or usable_cores(), torch]
    return _key(machine, spec)


def read_notebook(store: Store) -> Notebook:
    """The store's notebook; an unreadable one is set aside with a warning."""
    path = _path(store)
    try:
        return Notebook.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return Notebook()
    except ValidationError:
        _log.warning("%s is damaged and was set aside as %s", path, set_aside(path).name)
        return Notebook()


def remember(
    store: Store, *, costs: dict[str, Cost] | None = None, budgets: dict[str, int] | None = None
) -> None:
    """Add to the store's notebook."""
    path = _path(store)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(".calibration.lock")):
        old = read_notebook(store)
        new = Notebook(costs=old.costs | (costs or {}), budgets=old.budgets | (budgets or {}))
        write_whole(path, new.model_dump_json(indent=1))


def value_of(record: Record, metric: str, **where: str) -> float | None:
    """A record's measurement of that name whose ``where`` is exactly this, None without one."""
    found = (m.value for m in record.measurements if m.metric == metric and m.where == where)
    return next(found, None)


def _path(store: Store) -> Path:
    return store.root / "calibration.json"


def _record_key(record: Record) -> str:
    made: Environment = record.environment
    machine = [made.cpu, made.cores, made.threads, made.packages.get("torch", "none")]
    return _key(machine, record.spec)


def _key(machine: list[Any], spec: RunSpec) -> str:
    train = spec.train
    # As for the hash: an option that was added later does not make a known time unknown.
    model = json.loads(spec.canonical())["model"]
    size = [spec.data.name, spec.data.image_size, train.batch if train else 0]
    precision = train.precision if train else ""
    return json.dumps([machine, model, size, precision, spec.scan_backend], sort_keys=True)


def _from_records(records: Iterable[Record], timed: Cost | None) -> Cost | None:
    rows = []
    for record in records:
        step = value_of(record, "step_s")
        parameters = value_of(record, "parameters", part="total")
        train = value_of(record, "train_s")
        if step is not None and parameters is not None:
            rest = max(0.0, record.wall_s - train) if train is not None else None
            rows.append((step, int(parameters), rest))
    if not rows:
        return None
    rests = [rest for _, _, rest in rows if rest is not None]
    return Cost(
        parameters=rows[0][1],
        step_s=median(step for step, _, _ in rows),
        start_s=timed.start_s if timed is not None else 0.0,
        overhead_s=median(rests) if rests else None,
        source="records",
    )


def _raise_what_would_stop_the_run(child: Child, events: Iterable[Event]) -> None:
    """A mistake that its user can mend stops the run itself too: the plan says it now."""
    failed = next((e for e in events if e.kind == "failed"), None)
    if failed is None or child.process.returncode not in _MENDABLE:
        return
    what, *rest = failed.message.splitlines() or [failed.what]
    raise UserError(
        what,
        where=[line.strip() for line in rest if line.startswith("  ")],
        fix=[line for line in rest if not line.startswith("  ")],
        exit_code=ExitCode(child.process.returncode),
        slug=failed.what or "cannot_run",
    )


def _time(spec: RunSpec, errand: Errand) -> Cost | None:
    stderr = errand.store.root / "calibration.log"
    asked = request(spec, errand, action="calibrate")
    begin = time.monotonic()
    child = Child(errand.runner, request=asked, stderr=stderr)
    try:
        while not child.ended():
            time.sleep(0.05)
    finally:
        child.kill()
    events: list[Event] = []
    while not child.events.empty():
        events.append(child.events.get())
    values = next((e.values for e in events if e.kind == "calibrated"), None)
    if values is None:
        _raise_what_would_stop_the_run(child, events)
        said = [e.message for e in events if e.kind == "failed"] or list(child.tail()[-1:])
        # Where it stands and how to mend it follow the reason in lines of their own.
        reason = " ".join(said).replace("\n", "\n  ") or "no reason given"
        _log.warning("%s could not be timed: %s", spec.run_id, reason)
        return None
    return Cost(
        parameters=int(values["parameters"]),
        step_s=values["step_s"],
        start_s=time.monotonic() - begin,
    )
