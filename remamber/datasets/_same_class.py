"""How many other objects of a target's class stand in its image: the choice that words must make.

Only files that list every object of an image, as COCO's ``instances.json`` does, can tell.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, runtime_checkable

from remamber.datasets import Referent

NOT_KNOWN = -1


@runtime_checkable
class KnowsClasses(Protocol):
    """A data set that may know the class of every object of an image."""

    def same_class(self, ref: Referent) -> int:
        """Other objects of the target's class in its image; -1 where that is not known."""


def others_of_class(
    objects: Sequence[int], classes: Mapping[int, str], *, targets: Collection[int]
) -> int:
    """How many objects are none of the targets and of the class of one of them.

    Args:
        objects: annotation ids of all objects of an image.
        classes: class by annotation id.
        targets: annotation ids of the targets.

    Returns:
        -1 if there is no target, or an object's class is not known.
    """
    if not targets or not all(classes.get(i) for i in objects):
        return NOT_KNOWN
    wanted = {classes[i] for i in targets}
    return sum(classes[i] in wanted for i in objects if i not in targets)
