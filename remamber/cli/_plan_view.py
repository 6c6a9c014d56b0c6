"""The plan as its reader sees it, before anything is done: text, or a document for a program."""

from typing import Any

from remamber.cli._duration import spoken
from remamber.cli._settings import Settings
from remamber.cli._study import Study
from remamber.launch import Errand, Plan, PlanRow
from remamber.plan.spec import DataSpec
from remamber.record.environment import usable_cores

SCHEMA_VERSION = 1


def plan_text(study: Study, plan: Plan, settings: Settings, *, errand: Errand, timed: bool) -> str:
    """A head, a line a run, and what it comes to.

    Args:
        study: the rows.
        plan: what is to be done of them, and how long it takes.
        settings: where it goes.
        errand: how it is run.
        timed: whether every model was to be timed for the plan.
    """
    experiment, profile = study.experiment, study.choices.profile
    # The summary speaks of the profile's own data.
    own = "data" not in study.choices.overrides
    summary = f": {experiment.profiles[profile].summary}" if own else ""
    head = [
        f"{study.title} - profile {profile}{summary}",
        *(line for data in study.datasets for line in _data_lines(study, data)),
        *_weights_lines(study),
        f"  store   {settings.store}",
        *(f"  report  {settings.out / part.report}.md" for part in study.parts or (study,)),
        "",
    ]
    width = max(len(study.label(spec)) for spec in (*study.all_specs, study.specs[0]))
    width = max(width, len("run"))
    lines = [f"  {'run':<{width}}  {'state':<7}  {'params':>8}  {'steps':>6}  {'time':>7}"]
    lines += [_line(study.label(row.spec), row, width) for row in plan.rows]
    return "\n".join([*head, *lines, "", _summary(study, plan, errand=errand, timed=timed)])


def _summary(study: Study, plan: Plan, *, errand: Errand, timed: bool) -> str:
    """``3 of 5 runs reused; 2 to do, about 4m10s on 4 threads each``."""
    rows = [row for row in plan.rows if row.spec not in study.bounds]
    reused = sum(row.state == "reused" for row in rows)
    text = f"{reused} of {len(rows)} runs reused"
    if reused == len(rows):
        return text
    text += f"; {len(rows) - reused} to do"
    if plan.seconds is None and study.trained:
        return f"{text}, time not known yet"
    if plan.seconds is None:
        why = "not known, as not every model could be timed"
        return f"{text}, time {why if timed else 'not known yet (--dry-run measures it)'}"
    sources = {row.cost.source for row in rows if row.cost is not None}
    known = study.trained or sources == {"records"}
    basis = "earlier runs" if known else "a few timed steps"
    threads = errand.threads or usable_cores()
    crew = f"{threads} thread{'s' if threads > 1 else ''} each"
    beside = f", {errand.jobs} side by side" if errand.jobs > 1 else ""
    return f"{text}{beside}, about {spoken(plan.seconds)} on {crew} by {basis}"


def plan_document(study: Study, plan: Plan, settings: Settings) -> dict[str, Any]:
    """The plan for a program."""
    return {
        "schema_version": SCHEMA_VERSION,
        "study": study.name,
        "profile": study.choices.profile,
        "store": str(settings.store),
        "out": str(settings.out),
        "data": [
            {
                "name": data.name,
                "fingerprint": data.fingerprint,
                "location": str(study.locations.get(data)),
                "splits": {n: size._asdict() for n, size in study.sizes.get(data, {}).items()},
            }
            for data in study.datasets
        ],
        "runs": [
            {
                "run_id": row.spec.run_id,
                "label": study.label(row.spec),
                "seed": row.spec.seed,
                "weights": row.spec.weights.sha256 if row.spec.weights is not None else None,
                "state": row.state,
                "steps": row.steps,
                "parameters": row.cost.parameters if row.cost is not None else None,
                "seconds": row.seconds,
            }
            for row in plan.rows
        ],
        "seconds": plan.seconds,
    }


def _data_lines(study: Study, data: DataSpec) -> list[str]:
    sizes = study.sizes.get(data, {})
    size = sizes.get(data.train_split)
    counted = f", {size.refs:,} refs, {size.expressions:,} expressions to train on" if size else ""
    if study.trained:
        looked_at = (f"{name} {sizes[name].expressions:,}" for name in data.splits if name in sizes)
        counted = f", expressions: {', '.join(looked_at)}"
    return [
        f"  data    {data.name} at {data.image_size} px{counted}",
        f"          {study.locations.get(data)}",
    ]


def _weights_lines(study: Study) -> list[str]:
    """The runs whose weights are looked at, by row."""
    names = {run.run_id or str(run.path): run.label for run in study.trained}
    heads = ("weights", *[""] * len(names))
    return [
        f"  {head:<7} {label}: {name}"
        for head, (name, label) in zip(heads, names.items(), strict=False)
    ]


def _line(label: str, row: PlanRow, width: int) -> str:
    parameters = f"{row.cost.parameters / 1e6:.2f} M" if row.cost is not None else "-"
    steps = f"{row.steps:,}" if row.steps is not None else "-"
    known = row.state != "reused" and row.seconds is not None
    time = spoken(row.seconds) if known else "-"
    return f"  {label:<{width}}  {row.state:<7}  {parameters:>8}  {steps:>6}  {time:>7}"
