"""A study bound to what is on this machine: data sets, text encoders and weights to start from."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from remamber.cli._study import Study, stamp, united
from remamber.errors import ExitCode, UserError
from remamber.plan.spec import DataSpec, ModelSpec, RunSpec, StartSpec, TextSpec

if TYPE_CHECKING:
    from remamber.datasets import ReferringDataset

OnProgress = Callable[[str, int, int], None]
Asked = TypeVar("Asked")
Given = TypeVar("Given")


class Found(NamedTuple):
    """What is there for everything that the runs of a study ask for."""

    texts: dict[TextSpec, TextSpec]
    starts: dict[StartSpec | None, StartSpec | None]
    datasets: "dict[DataSpec, ReferringDataset]"

    def model(self, asked: ModelSpec) -> ModelSpec:
        """The model's spec with fingerprints."""
        found = {"text": self.texts[asked.text], "start": self.starts[asked.start]}
        return asked.model_copy(update=found)


def with_data(
    study: Study,
    *,
    root: Path | None,
    workers: int,
    on_progress: OnProgress,
    download: bool = False,
) -> Study:
    """Open, or generate, what every run reads and put its fingerprints into the specs.

    Args:
        study: what to run.
        root: the data root, for data, pretrained text encoders and weights.
        workers: processes that may generate data.
        on_progress: told of anything that takes longer than a moment.
        download: fetch a pretrained text encoder that is not on this machine.

    Raises:
        UserError: unknown data set, missing or damaged files, a split that it does not have;
            all that is missing is named at once (exit 3).
    """
    from remamber.datasets import DataPlace, open_dataset
    from remamber.plan.start_files import with_start_fingerprint
    from remamber.plan.text_files import with_fingerprint

    place = DataPlace(root=root, workers=workers, on_progress=on_progress)
    missing: list[UserError] = []
    # Weights that were trained here bring their text encoder, and started from what they did.
    models = [spec.model for spec in study.specs if not _brings_all(spec)]
    texts = _each(
        (model.text for model in models),
        lambda text: with_fingerprint(text, root, download=download),
        missing,
    )
    starts = _each(
        (model.start for model in models),
        lambda start: with_start_fingerprint(start, root),
        missing,
    )
    # What is generated is not worth the wait where the runs cannot start.
    wanted = [d for d in study.datasets if not missing or not d.name.startswith("synth-")]
    datasets = _each(wanted, lambda data: open_dataset(data, place), missing)
    if missing:
        raise _together(missing, _of_use(wanted, datasets))
    found = Found(texts, starts, datasets)
    bound = [_bound(part, found) for part in study.parts or (study,)]
    return united(bound) if study.parts else bound[0]


def _each(
    asked: Iterable[Asked], find: Callable[[Asked], Given], missing: list[UserError]
) -> dict[Asked, Given]:
    """Everything asked for, once; what is not there is put among the missing."""
    found = {}
    for thing in dict.fromkeys(asked):
        try:
            found[thing] = find(thing)
        except UserError as error:
            if error.exit_code is not ExitCode.MISSING:
                raise
            missing.append(error)
    return found


def _of_use(wanted: Iterable[DataSpec], opened: Iterable[DataSpec]) -> list[str]:
    """How to do without the data sets that are not there, where others are."""
    here, asked = ({data.name for data in some} for some in (opened, wanted))
    return [f"or --data {name}, which is here" for name in sorted(here)] if here < asked else []


def _together(errors: list[UserError], more: list[str]) -> UserError:
    first, *others = errors
    if not others:
        where, fix, what = list(first.where), list(first.fix), first.what
    else:
        what = f"{len(errors)} things that these runs need are missing"
        where = [line for error in errors for line in (f"{error.what}:", *error.where)]
        fix = [line for error in errors for line in error.fix]
    return UserError(
        what,
        where=where,
        fix=list(dict.fromkeys([*fix, *more])),
        exit_code=ExitCode.MISSING,
        slug=first.slug if not others else "things_missing",
        path=first.path,
    )


def _brings_all(spec: RunSpec) -> bool:
    return spec.weights is not None and spec.weights.holds == "model"


def _bound(study: Study, found: Found) -> Study:
    from remamber.datasets import split_sizes

    opened = {data: found.datasets[data] for data in study.datasets}
    stamped = {
        data: data.model_copy(update={"fingerprint": opened[data].fingerprint}) for data in opened
    }
    wanted = study.experiment.profiles[study.choices.profile].bounds
    return replace(
        study,
        specs=tuple(
            stamp(s, stamped[s.data], s.model if _brings_all(s) else found.model(s.model))
            for s in study.specs
        ),
        bounds=tuple(RunSpec(task="bounds", data=d) for d in stamped.values()) if wanted else (),
        sizes={
            stamped[data]: split_sizes(
                opened[data], dict.fromkeys((data.train_split, *data.splits))
            )
            for data in stamped
        },
        locations={stamped[data]: opened[data].location for data in stamped},
    )
