"""What can be seen of a drawn scene: attributes that are not hidden, centres of what is visible."""

import numpy as np

from remamber.datasets._synthetic.draw import ARMS, HAT, HEAD, LEGS, TORSO, Canvas
from remamber.datasets._synthetic.knobs import Knobs
from remamber.datasets._synthetic.logic import View
from remamber.datasets._synthetic.scene import Scene, Thing

_SIZE_NEEDS = 0.75
_PART_NEEDS = 0.5
_PART_PIXELS = 4
_SHOWN_BY = {"shirt": TORSO, "trousers": LEGS, "arms": ARMS}


def visible_share(canvas: Canvas, number: int) -> float:
    """Share of an object's pixels that nothing hides."""
    whole = sum(n for (owner, _), n in canvas.whole.items() if owner == number)
    return int((canvas.ids == number).sum()) / max(whole, 1)


def all_visible(canvas: Canvas, knobs: Knobs) -> bool:
    """Whether every object shows enough of itself."""
    side = canvas.ids.shape[0]
    fewest = knobs.min_pixels * (side / 128) ** 2
    numbers = {owner for owner, _ in canvas.whole}
    return all(
        (canvas.ids == number).sum() >= fewest
        and visible_share(canvas, number) >= knobs.min_visible
        for number in numbers
    )


def look_at(scene: Scene, canvas: Canvas) -> list[View]:
    """One view an object, in painting order; attributes that are hidden become None."""
    return [_view(thing, canvas, number) for number, thing in enumerate(scene.things, start=1)]


def _view(thing: Thing, canvas: Canvas, number: int) -> View:
    rows, columns = np.nonzero(canvas.ids == number)
    side = canvas.ids.shape[0]
    looks = {
        name: value if _shows(name, value, canvas, number) else None
        for name, value in thing.looks.items()
    }
    x, y = (float(where.mean() + 0.5) / side for where in (columns, rows))
    return View(thing.category, looks, x, y)


def _shows(name: str, value: str, canvas: Canvas, number: int) -> bool:
    if name == "size":
        return visible_share(canvas, number) >= _SIZE_NEEDS
    if name == "hat":
        return _part_shows(canvas, number, HEAD if value == "none" else HAT)
    return name not in _SHOWN_BY or _part_shows(canvas, number, _SHOWN_BY[name])


def _part_shows(canvas: Canvas, number: int, part: int) -> bool:
    seen = int(((canvas.ids == number) & (canvas.parts == part)).sum())
    return seen >= max(_PART_PIXELS, _PART_NEEDS * canvas.whole.get((number, part), 0))
