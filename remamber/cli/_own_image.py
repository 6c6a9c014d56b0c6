"""What ``masks --image photo.jpg --text "the red cup"`` does: load, predict, write, tell."""

import json
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from remamber.cli._settings import Settings, require_writable
from remamber.cli._streams import Streams
from remamber.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from remamber.models._evaluable import Evaluable
    from remamber.report.own_image import Found

SCHEMA_VERSION = 1


class Looker(NamedTuple):
    """A model that looks at the photograph: its name, its weights and the side of its input."""

    label: str
    weights: "Evaluable"
    image_size: int


@dataclass(frozen=True)
class OwnImage:
    """A photograph, what is said of it, and how it is looked at."""

    image: Path
    text: str
    as_json: bool = False
    open_page: bool = False
    dry_run: bool = False
    backend: str = "auto"


def require_both(image: Path | None, text: str | None) -> None:
    """Refuse a photograph without a sentence, and the other way round.

    Raises:
        UserError: one of the two is missing.
    """
    if (image is None) == (text is None):
        return
    lost = "--text" if text is None else "--image"
    raise UserError(
        f"{lost} is missing: a photograph and a sentence go together",
        fix=['--image photo.jpg --text "the red cup"'],
        slug="image_and_text",
    )


def show_own(
    own: OwnImage, lookers: Sequence[Looker], *, settings: Settings, streams: Streams
) -> None:
    """Predict with every model, write the picture and the page, and say where they are.

    Raises:
        UserError: the photograph, the sentence or a model cannot be used; nothing is written.
    """
    from remamber.datasets._own_photograph import read_photograph
    from remamber.report.own_image import FOLDER, write_own
    from remamber.tasks._own_mask import words_of

    text = " ".join(own.text.split())
    words_of(text)
    image = read_photograph(own.image)
    if own.dry_run:
        _plan(own, text, image, lookers, streams)
        return
    require_writable(settings.out / FOLDER, what="the reports' folder", option="--out")
    found = [_found(looker, image, text, settings, streams, own.backend) for looker in lookers]
    paths = write_own(image, text, found, stem=own.image.stem, out=settings.out)
    if own.as_json:
        streams.result(json.dumps(_document(own, text, image, found, paths), indent=1))
    else:
        streams.result("\n".join(_line(one) for one in found))
    for note in [note for one in found for note in one.notes]:
        streams.insist(f"note: {note}")
    for kind, path in paths.items():
        streams.insist(f"{kind:<6}  {path.absolute()}")
    if own.open_page:
        webbrowser.open(paths["html"].absolute().as_uri())


def _plan(
    own: OwnImage,
    text: str,
    image: "NDArray[np.uint8]",
    lookers: Sequence[Looker],
    streams: Streams,
) -> None:
    """Tell what would be looked at with what, and write nothing."""
    if own.as_json:
        plan = _document(own, text, image, (), {})
        names = [{"label": x.label, "weights": str(x.weights.path)} for x in lookers]
        streams.result(json.dumps({**plan, "models": names}, indent=1))
        return
    height, width = image.shape[:2]
    lines = [f"{x.label}: {x.weights.path}, at {x.image_size} px" for x in lookers]
    streams.result("\n".join([f"'{text}' in {own.image}, {width} x {height} pixels", *lines]))


def _found(
    looker: Looker,
    image: "NDArray[np.uint8]",
    text: str,
    settings: Settings,
    streams: Streams,
    backend: str,
) -> "Found":
    from remamber.models._evaluable import open_evaluable
    from remamber.report.own_image import Found
    from remamber.tasks._own_mask import own_mask

    streams.say(f"{looker.label}: {looker.weights.path}")
    model = open_evaluable(looker.weights, root=settings.data_root, backend=backend)
    made = own_mask(model, image, text, size=looker.image_size)
    return Found(
        label=looker.label,
        weights=f"{_origin(looker.weights.path)}, sha256 {looker.weights.weights.sha256[:16]}",
        image_size=looker.image_size,
        mask=made.mask,
        unknown=made.unknown,
        is_cut=made.is_cut,
    )


def _origin(path: Path) -> str:
    run = (path.parent / "record.json").is_file()
    return f"run {path.parent.name}" if run else path.name


def _line(found: "Found") -> str:
    return f"{found.label}: {100 * found.share:.1f} % of the image"


def _document(
    own: OwnImage,
    text: str,
    image: "NDArray[np.uint8]",
    found: "Sequence[Found]",
    paths: dict[str, Path],
) -> dict[str, Any]:
    height, width = image.shape[:2]
    return {
        "schema_version": SCHEMA_VERSION,
        "image": {"path": str(own.image.absolute()), "width": width, "height": height},
        "text": text,
        "models": [_model(one) for one in found],
        "files": {kind: str(path.absolute()) for kind, path in paths.items()},
    }


def _model(found: "Found") -> dict[str, Any]:
    import numpy as np

    rows, columns = (np.flatnonzero(found.mask.any(axis=axis)) for axis in (1, 0))
    empty = not len(rows)
    return {
        "label": found.label,
        "weights": found.weights,
        "image_size": found.image_size,
        "pixels": int(found.mask.sum()),
        "share": round(found.share, 9),
        "box": None
        if empty
        else [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1],
        "unknown_words": list(found.unknown),
        "cut": found.is_cut,
    }
