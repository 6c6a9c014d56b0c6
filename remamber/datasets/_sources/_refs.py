"""Rows of REFER's refs files, in the variants that point to annotations in other ways."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from remamber.datasets import Expression, Referent
from remamber.datasets._sources._coco import Coco
from remamber.datasets._sources._gathering import Gathering
from remamber.datasets._sources._rows import WrongRowError, each, field, rows_of


def gather_refs(
    content: Any,  # noqa: ANN401 - what a file holds is checked here
    coco: Coco,
    *,
    path: Path,
    what: str,
    ann_ids: Callable[[dict[str, Any]], tuple[int, ...]],
) -> Gathering:
    """Join the rows of a refs file with the annotations they point to.

    Args:
        content: what the refs file holds.
        coco: the annotations.
        path: the refs file.
        what: what the file should be, for messages.
        ann_ids: the annotation ids of a row.

    Raises:
        UserError: a row is not what it should be (exit 6).
    """

    def parse(row: Any) -> Referent:  # noqa: ANN401
        ids = ann_ids(row)
        return Referent(
            ref_id=field(row, "ref_id", int),
            image_id=field(row, "image_id", int),
            ann_ids=ids,
            category=coco.category(ids[0]) if ids else "",
            split=field(row, "split", str),
            expressions=tuple(each(field(row, "sentences", list), "sentences", expression)),
        )

    gathering = Gathering(path)
    with rows_of(path, what):
        image_ids = set()
        for ref in each(content, "refs", parse):
            gathering.add_ref(ref)
            image_ids.add(ref.image_id)
        coco.give(gathering, image_ids)
    return gathering


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
    return Expression(field(row, "sent_id", int), text.strip(), tuple(str(n) for n in needs))
