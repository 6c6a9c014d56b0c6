"""REFER's refs files in all their variants, joined with the ``instances.json`` beside them."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from remamber.datasets import Expression, Referent
from remamber.datasets._annotations import Source
from remamber.datasets._json_file import ReadFile, collector_paused, read_json, read_whole
from remamber.datasets._refer_files import fingerprint
from remamber.datasets._sources import SourcePlace
from remamber.datasets._sources._coco import Coco, read_coco
from remamber.datasets._sources._gathering import Gathering
from remamber.datasets._sources._place import beside, called, files_in, image_folder, one_file
from remamber.datasets._sources._rows import WrongRowError, each, field, rows_of
from remamber.datasets._unpickle import load_plain_pickle

AnnIds = Callable[[dict[str, Any], Coco], tuple[int, ...]]
"""Gives the annotation ids that a row of a refs file names."""


def refs_files(path: Path, word: str) -> list[Path]:
    """The file itself, or one ``WORD(MAKER)`` of each maker in the folder; JSON is preferred."""
    pickles, texts = files_in(path, f"{word}(*).p"), files_in(path, f"{word}(*).json")
    return sorted({split_maker(found): found for found in (*pickles, *texts)}.values())


def split_maker(path: Path) -> str:
    """Who made the splits of ``refs(MAKER).p``."""
    return path.stem.partition("(")[2].removesuffix(")")


def read_refs(
    place: SourcePlace,
    *,
    word: str,
    what: str,
    hints: Iterable[str],
    ann_ids: AnnIds,
) -> Source:
    """Read and check a refs file and the ``instances.json`` beside it.

    Args:
        place: what the user gave.
        word: how the name of the refs file begins: ``refs`` or ``grefs``.
        what: what the refs file should be, for messages.
        hints: names from which the data set can be told, the best first.
        ann_ids: the annotation ids of a row.

    Raises:
        UserError: the data set or whose splits cannot be told (exit 2), a part is missing (exit
            3), damaged, or the parts do not belong together (exit 6).
    """
    folder = place.path.parent if place.path.name == "instances.json" else place.path
    usual = f"{word}({place.split_by or 'unc'}).p"
    path = one_file(place, refs_files(folder, word), maker=split_maker, usual=usual)
    name, split_by = called(replace(place, split_by=split_maker(path)), hints)
    instances = beside(place, "instances.json") or path.parent / "instances.json"
    place.on_progress(f"reading {instances.name} and {path.name}", 0, 0)
    with collector_paused():
        coco = read_coco(instances)
        content, digest = _read(path)
        gathering = _gathered(content, coco, path=path, what=what, ann_ids=ann_ids)
        annotations = gathering.annotations()
    return Source(
        name=name,
        split_by=split_by,
        annotations=annotations,
        images=image_folder(place, annotations.images),
        files={str(coco.path): coco.sha256, str(path): digest},
        notes=gathering.notes(),
        fingerprint=fingerprint((coco.sha256, digest)),
    )


def expression(row: Any) -> Expression:  # noqa: ANN401
    """A sentence as REFER has it: the cleaned text, else the raw one in lower case.

    Raises:
        WrongRowError: it has neither, or no id.
    """
    if not isinstance(row, dict):
        raise WrongRowError(f"a {type(row).__name__} where a sentence should be")
    sent = row.get("sent")
    text = sent if isinstance(sent, str) and sent.strip() else field(row, "raw", str).lower()
    needs = field(row, "needs", list, tuple) if "needs" in row else ()
    if not all(isinstance(need, str) for need in needs):
        raise WrongRowError("'needs' is not a list of text")
    return Expression(field(row, "sent_id", int), text.strip(), tuple(needs))


def _read(path: Path) -> ReadFile:
    if path.suffix == ".json":
        return read_json(path)
    raw = read_whole(path)
    return ReadFile(load_plain_pickle(raw, path=path), hashlib.sha256(raw).hexdigest())


def _gathered(
    content: Any,  # noqa: ANN401 - what a file holds is checked here
    coco: Coco,
    *,
    path: Path,
    what: str,
    ann_ids: AnnIds,
) -> Gathering:
    def parse(row: Any) -> Referent:  # noqa: ANN401
        ids = ann_ids(row, coco)
        return Referent(
            ref_id=field(row, "ref_id", int),
            image_id=field(row, "image_id", int),
            ann_ids=ids,
            category=coco.category(ids[0]) if ids else "",
            split=field(row, "split", str),
            expressions=tuple(each(field(row, "sentences", list), "sentences", expression)),
        )

    gathering = Gathering(path, beside=coco.path)
    with rows_of(path, what):
        image_ids = set()
        for ref in each(content, "refs", parse):
            gathering.add_ref(ref)
            image_ids.add(ref.image_id)
            nameless = bool(ref.ann_ids) and not ref.category
            gathering.note(f"refs of a category that '{coco.path.name}' does not name", nameless)
        coco.give(gathering, image_ids)
    return gathering
