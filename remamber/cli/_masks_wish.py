"""What the options of ``masks`` ask for: a rule for a study, or models for a photograph."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from remamber.cli import _options as options
from remamber.cli._look import looking_study
from remamber.cli._own_image import Looker, OwnImage, require_both, show_own
from remamber.cli._settings import Settings, resolve
from remamber.cli._study import find_analysis
from remamber.errors import ExitCode, UserError
from remamber.plan.look import MASK_RULES
from remamber.plan.trained import TrainedRun
from remamber.registry import unknown

STUDY = "masks"
_RELEASED_SIZE = 480
_OF_PICTURES = {"rule": "--rule", "count": "--count", "slice_": "--slice", "split": "--split"}
_OF_RUNS = {"set_": "--set", "threads": "--threads", "jobs": "--jobs", "fresh": "--fresh"}


def chosen_by(given: Mapping[str, Any]) -> dict[str, Any]:
    """What the command's own options set in every run.

    Raises:
        UserError: a rule or a condition cannot be read.
    """
    from remamber.table.example_slices import require_condition

    rules = tuple(dict.fromkeys(given.get("rule") or ()))
    for rule in rules:
        if rule not in MASK_RULES:
            raise unknown("rule", rule, MASK_RULES)
    keep = tuple(require_condition(text) for text in given.get("slice_") or ())
    wished = {"rules": rules, "count": given.get("count"), "keep": keep}
    return {"masks": {key: value for key, value in wished.items() if value}}


def of_own_image(given: Mapping[str, Any]) -> ExitCode:
    """Show what the named models, or the study's rows, find in a photograph.

    Raises:
        UserError: photograph and sentence do not come together or cannot be used, or there are
            no such models.
    """
    image, text = given["image"], given["text"]
    require_both(image, text)
    _require_no_study(given)
    streams = options.streams(
        given["display"],
        quiet=given["quiet"],
        verbose=given["verbose"],
        no_color=given["no_color"],
    )
    settings = resolve({key: given.get(key) for key in Settings.model_fields}).settings
    own = OwnImage(
        Path(image).expanduser(),
        text,
        as_json=given["as_json"],
        open_page=given["open_page"],
        dry_run=given["dry_run"],
        backend=given.get("scan_backend") or "auto",
    )
    show_own(own, _lookers(given, settings), settings=settings, streams=streams)
    return ExitCode.DONE


def _require_no_study(given: Mapping[str, Any]) -> None:
    """Refuse options that a photograph would leave without effect."""
    why = {
        **dict.fromkeys(_OF_PICTURES, "chooses among a data set's expressions"),
        **dict.fromkeys(_OF_RUNS, "is for the runs of a study"),
    }
    flags = _OF_PICTURES | _OF_RUNS
    lost = next((key for key in flags if given.get(key)), None)
    if lost is not None:
        raise UserError(
            f"{flags[lost]} {why[lost]}; --image and --text bring their own",
            fix=[f"leave {flags[lost]} out"],
            slug="image_and_rule",
        )


def _lookers(given: Mapping[str, Any], settings: Settings) -> list[Looker]:
    """The models in the order in which they were named."""
    words, size = list(given.get("model") or ()), given.get("image_size")
    if not words:
        return _of_study(given, (), settings)
    found: list[Looker] = []
    for word in words:
        path = Path(word).expanduser()
        if path.exists() and not (path / "record.json").is_file():
            found.append(_of_file(path, size))
        else:
            found += _of_study(given, (word,), settings)
    return list({looker.weights.weights.sha256: looker for looker in found}.values())


def _of_study(given: Mapping[str, Any], words: Sequence[str], settings: Settings) -> list[Looker]:
    study = looking_study(STUDY, {**given, "model": words}, sets={}, settings=settings)
    labels = getattr(getattr(find_analysis(STUDY), STUDY), "labels", {})
    return [_looker(run, labels, given.get("image_size")) for run in study.trained]


def _looker(run: TrainedRun, labels: Mapping[str, str], size: int | None) -> Looker:
    from remamber.models._evaluable import Evaluable

    label = labels.get(run.label, run.label)
    weights = Evaluable(run.path, run.weights, run.model)
    return Looker(label, weights, size or run.data.image_size)


def _of_file(path: Path, size: int | None) -> Looker:
    from remamber.models._evaluable import find_evaluable

    found = find_evaluable(path)
    if size is None and found.weights.holds != "released":
        raise UserError(
            f"'{path.name}' does not say at which image size it was trained",
            fix=["--image-size 256", "or give the folder of the run that trained it"],
            slug="no_image_size",
        )
    return Looker(path.name if path.is_dir() else path.stem, found, size or _RELEASED_SIZE)
