"""What is wrong with a data set's files, or worth knowing of them: each with a fix."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Literal, NamedTuple

from remamber.datasets import Referent
from remamber.datasets._gates.subject import Subject
from remamber.datasets._split_counts import count_report
from remamber.datasets._transforms import resize_mask
from remamber.errors import ExitCode, UserError

Severity = Literal["damaged", "missing", "warning", "note"]

_SHOWN = 3


class Finding(NamedTuple):
    """One thing found.

    Attributes:
        severity: damaged and missing keep a run from working, a warning changes its numbers.
        what: the finding in a sentence, with its number.
        where: places, the first few.
        fix: what to do.
    """

    severity: Severity
    what: str
    where: tuple[str, ...] = ()
    fix: str = ""


def from_error(error: UserError) -> Finding:
    """An error of the loader as a finding."""
    severity: Severity = "damaged" if error.exit_code is ExitCode.DAMAGED else "missing"
    return Finding(severity, error.what, error.where, error.fix[0] if error.fix else "")


def count_findings(subject: Subject) -> Iterator[Finding]:
    """Splits that have not the published sizes."""
    if subject.provenance is not None:
        return
    for difference in count_report(subject.dataset):
        yield Finding(
            "warning",
            f"not the published number: {difference}",
            fix="fetch the annotation files again, or say in what you write that this is a part",
        )


def text_findings(subject: Subject, *, length: int) -> Iterator[Finding]:
    """Expressions that the text encoder cuts, and expressions that name two things.

    Args:
        subject: the data set.
        length: tokens of an expression with start and end; a word is a token at least.
    """
    for split in subject.dataset.splits():
        refs = subject.dataset.refs(split)
        texts = [(e.text, ref) for ref in refs for e in ref.expressions]
        cut = [text for text, _ in texts if len(text.split()) > length - 2]
        if cut:
            yield Finding(
                "note",
                f"{split}: {len(cut):,} of {_many(len(texts), 'expression')} have more than"
                f" {length - 2} words and are cut",
                tuple(sorted(set(cut), key=len, reverse=True)[:_SHOWN]),
                f"raise model.text.length above {length}, or accept the cut",
            )
        yield from _said_twice(texts, split)


def _said_twice(texts: list[tuple[str, Referent]], split: str) -> Iterator[Finding]:
    named: dict[tuple[int, str], set[tuple[int, ...]]] = {}
    for text, ref in texts:
        named.setdefault((ref.image_id, text.lower()), set()).add(ref.ann_ids)
    twice = [f"image {i}: {text}" for (i, text), targets in named.items() if len(targets) > 1]
    if twice:
        yield Finding(
            "warning",
            f"{split}: said of different targets in their image: {_many(len(twice), 'expression')}",
            tuple(twice[:_SHOWN]),
            "nothing to mend here: no model can get all of them right",
        )


def mask_findings(subject: Subject, *, size: int) -> Iterator[Finding]:
    """Targets that have no pixel left at the model's resolution, and masks that are damaged.

    Args:
        subject: the data set.
        size: side of the model's input in pixels.
    """
    for split in subject.dataset.splits():
        refs = [ref for ref in subject.dataset.refs(split) if ref.ann_ids]
        lost: list[str] = []
        damaged: list[UserError] = []
        for done, ref in enumerate(refs, start=1):
            try:
                if not resize_mask(subject.dataset.mask(ref), size).any():
                    lost.append(f"ref {ref.ref_id} in image {ref.image_id}")
            except UserError as error:
                damaged.append(error)
            subject.on_progress(f"decoding masks of {split}", done, len(refs))
        if damaged:
            yield _together(damaged, f"{split}: no usable mask for {_many(len(damaged), 'target')}")
        if lost:
            yield Finding(
                "warning",
                f"{split}: {len(lost):,} of {_many(len(refs), 'target')} vanish at {size} px",
                tuple(lost[:_SHOWN]),
                f"raise data.image_size above {size}: no model can find them",
            )


def pixel_findings(subject: Subject, contents: dict[int, str]) -> Iterator[Finding]:
    """Images that cannot be read; the hash of the pixels of every other goes into ``contents``."""
    ids = sorted({r.image_id for s in subject.dataset.splits() for r in subject.dataset.refs(s)})
    damaged: list[UserError] = []
    for done, image_id in enumerate(ids, start=1):
        try:
            pixels = subject.dataset.image(image_id)
            contents[image_id] = hashlib.sha256(pixels.tobytes()).hexdigest()
        except UserError as error:
            damaged.append(error)
        subject.on_progress("reading images", done, len(ids))
    if damaged:
        yield _together(damaged, f"{len(damaged):,} of {_many(len(ids), 'image')} cannot be read")
    same = [content for content, count in Counter(contents.values()).items() if count > 1]
    if same:
        yield Finding(
            "warning",
            f"more than once there, under different ids: {_many(len(same), 'image')}",
            fix="leave one of each out, or count them as one when you resample images",
        )


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _together(errors: list[UserError], what: str) -> Finding:
    worst = from_error(max(errors, key=lambda error: int(error.exit_code)))
    return worst._replace(what=what, where=tuple(error.what for error in errors[:_SHOWN]))
