"""Whether the training split gives away what other splits ask for."""

from collections import defaultdict
from typing import NamedTuple

from remamber.datasets._gates.subject import Subject

HELD_OUT = "testC"


class Leakage(NamedTuple):
    """Images that the training split shares with others, and held-out pairs that it shows.

    Attributes:
        shared: other split -> images that are in both, by id or by content.
        pairs: (colour, category) pairs of split testC's targets that training images show;
            None where there is no such split or the data are not generated.
    """

    shared: dict[str, int]
    pairs: tuple[tuple[str, str], ...] | None


def find_leakage(subject: Subject, contents: dict[int, str]) -> Leakage:
    """Compare the splits.

    Args:
        subject: the data set.
        contents: hash of the pixels by image id, for those images that could be read.
    """
    images = {
        split: {ref.image_id for ref in subject.dataset.refs(split)}
        for split in subject.dataset.splits()
    }
    hashes: dict[str, set[str]] = defaultdict(set)
    for split, ids in images.items():
        hashes[split] = {contents[i] for i in ids if i in contents}
    train = images.get(subject.train, set())
    shared = {}
    for split, ids in images.items():
        if split == subject.train:
            continue
        same = {i for i in ids if i in train or contents.get(i) in hashes[subject.train]}
        if same:
            shared[split] = len(same)
    return Leakage(shared, _held_out_in_train(subject))


def _held_out_in_train(subject: Subject) -> tuple[tuple[str, str], ...] | None:
    if HELD_OUT not in subject.dataset.splits() or not subject.scenes:
        return None
    held_out: set[tuple[str, str]] = set()
    for ref in subject.dataset.refs(HELD_OUT):
        drawn = subject.scenes[ref.image_id]
        ids = subject.dataset.object_ids(ref.image_id)
        for ann_id in ref.ann_ids:
            look = drawn.objects[ids.index(ann_id)]
            held_out.add((look.get("color", ""), look["category"]))
    trained = {ref.image_id for ref in subject.dataset.refs(subject.train)}
    shown = {
        (look.get("color", ""), look["category"])
        for image_id in trained
        for look in subject.scenes[image_id].objects
    }
    return tuple(sorted(held_out & shown))
