"""From the words of the command line to a study with everything chosen."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from remamber.cli._study import ABLATIONS, ALL, Study, choose_profile, load_study, united
from remamber.cli._trained import trained_rows
from remamber.errors import UserError
from remamber.plan.strict_toml import merge, parse_override
from remamber.plan.study import Choices, find_study, load_experiment
from remamber.plan.trained import TrainedRun
from remamber.record.store import Store
from remamber.registry import DATASETS


class Words(NamedTuple):
    """Options that choose the runs of a study, as they were typed."""

    profile: str | None = None
    data: str | None = None
    seeds: str | None = None
    only: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    steps: int | None = None
    image_size: int | None = None
    scan_backend: str | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Words":
        """Those of a command's options that choose runs, by the command's argument names."""
        same = {name: options[name] for name in cls._fields if name not in ("only", "overrides")}
        only, overrides = (tuple(options[name] or ()) for name in ("only", "set_"))
        return cls(**same, only=only, overrides=overrides)


def chosen_study(name: str, words: Words, *, root: Path | None, store: Path | None = None) -> Study:
    """The study as the command line wants it, not yet bound to data.

    Args:
        name: a shipped study, ``all``, or a path that ends in ``.toml``.
        words: the options.
        root: the data root, which decides the default profile.
        store: where the weights are that a study of trained weights looks at.

    Raises:
        UserError: an unknown name or key, a bad value, or no weights to look at.
    """
    if name == ALL:
        return united([chosen_study(part, _for_all(words), root=root) for part in ABLATIONS])
    if words.data is not None:
        DATASETS.require(words.data)
    choices = Choices(
        profile=choose_profile(name, given=words.profile, data=words.data, root=root),
        seeds=parse_seeds(words.seeds) if words.seeds is not None else None,
        only=words.only,
        overrides=overrides_of(words),
    )
    wanted = load_experiment(find_study(name)).trained
    trained: list[TrainedRun] = []
    if wanted is not None and store is not None:
        trained = trained_rows(
            wanted, Store(store), profile=choices.profile, dataset=words.data, seeds=choices.seeds
        )
    study = load_study(name, choices, trained=trained)
    for spec in study.specs:
        if spec.kernels is not None or spec.speed is not None:
            how = "--kernels" if spec.kernels is not None else f"--study {study.name}"
            raise UserError(
                f"study '{study.name}' times {'kernels' if spec.kernels else 'models'} and trains"
                " nothing",
                fix=[f"remamber-bench speed {how}"],
                slug="not_an_ablation",
            )
        DATASETS.require(spec.data.name)
    return study


def _for_all(words: Words) -> Words:
    if words.only:
        raise UserError(
            "--only chooses rows of one study, not of all",
            fix=[f"remamber-bench ablate {ABLATIONS[0]} --only {words.only[0]}"],
            slug="only_of_all",
        )
    return words


def parse_seeds(text: str) -> tuple[int, ...]:
    """``0,1,2`` as numbers, each once.

    Raises:
        UserError: anything else.
    """
    try:
        seeds = tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        seeds = ()
    if not seeds or min(seeds) < 0:
        raise UserError(
            f"--seeds {text}: expected whole numbers from 0 with commas between",
            fix=["--seeds 0,1,2"],
            slug="bad_seeds",
        )
    return seeds


def overrides_of(words: Words) -> dict[str, Any]:
    """What the options set in every run, the short ones over ``--set``."""
    content: dict[str, Any] = {}
    for text in words.overrides:
        content = merge(content, parse_override(text))
    short: dict[str, Any] = {}
    if words.scan_backend is not None:
        short["scan_backend"] = words.scan_backend
    data = {"name": words.data, "image_size": words.image_size}
    if any(value is not None for value in data.values()):
        short["data"] = {key: value for key, value in data.items() if value is not None}
    if words.steps is not None:
        short["train"] = {"steps": words.steps}
    return _one_length(merge(content, short))


def _one_length(content: dict[str, Any]) -> dict[str, Any]:
    """A run has steps or epochs: who sets one takes back the other."""
    train = content.get("train")
    if not isinstance(train, Mapping):
        return content
    given = [key for key in ("steps", "epochs") if train.get(key) is not None]
    if len(given) != 1:
        return content
    other = "epochs" if given == ["steps"] else "steps"
    return merge(content, {"train": {other: None}})
