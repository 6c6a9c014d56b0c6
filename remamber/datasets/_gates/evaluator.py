"""Whether every expression, read as a string and looked up in the pixels, names its target."""

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

import numpy as np

from remamber.datasets import Referent
from remamber.datasets._gates.subject import Drawn, Subject
from remamber.datasets._synthetic.check import all_pointed_at
from remamber.datasets._synthetic.dice import Dice
from remamber.datasets._synthetic.draw import Canvas, paint
from remamber.datasets._synthetic.grammar import load_grammar
from remamber.datasets._synthetic.knobs import GENERATOR_VERSION, Knobs, SplitSize
from remamber.datasets._synthetic.measure import measure
from remamber.datasets._synthetic.scene import sample_scene

MOST_IMAGES = 300


class Reading(NamedTuple):
    """How many expressions were read, which of them name something else, and drawn anew how."""

    read: int
    wrong: tuple[tuple[str, str], ...]
    redrawn_otherwise: int


def read_expressions(subject: Subject) -> Reading | None:
    """Draw the tested split's images anew and read every expression on them.

    The masks come from the files, so that a target that is not the one drawn is found, too.

    Returns:
        None for data that are not generated, or by another version of the generator.
    """
    kept = subject.provenance
    if kept is None or kept["generator_version"] != GENERATOR_VERSION:
        return None
    knobs, grammar = knobs_of(kept["knobs"]), load_grammar(kept["style"])
    read, otherwise = 0, 0
    wrong: list[tuple[str, str]] = []
    for drawn, refs in _images(subject):
        canvas, same = _redrawn(subject, drawn, knobs, seed=kept["seed"])
        otherwise += not same
        kinds = [thing["category"] for thing in drawn.objects]
        seen = measure(canvas, kinds, people_scale=knobs.people_scale, boundary=knobs.size_boundary)
        ids = subject.dataset.object_ids(drawn.image_id)
        for ref in refs:
            named = frozenset(ids.index(i) for i in ref.ann_ids)
            for expression in ref.expressions:
                read += 1
                if all_pointed_at(expression.text, seen, grammar) != named:
                    wrong.append((expression.text, f"image {drawn.image_id} ref {ref.ref_id}"))
    return Reading(read, tuple(wrong), otherwise)


def knobs_of(kept: dict[str, object]) -> Knobs:
    """Knobs as ``synth.json`` holds them: lists where they were tuples."""
    plain = {k: tuple(v) if isinstance(v, list) else v for k, v in kept.items() if k != "splits"}
    rows: list[tuple[str, dict[str, int]]] = kept["splits"]  # type: ignore[assignment]
    splits = tuple((name, SplitSize(**size)) for name, size in rows)
    return Knobs(splits=splits, **plain)  # type: ignore[arg-type]


def _images(subject: Subject) -> Iterator[tuple[Drawn, list[Referent]]]:
    """At most so many images of the tested split, evenly spaced, with all their refs."""
    refs = sorted(subject.dataset.refs(subject.tested), key=lambda ref: ref.image_id)
    images = [(i, list(group)) for i, group in groupby(refs, key=lambda ref: ref.image_id)]
    chosen = images[:: max(1, -(-len(images) // MOST_IMAGES))]
    for done, (image_id, here) in enumerate(chosen, start=1):
        drawn = subject.scenes.get(image_id)
        if drawn is not None:
            yield drawn, here
        subject.on_progress("reading the expressions", done, len(chosen))


def _redrawn(subject: Subject, drawn: Drawn, knobs: Knobs, *, seed: int) -> tuple[Canvas, bool]:
    """The image drawn anew, with its map of parts, and whether masks and pixels are the same."""
    dice = Dice(f"{seed}/{drawn.split}/{drawn.index}/{drawn.attempt}")
    scene = sample_scene(dice, knobs, split=drawn.split)
    if scene is None:
        raise RuntimeError(f"image {drawn.image_id} cannot be drawn again")
    canvas = paint(scene, side=knobs.side, noise=knobs.noise)
    objects = subject.objects(drawn.image_id)
    ids = np.zeros_like(canvas.ids)
    for number, mask in enumerate(objects.masks, start=1):
        ids[mask] = number
    image = subject.dataset.image(drawn.image_id)
    same = np.array_equal(ids, canvas.ids) and np.array_equal(image, canvas.image)
    return canvas, bool(same)
