"""Trained weights in the store: the rows of a study that another study looks at."""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from remamber.cli._settings import Settings
from remamber.errors import ExitCode, UserError
from remamber.plan.file_digest import file_digest
from remamber.plan.spec import DataSpec, RunSpec, WeightsSpec
from remamber.plan.study import StudyRuns, study_names
from remamber.plan.trained import TrainedRows, TrainedRun
from remamber.record.schema import Record
from remamber.record.store import Store
from remamber.registry import unknown

WEIGHTS_NAME = "model.safetensors"


def trained_rows(
    wanted: TrainedRows,
    store: Store,
    *,
    profile: str,
    dataset: str | None = None,
    seeds: Sequence[int] | None = None,
) -> list[TrainedRun]:
    """The weights that the last invocation of a study left, by row, data set and seed.

    Args:
        wanted: the study and its rows.
        store: where its runs are.
        profile: at which it was run.
        dataset: only those trained on it.
        seeds: only those.

    Raises:
        UserError: the study is not known (exit 2), or it has left no weights, or not those of a
            row (exit 3); the command that makes them is named.
    """
    runs = store.study_runs(wanted.study, profile, dataset=dataset)
    make = _command(wanted.study, store, profile=profile, dataset=dataset, seeds=seeds)
    if runs is None:
        if wanted.study not in study_names() and store.study_runs(wanted.study) is None:
            raise unknown("study", wanted.study, study_names())
        on = f" on {dataset}" if dataset is not None else ""
        raise _missing(
            f"no trained runs of study '{wanted.study}'{on} (profile {profile}) in {store.root}",
            make=make,
            store=store,
        )
    found = [
        run
        for run in _left_by(runs, store)
        if dataset in (None, run.data.name) and (seeds is None or run.seed in seeds)
    ]
    order = wanted.rows or tuple(dict.fromkeys(run.label for run in found))
    _require_rows(order, found, runs, make=make, store=store)
    own = [run for row in order for run in found if run.label == row]
    return [*own, *_beside(wanted, own, store, profile=profile, dataset=dataset)]


def _require_rows(
    order: Sequence[str], found: Sequence[TrainedRun], runs: StudyRuns, *, make: str, store: Store
) -> None:
    """Raise a UserError unless there are weights of every row, and any at all."""
    study = f"study '{runs.study}' (profile {runs.profile})"
    for row in order:
        if row not in runs.rows.values():
            raise _missing(
                f"the last run of {study} had no row '{row}'",
                make=make,
                store=store,
                where=[f"rows  {', '.join(dict.fromkeys(runs.rows.values()))}"],
            )
    lost = [row for row in order if row not in {run.label for run in found}]
    if lost or not found:
        rows = f" of row {', '.join(lost)}" if lost else ""
        gone = _gone(lost, runs, store)
        raise _missing(
            f"{study} has left no weights{rows}",
            # Its finished runs would be reused, and so left without weights.
            make=f"{make} --fresh" if gone else make,
            store=store,
            where=[f"not there any more  {path}" for path in gone],
        )


def _beside(
    wanted: TrainedRows,
    own: Sequence[TrainedRun],
    store: Store,
    *,
    profile: str,
    dataset: str | None,
) -> list[TrainedRun]:
    """Rows of further studies that were trained on the same data from the same seeds."""
    on = {(run.data.name, run.data.fingerprint, run.seed) for run in own}
    found = []
    for study, rows in wanted.beside.items():
        runs = store.study_runs(study, profile, dataset=dataset)
        left = _left_by(runs, store) if runs is not None else []
        found += [
            run
            for row in rows
            for run in left
            if run.label == row and (run.data.name, run.data.fingerprint, run.seed) in on
        ]
    return found


def trained_run(record: Record, store: Store, *, label: str) -> TrainedRun | None:
    """The weights that a run has left in its folder, None if there are none."""
    path = store.root / record.run_id / WEIGHTS_NAME
    if record.status != "ok" or not path.is_file():
        return None
    weights = WeightsSpec(holds="model", sha256=file_digest(path))
    spec = record.spec
    return TrainedRun(label, spec.seed, spec.model, spec.data, weights, path, record.run_id)


def weights_files(runs: Iterable[TrainedRun]) -> dict[str, Path]:
    """The files by their sha256."""
    return {run.weights.sha256: run.path for run in runs}


def on_other_data(specs: Iterable[RunSpec], trained: Iterable[TrainedRun]) -> list[str]:
    """What is to be said where a data set of one name is not the one that weights were trained on.

    Args:
        specs: runs on the weights, with the fingerprints of their data.
        trained: the weights.
    """
    known = {run.weights.sha256: run for run in trained}
    lines = []
    for spec in specs:
        run = known.get(spec.weights.sha256) if spec.weights is not None else None
        if run is None or not run.data.fingerprint or not _same_data(spec.data, run.data):
            continue
        if spec.data.fingerprint != run.data.fingerprint:
            lines.append(
                f"{run.run_id} was trained on another {run.data.name} than the one that is here:"
                f" {run.data.fingerprint[:12]}, here {spec.data.fingerprint[:12]}"
            )
    return list(dict.fromkeys(lines))


def _same_data(one: DataSpec, other: DataSpec) -> bool:
    """Whether they ask for the same files, whatever is read of them."""
    names = ("name", "preset", "difficulty", "seed", "side", "split_by")
    return all(getattr(one, name) == getattr(other, name) for name in names)


def _left_by(runs: StudyRuns, store: Store) -> list[TrainedRun]:
    by_id = {record.run_id: record for record in store.records()}
    found = (
        trained_run(by_id[run_id], store, label=runs.rows.get(run_id, run_id))
        for run_id in runs.run_ids
        if run_id in by_id
    )
    return [run for run in found if run is not None]


def _gone(rows: Sequence[str], runs: StudyRuns, store: Store) -> list[Path]:
    """What trainings of some rows, of all if there are none, have left and is not there now."""
    ended = {r.run_id for r in store.records() if r.status == "ok" and r.spec.task == "train"}
    wanted = [i for i in runs.run_ids if i in ended and (not rows or runs.rows.get(i) in rows)]
    paths = [store.root / run_id / WEIGHTS_NAME for run_id in wanted]
    return [path for path in paths if not path.is_file()]


def _command(
    study: str, store: Store, *, profile: str, dataset: str | None, seeds: Sequence[int] | None
) -> str:
    """What trains the rows that were looked for, into the store in which they were."""
    words = ["remamber-bench", "ablate", study]
    words += ["--profile", profile] if profile != "quick" else []
    words += ["--data", dataset] if dataset is not None else []
    words += ["--seeds", ",".join(map(str, seeds))] if seeds is not None else []
    is_usual = store.root.absolute() == Settings().store.absolute()
    words += ["--store", str(store.root)] if not is_usual else []
    return shlex.join(words)


def _missing(what: str, *, make: str, store: Store, where: Sequence[str] = ()) -> UserError:
    return UserError(
        what,
        where=where,
        fix=[make, "or name the folder that its runs are in with --store"],
        exit_code=ExitCode.MISSING,
        slug="no_trained_run",
        path=str(store.root),
    )
