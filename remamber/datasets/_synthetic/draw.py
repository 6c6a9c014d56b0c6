"""Drawing: a scene becomes pixels, and from the same arrays the exact mask of every object."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from remamber.datasets._synthetic.scene import Scene, Thing

Grid = NDArray[np.float64]
Bits = NDArray[np.bool_]
Rgb = tuple[int, int, int]

PALETTE: Mapping[str, Rgb] = {
    "red": (215, 30, 35),
    "orange": (245, 130, 20),
    "yellow": (245, 215, 30),
    "green": (35, 150, 50),
    "blue": (30, 80, 215),
    "purple": (125, 40, 160),
    "pink": (250, 130, 190),
    "brown": (115, 65, 25),
    "white": (248, 248, 248),
    "black": (22, 22, 24),
}
_SKINS = ((238, 196, 160), (198, 148, 105), (140, 98, 68))
_TEXTURE_PERIOD = 0.0703125
_GROUND_DISTANCE = 90.0

BODY, HEAD, TORSO, LEGS, ARMS, HAT = range(1, 7)
"""Codes of the part map: things are all body; people have the other five."""


class Canvas(NamedTuple):
    """A drawn scene of side ``s``.

    Attributes:
        image: uint8 ``s s 3``.
        ids: int16 ``s s``; the object seen at a pixel, counted from 1 in painting order, or 0.
        parts: uint8 ``s s``; the part seen at a pixel.
        whole: pixels of each (object, part) if nothing stood in front of it.
    """

    image: NDArray[np.uint8]
    ids: NDArray[np.int16]
    parts: NDArray[np.uint8]
    whole: dict[tuple[int, int], int]


def paint(scene: Scene, *, side: int, noise: float) -> Canvas:
    """Draw a scene; later objects hide earlier ones.

    Args:
        scene: what to draw.
        side: height and width in pixels.
        noise: standard deviation of the pixel noise, in 1/255.
    """
    # Unlike a Generator's, the stream of RandomState is frozen (NumPy's NEP 19).
    random = np.random.RandomState(scene.ground_seed)
    pixels = _ground(random, scene, side=side)
    ids = np.zeros((side, side), np.int16)
    parts = np.zeros((side, side), np.uint8)
    whole: dict[tuple[int, int], int] = {}
    centres = (np.arange(side) + 0.5) / side
    for number, thing in enumerate(scene.things, start=1):
        rows, columns = (_reach(centres, middle, thing.r) for middle in (thing.y, thing.x))
        here = (rows, columns)
        u = (centres[None, columns] - thing.x) / thing.r
        v = (centres[rows, None] - thing.y) / thing.r
        drawn = np.zeros_like(parts[here])
        for code, shape in _shapes(thing, u, v):
            drawn[shape] = code
        seen = drawn > 0
        for code in np.unique(drawn[seen]).tolist():
            whole[number, code] = int((drawn == code).sum())
            pixels[here][drawn == code] = _part_color(thing, code)
        _shade(pixels[here], thing, seen, u, v)
        ids[here][seen], parts[here][seen] = number, drawn[seen]
    _draw_contacts(pixels, ids)
    pixels += random.standard_normal((side, side, 3)) * noise
    return Canvas(np.clip(np.rint(pixels), 0, 255).astype(np.uint8), ids, parts, whole)


def _reach(centres: Grid, middle: float, r: float) -> slice:
    """The pixels along an axis that an object may cover; a star's tips exceed its extent."""
    low, high = np.searchsorted(centres, (middle - 1.1 * r, middle + 1.1 * r))
    return slice(int(low), int(high))


def _shapes(thing: Thing, u: Grid, v: Grid) -> list[tuple[int, Bits]]:
    if thing.category == "person":
        return _person(thing, u, v)
    return [(BODY, _OUTLINES[thing.category](u, v))]


def _person(thing: Thing, u: Grid, v: Grid) -> list[tuple[int, Bits]]:
    side = np.abs(u)
    top, end = (-0.92, -0.18) if thing.looks["arms"] == "up" else (-0.42, 0.30)
    shapes = [
        (ARMS, (side >= 0.28) & (side <= 0.5) & (v >= top) & (v <= end)),
        (LEGS, (side >= 0.03) & (side <= 0.32) & (v > 0.25) & (v <= 1.0)),
        (TORSO, (side <= 0.34) & (v >= -0.42) & (v <= 0.28)),
        (HEAD, u * u + (v + 0.64) ** 2 <= 0.065),
    ]
    if thing.looks["hat"] != "none":
        crown = (side <= 0.22) & (v >= -1.0) & (v <= -0.74)
        brim = (side <= 0.36) & (v >= -0.80) & (v <= -0.66)
        shapes.append((HAT, crown | brim))
    return shapes


def _ball(u: Grid, v: Grid) -> Bits:
    return u * u + v * v <= 1.0


def _box(u: Grid, v: Grid) -> Bits:
    return (np.abs(u) <= 0.86) & (np.abs(v) <= 0.86)


def _cone(u: Grid, v: Grid) -> Bits:
    side = (v >= -1.0) & (v <= 0.72) & (np.abs(u) <= 0.9 * (v + 1.0) / 1.72)
    return side | ((u / 0.9) ** 2 + ((v - 0.72) / 0.28) ** 2 <= 1.0)


def _star(u: Grid, v: Grid) -> Bits:
    # Inside a pentagram lie the points on the inner side of at least four of its five lines.
    inner = np.zeros(np.broadcast_shapes(u.shape, v.shape), np.int8)
    for corner in range(5):
        angle = math.pi * (0.4 * corner - 0.5)
        inner += u * math.cos(angle) + v * math.sin(angle) <= 0.334
    return inner >= 4


def _ring(u: Grid, v: Grid) -> Bits:
    square = u * u + v * v
    return (square <= 1.0) & (square >= 0.27)


def _cross(u: Grid, v: Grid) -> Bits:
    a, b = np.abs(u), np.abs(v)
    return (np.minimum(a, b) <= 0.34) & (np.maximum(a, b) <= 1.0)


_OUTLINES = {
    "ball": _ball, "box": _box, "cone": _cone, "star": _star, "ring": _ring, "cross": _cross,
}  # fmt: skip


def _part_color(thing: Thing, code: int) -> Rgb:
    looks = thing.looks
    if code in (HEAD, ARMS):
        return _SKINS[thing.skin]
    name = {BODY: "color", TORSO: "shirt", LEGS: "trousers", HAT: "hat"}[code]
    return PALETTE[looks[name]]


def _shade(pixels: Grid, thing: Thing, mask: Bits, u: Grid, v: Grid) -> None:
    texture = thing.looks.get("texture", "plain")
    if texture != "plain":
        marks = mask & _TEXTURES[texture](u * thing.r, v * thing.r)
        # Marks are darker than their ground, but on black they must be lighter to be seen.
        pixels[marks] = 125.0 if thing.looks["color"] == "black" else pixels[marks] * 0.45
    light = np.broadcast_to(1.0 - 0.07 * (u + v), mask.shape)[..., None]
    pixels[mask] *= np.clip(light, 0.85, 1.1)[mask]


def _within(x: Grid, share: float) -> Bits:
    # Marks lie half a period off the centre, so that even a small object is mostly unmarked.
    phase: Grid = x / _TEXTURE_PERIOD
    return np.abs(phase - np.floor(phase) - 0.5) < share / 2


def _striped(x: Grid, y: Grid) -> Bits:
    return np.broadcast_to(_within(y, 0.36), np.broadcast_shapes(x.shape, y.shape))


def _dotted(x: Grid, y: Grid) -> Bits:
    return _within(x, 0.45) & _within(y, 0.45)


def _checked(x: Grid, y: Grid) -> Bits:
    # Four fields meet in the centre, so that both tones show on a narrow cross, too.
    shift = _TEXTURE_PERIOD / 4
    one = _within(x / 2 + shift, 0.46) & _within(y / 2 + shift, 0.46)
    other = _within(x / 2 - shift, 0.46) & _within(y / 2 - shift, 0.46)
    return one | other


_TEXTURES = {"striped": _striped, "dotted": _dotted, "checked": _checked}


def _ground(random: np.random.RandomState, scene: Scene, *, side: int) -> Grid:
    used = [PALETTE[c] for t in scene.things for c in t.looks.values() if c in PALETTE]
    color = _ground_color(random, np.array(used, np.float64))
    slope = (random.random_sample() - 0.5) * 40.0 * (np.arange(side) / side - 0.5)
    blocks = random.standard_normal((8, 8)) * 4.0
    where = np.arange(side) * 8 // side
    return color + slope[:, None, None] + blocks[where[:, None], where[None, :], None]


def _ground_color(random: np.random.RandomState, used: Grid) -> Grid:
    best, best_distance = np.zeros(3), -1.0
    for _ in range(64):
        color = 60.0 + 150.0 * random.random_sample() + 40.0 * (random.random_sample(3) - 0.5)
        distance = float(np.sqrt(((used - color) ** 2).sum(axis=1)).min())
        if distance > best_distance:
            best, best_distance = color, distance
        if distance >= _GROUND_DISTANCE:
            break
    return best


def _draw_contacts(pixels: Grid, ids: NDArray[np.int16]) -> None:
    """Darken the seam where one object hides another, so that equal colours stay apart."""
    seam = np.zeros(ids.shape, np.bool_)
    seam[1:] |= (ids[1:] != ids[:-1]) & (ids[1:] > 0) & (ids[:-1] > 0)
    seam[:, 1:] |= (ids[:, 1:] != ids[:, :-1]) & (ids[:, 1:] > 0) & (ids[:, :-1] > 0)
    pixels[seam] *= 0.75
