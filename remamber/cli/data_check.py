"""Command ``data check``: is a data set whole, and does it ask what it seems to ask?"""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from remamber.cli import _options as options
from remamber.cli.data_synth import Difficulty, Preset, Seed

if TYPE_CHECKING:
    from remamber.datasets import DataPlace
    from remamber.datasets._gates.check import Report
    from remamber.datasets._gates.gate import Gate
    from remamber.datasets._gates.subject import Listed
    from remamber.plan.spec import DataSpec

Name = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="Data set (list datasets).", show_default="synth-refcoco"),
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="NAME",
        help="The same, as other commands have it.",
        rich_help_panel=options.WORKLOAD,
    ),
]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        "--data-root",
        metavar="DIR",
        help="Folder of real data, or of what data synth wrote.",
        rich_help_panel=options.WORKLOAD,
    ),
]
SplitBy = Annotated[
    str | None,
    typer.Option(
        "--split-by",
        metavar="WHO",
        help="Whose splits: unc, umd or google.",
        show_default="the data set's usual",
        rich_help_panel=options.WORKLOAD,
    ),
]
Size = Annotated[
    int | None,
    typer.Option(
        "--size",
        metavar="PIXELS",
        min=32,
        help="Side of the model's input.",
        show_default="256, generated: the images'",
        rich_help_panel=options.WORKLOAD,
    ),
]
Learn = Annotated[
    bool,
    typer.Option(
        "--learn",
        help="Train a tiny model too: minutes.",
        rich_help_panel=options.WORKLOAD,
    ),
]
Card = Annotated[
    Path | None,
    typer.Option(
        "--card",
        metavar="FILE",
        help="Write a data card, FILE.md or FILE.html.",
        rich_help_panel=options.OUTPUT,
    ),
]
_USUAL_SIDE = 256
_TEXT_LENGTH = 20
_MATTERS, _BY_HEART = 1.4, 0.9


def data_check(
    name: Name = None,
    data: Data = None,
    data_root: DataRoot = None,
    preset: Preset = "quick",
    difficulty: Difficulty = "default",
    seed: Seed = 0,
    split_by: SplitBy = None,
    size: Size = None,
    learn: Learn = False,
    card: Card = None,
    as_json: options.Json = False,
    display: options.Display = "auto",
    quiet: options.Quiet = False,
    no_color: options.NoColor = False,
    debug: options.Debug = False,
) -> int:
    """Check a data set's files, and measure what it gives away without reading.

    Exit code 1 if a gate fails, 3 if something is missing, 6 if something is damaged.
    """
    from remamber.cli._check_pages import as_document, card_of
    from remamber.cli._data_progress import told
    from remamber.cli._settings import resolve
    from remamber.datasets import DataPlace
    from remamber.plan.spec import DataSpec
    from remamber.plan.strict_toml import validate
    from remamber.record.environment import usable_cores
    from remamber.report.data_card import card_text

    streams = options.streams(display, quiet=quiet, verbose=0, no_color=no_color)
    _require(card, size if learn else None)
    root = resolve({"data_root": data_root}).settings.data_root
    chosen = name or data or "synth-refcoco"
    asked = {"name": chosen, "split_by": split_by, "seed": seed}
    if chosen.startswith("synth-"):
        asked |= {"preset": preset, "difficulty": difficulty}
    spec = validate(DataSpec, [("the command line", asked)])
    with told(streams) as on_progress:
        place = DataPlace(root=root, workers=usable_cores(), on_progress=on_progress)
        report = _checked(spec, place, size=size)
        if learn:
            report = _with_learning(report, spec, place)
    if card is not None:
        _write_card(report, card)
    text = json.dumps(as_document(report), indent=1) if as_json else card_text(card_of(report))
    streams.result(text)
    return report.exit_code


def _checked(spec: "DataSpec", place: "DataPlace", *, size: int | None) -> "Report":
    from remamber.datasets._gates.check import check

    dataset, side = _opened(spec, place)
    return check(dataset, spec, place, size=size or side, length=_TEXT_LENGTH)


def _opened(spec: "DataSpec", place: "DataPlace") -> "tuple[Listed, int]":
    """The data set, from the data root if that is what ``data synth`` wrote, and a resolution.

    Raises:
        UserError: as ``open_dataset``.
    """
    from remamber.datasets import open_dataset
    from remamber.datasets._synthetic.provenance import PROVENANCE, read_provenance
    from remamber.datasets.synthetic import open_exported, side_of
    from remamber.errors import UserError

    if not spec.name.startswith("synth-"):
        return cast("Listed", open_dataset(spec, place)), _USUAL_SIDE
    if place.root is None or not (place.root / PROVENANCE).is_file():
        return cast("Listed", open_dataset(spec, place)), side_of(spec)
    written = read_provenance(place.root)
    if written["style"] != spec.name:
        raise UserError(
            f"{place.root} holds {written['style']}, not {spec.name}",
            fix=[f"remamber-bench data check {written['style']} --data-root {place.root}"],
            slug="other_dataset",
            path=str(place.root),
        )
    return cast("Listed", open_exported(place.root)), int(written["knobs"]["side"])


def _with_learning(report: "Report", spec: "DataSpec", place: "DataPlace") -> "Report":
    """The same with the gates that need a model."""
    from tempfile import TemporaryDirectory

    from remamber.tasks import TaskContext
    from remamber.tasks._learnability import overfit, read

    kept = report.subject.provenance
    made = ("preset", "difficulty", "seed")
    data = spec.model_copy(
        update={
            "image_size": report.size,
            "train_split": report.subject.train,
            "splits": (report.subject.tested,),
            **({key: kept[key] for key in made} | {"side": kept["knobs"]["side"]} if kept else {}),
        }
    )
    with TemporaryDirectory() as folder:
        context = TaskContext(Path(folder), place, lambda event: None, lambda: False)
        by_heart = overfit(data, context, on_step=place.on_progress)
        reading = read(data, context, on_step=place.on_progress)
    return replace(report, gates=(*report.gates, *_learned(by_heart, reading.own, reading.ratio)))


def _learned(by_heart: float, own: float, ratio: float) -> "list[Gate]":
    from remamber.datasets._gates.gate import at_least, at_most

    says = "32 samples seen again and again: less is an error, not difficulty"
    fix = "look at the masks: data check --card FILE"
    wrong = "the words say nothing that the image does not"
    return [
        at_least("by heart", "mIoU", by_heart, _BY_HEART, says=says, fix=fix),
        at_most("reading", "mIoU", own, None, says="a tiny model after minutes of training"),
        at_least(
            "text matters",
            "ratio",
            ratio,
            _MATTERS,
            says="the same over the score with expressions of other images",
            fix=wrong,
        ),
    ]


def _require(card: Path | None, trained_at: int | None) -> None:
    """Refuse, before minutes of work, another kind of file and a size that no model takes."""
    from remamber.errors import UserError

    if card is not None and card.suffix not in (".md", ".html"):
        raise UserError(
            f"'{card.name}' ends in neither .md nor .html",
            fix=[f"--card {card.with_suffix('.md')}"],
        )
    if trained_at is not None and trained_at % 32:
        raise UserError(
            f"--learn trains a model, whose input cannot have {trained_at} px",
            fix=[f"--size {max(32, trained_at // 32 * 32)}: a multiple of 32"],
        )


def _write_card(report: "Report", path: Path) -> None:
    """Write a data card with its sheet of samples, unless the data cannot be read.

    Raises:
        UserError: it cannot be written (exit 3).
    """
    from remamber.cli._check_pages import card_of
    from remamber.datasets._sample_sheet import sample_sheet, sheet_words
    from remamber.errors import ExitCode, UserError
    from remamber.record.files import write_whole
    from remamber.report.data_card import card_html, card_markdown

    if any(finding.severity in ("damaged", "missing") for finding in report.findings):
        return
    refs = report.subject.dataset.refs(report.subject.tested)
    card = card_of(report, sheet_words=sheet_words(refs))
    sheet = sample_sheet(report.subject.dataset, refs)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".html":
            write_whole(path, card_html(card, sheet=sheet))
        else:
            picture = path.with_suffix(".png")
            write_whole(picture, sheet)
            write_whole(path, card_markdown(card, sheet=picture.name))
    except OSError as error:
        raise UserError(
            f"cannot write the card to {path}: {error.strerror}",
            fix=["--card FILE: a place that you may write to"],
            exit_code=ExitCode.MISSING,
            slug="not_writable",
            path=str(path),
        ) from error
