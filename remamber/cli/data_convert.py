"""Command ``data convert``: any known shape of a data set to the one that opens fast."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remamber.cli import _options as options
from remamber.cli._errors import printable
from remamber.cli._study_options import DataRoot

if TYPE_CHECKING:
    from remamber.datasets._converted_write import Written

Source = Annotated[
    Path,
    typer.Argument(metavar="PATH", help="File or folder of the annotations, as it was fetched."),
]
To = Annotated[
    Path | None,
    typer.Option(
        "--to",
        metavar="ROOT",
        help="Data root to write into.",
        show_default="the data root",
        rich_help_panel=options.WORKLOAD,
    ),
]
ShapeName = Annotated[
    str | None,
    typer.Option(
        "--shape",
        metavar="NAME",
        help="How the files are laid out (data list names the shapes).",
        show_default="as they look",
        rich_help_panel=options.WORKLOAD,
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="NAME",
        help="Which data set it is, such as refcoco+.",
        show_default="as the files say",
        rich_help_panel=options.WORKLOAD,
    ),
]
SplitBy = Annotated[
    str | None,
    typer.Option(
        "--split-by",
        metavar="NAME",
        help="Whose splits: unc, umd, google or berkeley.",
        show_default="as the files say",
        rich_help_panel=options.WORKLOAD,
    ),
]
Images = Annotated[
    Path | None,
    typer.Option(
        "--images",
        metavar="DIR",
        help="Folder of the photographs.",
        show_default="found beside the files",
        rich_help_panel=options.WORKLOAD,
    ),
]
Instances = Annotated[
    Path | None,
    typer.Option(
        "--instances",
        metavar="FILE",
        help="COCO's instances.json, for shapes that ship no masks.",
        rich_help_panel=options.WORKLOAD,
    ),
]
CopyImages = Annotated[
    bool,
    typer.Option(
        "--copy-images",
        help="Copy the photographs that are used, instead of naming their folder.",
        rich_help_panel=options.OUTPUT,
    ),
]


def data_convert(
    path: Source,
    to: To = None,
    shape: ShapeName = None,
    name: Name = None,
    split_by: SplitBy = None,
    images: Images = None,
    instances: Instances = None,
    copy_images: CopyImages = False,
    as_json: options.Json = False,
    data_root: DataRoot = None,
    display: options.Display = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
    no_color: options.NoColor = False,
    debug: options.Debug = False,
) -> int:
    """Convert a data set, in whatever shape it was fetched, to the layout that opens fast.

    Writes ROOT/NAME/converted(SPLITS)/, whole or not at all; nothing in PATH is changed or run.
    """
    from remamber.cli._data_progress import told
    from remamber.datasets._converted_write import write_converted
    from remamber.datasets._generated import refuse_generated_source
    from remamber.datasets._sources import SourcePlace, read_source, recognised

    streams = options.streams(display, quiet=quiet, verbose=verbose, no_color=no_color)
    root = _root(to, data_root, path)
    refuse_generated_source(path)
    shape = shape or recognised(path)
    with told(streams) as hear:
        place = SourcePlace(path, images, instances, name, split_by, hear)
        source = read_source(place, shape=shape)
        written = write_converted(
            source, root, shape=shape, copy_images=copy_images, on_progress=hear
        )
    if as_json:
        streams.result(json.dumps(_document(written), indent=1))
    else:
        streams.result("\n".join(_lines(written, root)))
    return 0


def _root(to: Path | None, data_root: Path | None, path: Path) -> Path:
    from remamber.cli._settings import resolve
    from remamber.errors import UserError

    root = to or resolve({"data_root": data_root}).settings.data_root
    if root is None:
        raise UserError(
            "no data root to write into",
            fix=[f"remamber-bench data convert {path} --to DIR"],
            slug="no_data_root",
        )
    return root.expanduser().absolute()


def _lines(written: "Written", root: Path) -> list[str]:
    from remamber.datasets._converted_write import image_folder

    index = written.index
    lines = [f"{index.name}, split by {index.split_by}, read as {index.shape}"]
    for split, size in index.splits.items():
        counts = (f"{size.refs:,} refs", f"{size.images:,} images", f"{size.expressions:,} texts")
        lines.append(f"  {printable(split):<8}" + "".join(f"{count:>17}" for count in counts))
    lines += [f"note      {printable(note)}" for note in index.notes]
    lines += [f"differs   {difference}" for difference in _differences(written)]
    folder = image_folder(root, index)
    missing = f", {written.absent:,} missing" if written.absent else ""
    lines.append(f"images    {folder or 'folder not known: looked for when opened'}{missing}")
    size_mb = sum(file.bytes for file in index.columns.values()) / 1e6
    word = "written" if written.anew else "kept"
    why = "" if written.anew else ": it was converted from the same files"
    lines.append(f"{word:<8}  {written.folder} ({size_mb:,.1f} MB){why}")
    return lines


def _differences(written: "Written") -> list[str]:
    """A line for each split that is not of its published size."""
    from remamber.datasets._split_counts import Size, size_report

    index = written.index
    lines = []
    for split, found in index.splits.items():
        size = Size(**found.model_dump())
        report = size_report(index.name, index.split_by, {split: size})
        if report:
            here = ", ".join(f"{difference.found:,} {difference.unit}" for difference in report)
            published = ", ".join(f"{difference.expected:,}" for difference in report)
            lines.append(f"{split}: {here}; published {published}")
    return lines


def _document(written: "Written") -> dict[str, Any]:
    index = written.index
    return {
        "schema_version": 1,
        "folder": str(written.folder),
        "written": written.anew,
        "name": index.name,
        "split_by": index.split_by,
        "shape": index.shape,
        "fingerprint": index.fingerprint,
        "splits": {split: size.model_dump() for split, size in index.splits.items()},
        "differs_from_published": _differences(written),
        "images": index.image_folder,
        "images_missing": written.absent,
        "notes": index.notes,
        "bytes": sum(file.bytes for file in index.columns.values()),
    }
