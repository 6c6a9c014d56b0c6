"""Refs and their expressions from the columns of the converted layout."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from remamber.datasets import Expression, Referent
from remamber.datasets._converted_columns import Columns
from remamber.datasets._converted_index import Index


def referents(columns: Columns, index: Index, rows: slice, *, split: str) -> Iterator[Referent]:
    """The refs of those rows, which are one split.

    Raises:
        UnicodeDecodeError: a text is damaged.
    """
    anns_at = _offsets(columns["ref_anns_at"], rows)
    sents_at = _offsets(columns["ref_sents_at"], rows)
    ann_rows = columns["ref_ann"][anns_at[0] : anns_at[-1]]
    ann_ids = columns["ann_id"][ann_rows].tolist()
    sentences = _expressions(columns, index, slice(sents_at[0], sents_at[-1]))
    anns, sents = (at - at[0] for at in (anns_at, sents_at))
    fields = zip(
        columns["ref_id"][rows].tolist(),
        columns["image_id"][columns["ref_image"][rows]].tolist(),
        columns["ref_category"][rows].tolist(),
        *(part.tolist() for part in (anns[:-1], anns[1:], sents[:-1], sents[1:])),
        strict=True,
    )
    for ref_id, image_id, category, first_ann, last_ann, first, last in fields:
        yield Referent(
            ref_id=ref_id,
            image_id=image_id,
            ann_ids=tuple(ann_ids[first_ann:last_ann]),
            category=index.categories[category],
            split=split,
            expressions=tuple(sentences[first:last]),
        )


def _expressions(columns: Columns, index: Index, rows: slice) -> list[Expression]:
    at = _offsets(columns["sent_text_at"], rows)
    text = columns["sent_text"][at[0] : at[-1]].tobytes()
    starts = (at - at[0]).tolist()
    needs = [tuple(words) for words in index.needs]
    fields = zip(
        columns["sent_id"][rows].tolist(),
        columns["sent_needs"][rows].tolist(),
        starts[:-1],
        starts[1:],
        strict=True,
    )
    return [Expression(i, text[a:b].decode(), needs[number]) for i, number, a, b in fields]


def _offsets(column: NDArray[np.int64], rows: slice) -> NDArray[np.int64]:
    """The offsets of those rows, and where the last one ends."""
    return np.asarray(column[rows.start : rows.stop + 1])
