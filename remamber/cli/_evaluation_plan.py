"""What an evaluation on the command line asks for, as a run spec."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remamber.cli._execution import telling
from remamber.cli._settings import Settings
from remamber.cli._streams import Streams
from remamber.errors import UserError
from remamber.plan.protocols import DEFAULT, find_protocol
from remamber.plan.spec import DataSpec, RunSpec, TextSpec
from remamber.plan.strict_toml import merge, parse_override, validate
from remamber.record.schema import Record

if TYPE_CHECKING:
    from remamber.models._evaluable import Evaluable

_BATCH = 16
_RELEASED_SIZE = 480
_SETTABLE = ("data", "evaluate", "scan_backend")


@dataclass(frozen=True)
class Question:
    """What the command line asks for; None or empty where it says nothing."""

    checkpoint: str
    command: str
    data: str | None = None
    splits: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()
    image_size: int | None = None
    native_size: bool = False
    mask_rule: str | None = None
    split_by: str | None = None
    batch: int | None = None
    limit: int | None = None
    overrides: tuple[str, ...] = ()
    scan_backend: str | None = None
    fresh: bool = False
    per_expression: Path | None = None
    as_json: bool = False
    slices: bool = False

    @classmethod
    def of(cls, options: Mapping[str, Any], *, command: str) -> "Question":
        """From the command's options by their names."""
        plain: tuple[str, ...] = (
            "checkpoint",
            "data",
            "image_size",
            "native_size",
            "mask_rule",
            "split_by",
        )
        plain += ("batch", "limit", "scan_backend", "fresh", "per_expression", "as_json")
        plain += ("slices",)
        several = {"splits": "split", "protocols": "protocol", "overrides": "set_"}
        given: dict[str, Any] = {name: options[name] for name in plain}
        given |= {name: tuple(dict.fromkeys(options[o] or ())) for name, o in several.items()}
        return cls(command=command, **given)


def place_of(checkpoint: str, store: Path) -> Path:
    """Where a checkpoint is: a path as it stands, or the folder of the run of that name."""
    path = Path(checkpoint).expanduser()
    in_store = store / checkpoint
    return in_store if not path.exists() and in_store.is_dir() else path


def planned(
    question: Question, found: "Evaluable", place: Path, *, settings: Settings, streams: Streams
) -> RunSpec:
    """The run that answers the question, with the fingerprints of all that it reads.

    Args:
        question: what the command line says.
        found: the weights.
        place: where they were found; a run's folder says on which data they were trained.
        settings: the data root.
        streams: told while data are generated.

    Raises:
        UserError: data, a split or CLIP's files are not there, or an option does not fit.
    """
    from remamber.datasets import DataPlace, open_dataset

    trained = _data_of_run(place)
    layers = [
        ("the run that made the weights", _usual(question, trained)),
        ("the command line", _asked(question, found, trained)),
    ]
    spec = validate(RunSpec, layers)
    data_place = DataPlace(root=settings.data_root, on_progress=telling(streams))
    dataset = open_dataset(spec.data, data_place)
    splits = spec.data.splits or tuple(s for s in dataset.splits() if s != spec.data.train_split)
    for split in splits:
        dataset.refs(split)
    data = spec.data.model_copy(update={"splits": splits, "fingerprint": dataset.fingerprint})
    model = found.model.model_copy(update={"text": _text_of(found, settings)})
    return spec.model_copy(update={"data": data, "model": model, "weights": found.weights})


def _text_of(found: "Evaluable", settings: Settings) -> TextSpec:
    """The text encoder; what was trained here brings its own, a released model needs CLIP's files.

    Raises:
        UserError: they are not there.
    """
    from remamber.plan.text_files import with_fingerprint

    text = found.model.text
    if found.weights.holds == "model":
        return text
    try:
        return with_fingerprint(text, settings.data_root, download=settings.download)
    except UserError as error:
        # The weights leave no choice of another encoder.
        fix = [line for line in error.fix if "model.text" not in line]
        raise UserError(
            error.what,
            where=error.where,
            fix=fix,
            exit_code=error.exit_code,
            slug=error.slug,
            path=error.path,
        ) from error


def _data_of_run(place: Path) -> DataSpec | None:
    """What the run whose folder this is was trained on; None if it is no run's folder."""
    if not place.is_dir() or not (place / "record.json").is_file():
        return None
    try:
        return Record.model_validate_json((place / "record.json").read_bytes()).spec.data
    except ValueError:
        return None


def _usual(question: Question, trained: DataSpec | None) -> dict[str, Any]:
    """What holds where nothing is said: the data, splits apart, that the weights know."""
    data: dict[str, Any] = {"splits": []}
    if trained is not None:
        data["image_size"] = trained.image_size
        if question.data in (None, trained.name):
            own = trained.model_dump(exclude={"splits", "fingerprint"}, exclude_defaults=True)
            data |= {**own, "name": trained.name}
    return {"task": "evaluate", "data": data, "evaluate": {"batch": _BATCH}}


def _asked(question: Question, found: "Evaluable", trained: DataSpec | None) -> dict[str, Any]:
    """What the command line says, its options over ``--set``.

    Raises:
        UserError: data or image size are not known, or ``--set`` names what the weights decide.
    """
    content: dict[str, Any] = {}
    for text in question.overrides:
        content = merge(content, parse_override(text))
    _require_settable(content)
    own = content.get("data", {})
    data = {
        "name": question.data,
        "splits": list(question.splits) or None,
        "split_by": question.split_by,
        "mask_rule": question.mask_rule,
        "image_size": question.image_size,
    }
    if question.native_size:
        data["image_size"] = _native_size(question)
    known = trained is not None or "image_size" in own
    if data["image_size"] is None and not known:
        data["image_size"] = _size_of(found)
    if question.data is None and trained is None and "name" not in own:
        raise UserError(
            "say on which data the weights are to be scored",
            fix=["--data refcoco --data-root DIR", "--data synth-refcoco"],
            slug="no_data",
        )
    protocols = list(question.protocols) or None
    asked = {"protocols": protocols, "batch": question.batch, "limit": question.limit}
    return merge(
        content,
        {
            "data": _said(data),
            "evaluate": _said(asked),
            **_said({"scan_backend": question.scan_backend}),
        },
    )


def _said(content: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if value is not None}


def _require_settable(content: Mapping[str, Any]) -> None:
    lost = [key for key in content if key not in _SETTABLE]
    if lost:
        raise UserError(
            f"--set {lost[0]}: the weights decide it, or it is no key of an evaluation",
            where=[f"known  {', '.join(f'{key}.*' for key in _SETTABLE[:2])}, {_SETTABLE[2]}"],
            fix=["--set data.preset=quick", "--set evaluate.batch=8"],
            slug="not_settable",
        )


def _native_size(question: Question) -> int:
    names = question.protocols or (DEFAULT,)
    sizes = {name: find_protocol(name).native_size for name in names}
    found = {size for size in sizes.values() if size is not None}
    if len(found) == 1:
        return found.pop()
    said = [
        f"{name}  {size or 'none: whatever the model was trained at'}"
        for name, size in sizes.items()
    ]
    raise UserError(
        "--native-size: the protocols do not name one size between them",
        where=said,
        fix=["evaluate them one after another", "--image-size 480"],
        slug="no_native_size",
    )


def _size_of(found: "Evaluable") -> int:
    if found.weights.holds == "released":
        return _RELEASED_SIZE
    raise UserError(
        f"'{found.path.name}' does not say at which image size it was trained",
        fix=["--image-size 256", "or give the folder of the run that trained it"],
        slug="no_image_size",
    )
