"""The plan of a launch: which runs are reused, which are to do, and how long they will take."""

import hashlib
import json
import math
from collections.abc import Sequence

from remamber.errors import UserError
from remamber.launch import Cost, Errand, Plan, PlanRow, RowState, Sizes, makespan
from remamber.launch._costs import cost_key, look_key, look_seconds, read_notebook, remember
from remamber.plan.spec import RunSpec

FORWARD_SHARE = 1 / 3
"""A forward pass as a share of a training step: the backward pass costs about twice as much."""

REPORT_S = 10.0
"""Set aside from a budget for the data's bounds and the report."""


def make_plan(errand: Errand, costs: dict[str, Cost], *, sizes: Sizes, fresh: bool = False) -> Plan:
    """What a launch would do.

    Args:
        errand: the runs and their store.
        costs: by ``cost_key``, as far as they are known.
        sizes: of every split.
        fresh: nothing would be reused.
    """
    rows = []
    looks = look_seconds(errand)
    for spec in errand.specs:
        state: RowState = "to do" if fresh else _state(spec, errand)
        cost = costs.get(cost_key(spec, errand)) if spec.task == "train" else None
        steps = steps_of(spec, sizes)
        seconds = _seconds(spec, state, cost, sizes)
        if spec.weights is not None and state != "reused":
            seconds = looks.get(look_key(spec))
        rows.append(PlanRow(spec, state, steps, cost, seconds))
    return Plan(tuple(rows), sizes, errand.jobs)


def steps_of(spec: RunSpec, sizes: Sizes) -> int | None:
    """Training steps of a run, None where the size of its data is not known.

    The same rule as the trainer's: an epoch shows one expression of every ref, and the
    incomplete batch is dropped.
    """
    if spec.train is None:
        return None
    if spec.train.steps is not None:
        return spec.train.steps
    size = sizes.get(spec.data, {}).get(spec.data.train_split)
    if spec.train.epochs is None or size is None:
        return None
    return max(1, size.refs // spec.train.batch) * spec.train.epochs


def budget_steps(rows: Sequence[PlanRow], budget_s: float, *, sizes: Sizes, jobs: int = 1) -> int:
    """One number of training steps for all rows, so that together they fit into a time.

    Args:
        rows: the runs, all of them, with their costs.
        budget_s: seconds for everything.
        sizes: of every split.
        jobs: runs at a time.

    Raises:
        UserError: a row's cost is not known, or not even one step of each fits.
    """
    training = [row for row in rows if row.spec.train is not None]
    unknown = [row.spec.run_id for row in training if row.cost is None]
    if unknown or not training:
        raise UserError(
            "--budget needs the time of a step, and it could not be measured",
            where=[f"not measured  {name}" for name in unknown],
            fix=["--steps N chooses the length without measuring"],
            slug="budget_unknown",
        )
    costs = [(row.spec, row.cost) for row in training if row.cost is not None]

    def needed(steps: int) -> float:
        times = [overhead(spec, cost, sizes) + steps * cost.step_s for spec, cost in costs]
        return makespan(times, jobs) + REPORT_S

    fixed, a_step = needed(0), needed(1) - needed(0)
    # The runs' order of ending may change with the number of steps, so that the time is not
    # quite linear in it: start from the linear answer and step down until it fits.
    steps = math.floor((budget_s - fixed) / a_step)
    while steps >= 1 and needed(steps) > budget_s:
        steps -= 1
    if steps < 1:
        raise UserError(
            f"a budget of {budget_s:.0f} s is too small: starting and scoring {len(costs)} runs "
            f"takes about {fixed:.0f} s, a step of each {a_step:.2f} s",
            fix=[f"--budget {math.ceil((fixed + 50 * a_step) / 60)}m leaves 50 steps or more"],
            slug="budget_too_small",
        )
    return steps


def remembered_steps(errand: Errand, plan: Plan, *, budget_s: float, fresh: bool = False) -> int:
    """``budget_steps``, but the same number for the same budget, runs and machine later on.

    Step times vary; a second try must not give other runs than the first.

    Raises:
        UserError: see ``budget_steps``.
    """
    keys = sorted(f"{cost_key(s, errand)} seed {s.seed}" for s in errand.specs if s.train)
    content = json.dumps([budget_s, errand.jobs, keys])
    key = hashlib.sha256(content.encode()).hexdigest()[:16]
    known = read_notebook(errand.store).budgets.get(key)
    if known is not None and not fresh:
        return known
    steps = budget_steps(plan.rows, budget_s, sizes=plan.sizes, jobs=errand.jobs)
    remember(errand.store, budgets={key: steps})
    return steps


def overhead(spec: RunSpec, cost: Cost, sizes: Sizes) -> float:
    """Seconds of a run besides its training steps: measured, else start plus evaluation."""
    if cost.overhead_s is not None:
        return cost.overhead_s
    splits = list(spec.data.splits)
    if spec.evaluate.shuffled_text:
        splits += splits[:1]
    known = sizes.get(spec.data, {})
    scored = sum(known[split].expressions for split in splits if split in known)
    batch = spec.train.batch if spec.train is not None else 1
    return cost.start_s + scored / batch * cost.step_s * FORWARD_SHARE


def _state(spec: RunSpec, errand: Errand) -> RowState:
    if errand.store.find(spec) is not None:
        return "reused"
    started = any(errand.store.folder(spec).glob("checkpoint*.pt"))
    return "resumes" if started else "to do"


def _seconds(spec: RunSpec, state: RowState, cost: Cost | None, sizes: Sizes) -> float | None:
    if state == "reused":
        return 0.0
    steps = steps_of(spec, sizes)
    if cost is None or steps is None:
        return None
    return steps * cost.step_s + overhead(spec, cost, sizes)
