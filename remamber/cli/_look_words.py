"""Words of the command line that name trained weights: rows, runs, folders and files."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

from remamber.cli._trained import WEIGHTS_NAME, trained_run
from remamber.errors import ExitCode, UserError
from remamber.plan.data_splits import usual_splits
from remamber.plan.spec import DataSpec
from remamber.plan.study import StudyRuns
from remamber.plan.trained import TrainedRun
from remamber.record.schema import Record
from remamber.record.store import Store

_RELEASED_SIZE = 480


@dataclass(frozen=True)
class Shelf:
    """Where words are looked up.

    Attributes:
        store: the runs.
        study: whose rows have names.
        profile: at which they were trained.
        dataset: on which; any if None. A file has no other way to say it.
        image_size: of a file that does not say it.
    """

    store: Store
    study: str
    profile: str
    dataset: str | None = None
    image_size: int | None = None

    @cached_property
    def records(self) -> dict[str, Record]:
        """All runs by their names."""
        return {record.run_id: record for record in self.store.records()}

    @cached_property
    def runs(self) -> StudyRuns | None:
        """The study's last invocation, if there is one."""
        return self.store.study_runs(self.study, self.profile, dataset=self.dataset)

    @property
    def rows(self) -> dict[str, str]:
        """Run -> its row."""
        return self.runs.rows if self.runs is not None else {}


def named_weights(words: Sequence[str], shelf: Shelf) -> list[TrainedRun]:
    """The weights that words name, in their order, each once.

    A word is a row of the study, a run's name or the beginning of just one, a run's folder, or a
    file of weights.

    Raises:
        UserError: nothing is called so or several runs are (exit 2), a run has left no weights
            (exit 3), it was trained on other data than asked for, or a file cannot be read.
    """
    found = [run for word in words for run in _named(word, shelf)]
    _require_data(found, shelf)
    once = {run.weights.sha256: run for run in reversed(found)}
    runs = [run for run in found if once.pop(run.weights.sha256, None) is not None]
    return _with_own_labels(runs)


def is_rows(words: Sequence[str], shelf: Shelf) -> bool:
    """Whether all words are rows of the study."""
    return set(words) <= set(shelf.rows.values())


def _named(word: str, shelf: Shelf) -> list[TrainedRun]:
    of_row = [run_id for run_id, row in shelf.rows.items() if row == word]
    if of_row:
        return [_run(shelf.records.get(run_id), run_id, shelf, label=word) for run_id in of_row]
    path = Path(word).expanduser()
    if path.is_dir() and (path / "record.json").is_file():
        return [_in_folder(path)]
    if path.exists():
        return [_in_file(path, shelf)]
    begun = [run_id for run_id in shelf.records if run_id.startswith(word)]
    if word in begun or len(begun) == 1:
        run_id = word if word in begun else begun[0]
        return [_run(shelf.records[run_id], run_id, shelf, label=shelf.rows.get(run_id, run_id))]
    if begun:
        raise UserError(
            f"'{word}' is the beginning of {len(begun)} runs",
            where=begun[:6],
            fix=["write more of the name", "remamber-bench list runs"],
            slug="ambiguous_run",
        )
    raise _not_there(word, shelf)


def _not_there(word: str, shelf: Shelf) -> UserError:
    if not shelf.rows and "/" not in word:
        return UserError(
            f"there are no weights called '{word}' in {shelf.store.root}",
            where=[f"nor trained runs of study '{shelf.study}' (profile {shelf.profile})"],
            fix=[f"remamber-bench ablate {shelf.study}", "remamber-bench list runs"],
            exit_code=ExitCode.MISSING,
            slug="no_trained_run",
        )
    rows = list(dict.fromkeys(shelf.rows.values()))
    runs = [run_id for run_id, record in shelf.records.items() if record.spec.task == "train"]
    near = get_close_matches(word, [*rows, *runs], n=1)
    return UserError(
        f"'{word}' is no row of study '{shelf.study}', no run and no file",
        where=[f"rows  {', '.join(rows)}"] if rows else [],
        fix=[*(f"did you mean '{name}'?" for name in near), "remamber-bench list runs"],
        slug="unknown_model",
    )


def _run(record: Record | None, run_id: str, shelf: Shelf, *, label: str) -> TrainedRun:
    found = trained_run(record, shelf.store, label=label) if record is not None else None
    if found is None:
        raise _without_weights(shelf.store.root / run_id, record)
    return found


def _in_folder(folder: Path) -> TrainedRun:
    """A run by its folder, of whichever store."""
    try:
        record = Record.model_validate_json((folder / "record.json").read_bytes())
    except ValueError as error:
        raise UserError(
            f"{folder / 'record.json'} is not a readable record",
            fix=[f"name its weights instead: {folder / WEIGHTS_NAME} --data NAME"],
            exit_code=ExitCode.DAMAGED,
            slug="bad_record",
            path=str(folder),
        ) from error
    found = trained_run(record, Store(folder.absolute().parent), label=record.run_id)
    if found is None:
        raise _without_weights(folder, record)
    return found


def _without_weights(folder: Path, record: Record | None) -> UserError:
    again = "run its study again: it goes on where it was stopped"
    if record is None:
        why = "it has not ended, or its record is damaged"
    elif record.spec.task != "train":
        why = f"it is a run of '{record.spec.task}', which trains nothing"
    else:
        why = f"looked for {WEIGHTS_NAME}; it ended as '{record.status}'"
        if record.status == "ok":
            again = "run its study again with --fresh: a finished run is not trained again"
    return UserError(
        f"the run {folder.name} has left no weights",
        where=[why],
        fix=["remamber-bench list runs", again],
        exit_code=ExitCode.MISSING,
        slug="weights_missing",
        path=str(folder),
    )


def _in_file(path: Path, shelf: Shelf) -> TrainedRun:
    """A checkpoint, or a folder written by ``save_pretrained``; it does not know its data."""
    from remamber.models._evaluable import find_evaluable

    found = find_evaluable(path)
    if shelf.dataset is None:
        raise UserError(
            f"'{path.name}' does not say on which data it was trained: say which it is shown",
            fix=["--data synth-refcoco", "--data refcoco --data-root DIR"],
            slug="no_data",
        )
    size = shelf.image_size
    if size is None and found.weights.holds != "released":
        raise UserError(
            f"'{path.name}' does not say at which image size it was trained",
            fix=["--image-size 256", "or give the folder of the run that trained it"],
            slug="no_image_size",
        )
    splits = usual_splits(shelf.dataset)
    data = DataSpec.model_validate(
        {
            "name": shelf.dataset,
            "image_size": size or _RELEASED_SIZE,
            **({"splits": splits} if splits is not None else {}),
        }
    )
    label = path.name if path.is_dir() else path.stem
    return TrainedRun(label, 0, found.model, data, found.weights, found.path)


def _require_data(runs: Sequence[TrainedRun], shelf: Shelf) -> None:
    for run in runs:
        if shelf.dataset not in (None, run.data.name):
            raise UserError(
                f"the weights of {run.run_id or run.path} were trained on {run.data.name}, not on"
                f" {shelf.dataset}",
                fix=[
                    f"--data {run.data.name}, or leave --data out",
                    f"remamber-bench ablate {shelf.study} --data {shelf.dataset} trains such ones",
                ],
                slug="other_data",
            )


def _with_own_labels(runs: Sequence[TrainedRun]) -> list[TrainedRun]:
    """Labels that tell apart what is not another seed or data set of the same model."""

    def same_row(one: TrainedRun, other: TrainedRun) -> bool:
        return one.model == other.model and (one.seed, one.data) != (other.seed, other.data)

    return [
        run
        if all(o is run or o.label != run.label or same_row(o, run) for o in runs)
        else run._replace(label=run.run_id or str(run.path))
        for run in runs
    ]
