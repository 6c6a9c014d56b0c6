"""Images, masks and refs of a data set as a shape gives them, checked when all are in."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from remamber.datasets import Expression, Referent
from remamber.datasets._annotations import Annotations, ImageEntry
from remamber.datasets._damaged import FETCH_AGAIN, damaged
from remamber.datasets._segmentation import drawable
from remamber.datasets._sources._rows import WrongRowError, check_pixels, field, is_text
from remamber.errors import UserError

ONLY_NAMED = "objects that no expression names are not in these files"
"""Said of every shape that does not come with the whole ``instances.json``."""
NUMBERED = "refs and sentences are numbered in the files' order: they have no such ids"
"""Said of shapes without ref and sentence ids."""
_SPLIT_ORDER = ("train", "val", "test", "testA", "testB", "testC")


class Gathering:
    """Collects what the files of one data set say.

    Args:
        path: the file or folder that is read, for messages.
        beside: the file that its refs point to, where that is another one.
    """

    def __init__(self, path: Path, *, beside: Path | None = None) -> None:
        self.path = path
        self._beside = beside
        self._images: dict[int, ImageEntry] = {}
        self._segmentations: dict[int, Any] = {}
        self._objects: dict[int, list[int]] = {}
        self._classes: dict[int, str] = {}
        self._refs: dict[int, Referent] = {}
        self._notes: Counter[str] = Counter()
        self.said = 0
        """How many expressions came so far, those without a word too."""

    @property
    def masks(self) -> int:
        """How many annotations there are so far."""
        return len(self._segmentations)

    @property
    def refs(self) -> int:
        """How many refs there are so far."""
        return len(self._refs)

    def add_image(self, image_id: int, entry: ImageEntry) -> None:
        """An image; the same one may come again.

        Raises:
            WrongRowError: an image of that id has another name or size.
        """
        known = self._images.setdefault(image_id, entry)
        if known != entry:
            raise WrongRowError(f"image {image_id} is {_told(known)} and again {_told(entry)}")

    def add_mask(
        self,
        ann_id: int,
        image_id: int,
        segmentation: Any,  # noqa: ANN401
        *,
        category: str = "",
    ) -> None:
        """An object of an image; its category where the files list every object of an image.

        Raises:
            WrongRowError: that annotation id was there already.
        """
        if ann_id in self._segmentations:
            raise WrongRowError(f"annotation {ann_id} stands twice")
        self._segmentations[ann_id] = segmentation
        self._objects.setdefault(image_id, []).append(ann_id)
        if category:
            self._classes[ann_id] = category

    def add_ref(self, ref: Referent) -> None:
        """A ref; its expressions without a word are left out and counted.

        Raises:
            WrongRowError: that ref id was there already, or it says what is no text.
        """
        if ref.ref_id in self._refs:
            raise WrongRowError(f"ref {ref.ref_id} stands twice")
        words = (ref.split, ref.category, *(e.text for e in ref.expressions))
        if not all(map(is_text, words)):
            raise WrongRowError(f"ref {ref.ref_id} holds half a character, which is no text")
        self.said += len(ref.expressions)
        said = tuple(e for e in ref.expressions if e.text)
        self.note("expressions without a word left out", len(ref.expressions) - len(said))
        self._refs[ref.ref_id] = ref if len(said) == len(ref.expressions) else _with(ref, said)

    def note(self, what: str, number: int = 1) -> None:
        """Count something that is left out or mended."""
        if number:
            self._notes[what] += number

    def notes(self) -> tuple[str, ...]:
        """What was left out or mended, a sentence each."""
        return tuple(f"{what}: {number:,}" for what, number in sorted(self._notes.items()))

    def annotations(self) -> Annotations:
        """Everything together.

        Raises:
            UserError: there is no ref, or refs point to what is not there, have no sentence or
                no polygon (exit 6).
        """
        refs = [self._refs[ref_id] for ref_id in sorted(self._refs)]
        if not refs:
            raise damaged(f"no ref in '{self.path.name}'", self.path)
        self._check(refs)
        used = {ref.image_id for ref in refs}
        objects = {i: tuple(self._objects.get(i, ())) for i in sorted(used)}
        self._count_thin(objects)
        sent_ids = Counter(e.sent_id for ref in refs for e in ref.expressions)
        twice = sum(number - 1 for number in sent_ids.values())
        self.note("expressions whose id another one has", twice)
        by_split: dict[str, list[Referent]] = {}
        for ref in refs:
            by_split.setdefault(ref.split, []).append(ref)
        return Annotations(
            images={image_id: self._images[image_id] for image_id in sorted(used)},
            segmentations={a: self._segmentations[a] for ids in objects.values() for a in ids},
            objects=objects,
            splits={name: tuple(by_split[name]) for name in sorted(by_split, key=_rank)},
            classes={
                a: self._classes[a] for ids in objects.values() for a in ids if a in self._classes
            },
        )

    def _check(self, refs: Sequence[Referent]) -> None:
        image_of = {a: i for i, ann_ids in self._objects.items() for a in ann_ids}
        checks: dict[str, Callable[[Referent], bool]] = {
            "point to images that are not there": lambda ref: ref.image_id not in self._images,
            "point to annotations that are not there": (
                lambda ref: any(a not in image_of for a in ref.ann_ids)
            ),
            "stand in another image than their annotation": (
                lambda ref: any(image_of[a] != ref.image_id for a in ref.ann_ids)
            ),
            "have polygons of fewer than three points only": (
                lambda ref: any(not _encloses(self._segmentations[a]) for a in ref.ann_ids)
            ),
            "have no sentence": lambda ref: not ref.expressions,
            "stand in no split": lambda ref: not ref.split,
        }
        for problem, is_wrong in checks.items():
            wrong = [ref.ref_id for ref in refs if is_wrong(ref)]
            if wrong:
                raise self._mismatch(problem, wrong, len(refs))

    def _mismatch(self, problem: str, wrong: list[int], total: int) -> UserError:
        first = ", ".join(str(ref_id) for ref_id in wrong[:5])
        return damaged(
            f"{len(wrong):,} of {total:,} refs in '{self.path.name}' {problem}",
            self.path,
            where=[
                *([f"with  {self._beside.absolute()}"] if self._beside else []),
                f"refs  {first}{', ...' if len(wrong) > 5 else ''}",
            ],
            fix=["take all files from the same release of the data set", FETCH_AGAIN],
        )

    def _count_thin(self, objects: dict[int, tuple[int, ...]]) -> None:
        kept = (self._segmentations[a] for ids in objects.values() for a in ids)
        lists = [s for s in kept if isinstance(s, list)]
        thin = sum(len(polygons) - len(drawable(polygons)) for polygons in lists)
        self.note("polygons of fewer than three points, which enclose nothing", thin)


def expressions(texts: Sequence[str], first_id: int) -> tuple[Expression, ...]:
    """Expressions of one ref where the shape has no sentence ids: numbered from ``first_id``."""
    return tuple(Expression(first_id + k, text.strip()) for k, text in enumerate(texts))


def size(row: Any) -> tuple[int, int]:  # noqa: ANN401
    """Height and width of an image in pixels.

    Raises:
        WrongRowError: one is missing, no whole number, not positive or far too large.
    """
    found = []
    for key in ("height", "width"):
        value = field(row, key, int, float)
        if not 0 < value <= 2**16 or value != int(value):
            raise WrongRowError(f"'{key}' is {value!r}, which is no number of pixels")
        found.append(int(value))
    height, width = found
    check_pixels(height, width)
    return height, width


def _with(ref: Referent, said: tuple[Expression, ...]) -> Referent:
    return Referent(ref.ref_id, ref.image_id, ref.ann_ids, ref.category, ref.split, said)


def _encloses(segmentation: Any) -> bool:  # noqa: ANN401
    return not isinstance(segmentation, list) or bool(drawable(segmentation))


def _told(entry: ImageEntry) -> str:
    return f"'{entry.file_name}' of {entry.width}x{entry.height}"


def _rank(name: str) -> tuple[int, str]:
    known = name in _SPLIT_ORDER
    return (_SPLIT_ORDER.index(name) if known else len(_SPLIT_ORDER), name)
