"""Command ``data synth``: a generated data set as files, in the layout that RefCOCO has."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remamber.cli import _options as options

if TYPE_CHECKING:
    from remamber.datasets import ReferringDataset
    from remamber.datasets._synthetic.knobs import Recipe

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="synth-refcoco, synth-refcoco+, synth-refcocog or synth-grefcoco.",
    ),
]
Out = Annotated[
    Path,
    typer.Option(
        "--out",
        metavar="DIR",
        help="New folder for the data.",
        rich_help_panel=options.WORKLOAD,
    ),
]
Preset = Annotated[
    str,
    typer.Option(
        "--preset",
        metavar="NAME",
        help="How large: quick, default or paper-shaped.",
        rich_help_panel=options.WORKLOAD,
    ),
]
Difficulty = Annotated[
    str,
    typer.Option(
        "--difficulty",
        metavar="NAME",
        help="How hard: easy, default or hard.",
        rich_help_panel=options.WORKLOAD,
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed",
        metavar="N",
        min=0,
        help="Seed of all random choices.",
        rich_help_panel=options.WORKLOAD,
    ),
]
Size = Annotated[
    int | None,
    typer.Option(
        "--size",
        metavar="PIXELS",
        min=32,
        max=1024,
        help="Side of the images; one seed gives the same scenes at every side.",
        show_default="of the preset",
        rich_help_panel=options.WORKLOAD,
    ),
]
ImageForm = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="KIND",
        help="Images: png (exact) or jpg (smaller).",
        rich_help_panel=options.OUTPUT,
    ),
]
MaskForm = Annotated[
    str,
    typer.Option(
        "--segmentation",
        metavar="KIND",
        help="Masks: rle, or polygon for readers of COCO's own format.",
        rich_help_panel=options.OUTPUT,
    ),
]


def data_synth(
    name: Name,
    out: Out,
    preset: Preset = "quick",
    difficulty: Difficulty = "default",
    seed: Seed = 0,
    size: Size = None,
    image_form: ImageForm = "png",
    mask_form: MaskForm = "rle",
    as_json: options.Json = False,
    display: options.Display = "auto",
    quiet: options.Quiet = False,
    no_color: options.NoColor = False,
    debug: options.Debug = False,
) -> int:
    """Generate a data set and write it in REFER's layout, whole or not at all.

    The same seed gives the same images, masks and words on any machine.
    """
    from remamber.cli._data_progress import told
    from remamber.datasets import DataPlace
    from remamber.datasets._synthetic.form import Form
    from remamber.datasets._synthetic.recipes import recipe_of
    from remamber.datasets.synthetic import export, open_exported
    from remamber.errors import ExitCode
    from remamber.record.environment import usable_cores

    streams = options.streams(display, quiet=quiet, verbose=0, no_color=no_color)
    recipe = recipe_of(name, preset, difficulty=difficulty, seed=seed, side=size)
    form = Form.of(images=image_form, masks=mask_form)
    started = time.monotonic()
    with told(streams) as on_progress:
        place = DataPlace(workers=usable_cores(), on_progress=on_progress)
        export(recipe, out, place, form=form)
    document = _document(recipe, open_exported(out), out, took_s=time.monotonic() - started)
    text = json.dumps(document, indent=1) if as_json else "\n".join(_lines(document))
    streams.result(text)
    return ExitCode.DONE


def _document(
    recipe: "Recipe", dataset: "ReferringDataset", out: Path, *, took_s: float
) -> dict[str, Any]:
    splits = {name: dataset.refs(name) for name in dataset.splits()}
    return {
        "schema_version": 1,
        "name": recipe.style,
        "preset": recipe.preset,
        "difficulty": recipe.difficulty,
        "seed": recipe.seed,
        "side": recipe.knobs.side,
        "fingerprint": recipe.fingerprint,
        "folder": str(out.absolute()),
        "bytes": sum(path.stat().st_size for path in out.rglob("*") if path.is_file()),
        "took_s": round(took_s, 1),
        "splits": {
            name: {
                "images": len({ref.image_id for ref in refs}),
                "refs": len(refs),
                "expressions": sum(len(ref.expressions) for ref in refs),
            }
            for name, refs in splits.items()
        },
    }


def _lines(document: dict[str, Any]) -> list[str]:
    chosen = [document[key] for key in ("preset", "difficulty")]
    side, mib = document["side"], document["bytes"] / 2**20
    lines = [
        f"{document['name']}, {chosen[0]}, {chosen[1]}, seed {document['seed']},"
        f" {side}x{side} px: {mib:,.0f} MiB in {document['took_s']:.0f} s",
        "",
        f"{'split':<8}{'images':>8}{'refs':>8}{'expressions':>13}",
    ]
    for name, size in document["splits"].items():
        images, refs, expressions = (size[key] for key in ("images", "refs", "expressions"))
        lines.append(f"{name:<8}{images:>8,}{refs:>8,}{expressions:>13,}")
    return [
        *lines,
        "",
        f"written  {document['folder']}",
        f"check    remamber-bench data check {document['name']} --data-root {document['folder']}",
    ]
