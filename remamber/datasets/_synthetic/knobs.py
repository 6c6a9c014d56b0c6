"""Every number that decides what the synthetic data look like, by preset, and their hash."""

import hashlib
import json
from dataclasses import asdict, dataclass

from remamber.datasets._synthetic.grammar import grammar_sha256

GENERATOR_VERSION = 2
"""Raised when the same knobs and seed give other pixels, masks or expressions than before."""

COLORS = (
    "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "white", "black",
)  # fmt: skip
THINGS = ("ball", "box", "cone", "star", "ring", "cross")
CATEGORIES = ("person", *THINGS)


@dataclass(frozen=True)
class SplitSize:
    """How many images a split has, and how many targets an image has at most."""

    images: int
    targets: int


@dataclass(frozen=True)
class Knobs:
    """The settings of one data set; lengths are fractions of the image side.

    Attributes:
        side: image height and width in pixels.
        splits: sizes by split name.
        objects: fewest and most objects of a scene.
        colors: names of the colours in use.
        textures: names of the surfaces of things in use.
        small: range of the half-extent of small objects.
        big: range of the half-extent of big objects.
        people_scale: how much larger people are than things.
        people: share of people among objects that copy no other.
        hard: chance that an object copies an earlier one but for one attribute.
        gap: least distance of two centres, in units of the sum of their half-extents.
        min_visible: least share of an object that no other hides.
        min_pixels: least number of visible pixels of an object at side 128.
        noise: standard deviation of the pixel noise, in 1/255.
        margin: least difference of two positions that decides between them.
        relations: share of expressions that are tried with a relation; None leaves the style's.
    """

    side: int
    splits: tuple[tuple[str, SplitSize], ...]
    objects: tuple[int, int] = (3, 7)
    colors: tuple[str, ...] = COLORS
    textures: tuple[str, ...] = ("plain", "striped", "dotted", "checked")
    small: tuple[float, float] = (0.10, 0.12)
    big: tuple[float, float] = (0.17, 0.205)
    people_scale: float = 1.0
    people: float = 0.2
    hard: float = 0.6
    gap: float = 0.62
    min_visible: float = 0.55
    min_pixels: float = 40.0
    noise: float = 5.0
    margin: float = 0.07
    relations: float | None = None

    @property
    def held_out(self) -> frozenset[tuple[str, str]]:
        """The (colour, category) pairs that appear in split testC only: one a category."""
        count = len(self.colors)
        return frozenset((self.colors[3 * i % count], thing) for i, thing in enumerate(THINGS))

    @property
    def size_boundary(self) -> float:
        """Half-extent from which an object is big: above small ones, below big ones half hidden."""
        return 1.125 * self.small[1]


PRESETS = {
    "quick": Knobs(
        side=64,
        splits=(
            ("train", SplitSize(1200, 3)),
            ("val", SplitSize(300, 2)),
            ("testA", SplitSize(150, 2)),
            ("testB", SplitSize(150, 2)),
            ("testC", SplitSize(100, 2)),
        ),
        colors=("red", "yellow", "green", "blue", "purple", "pink", "white", "black"),
        textures=("plain", "striped"),
        people_scale=1.3,
    ),
    "default": Knobs(
        side=128,
        splits=(
            ("train", SplitSize(4000, 3)),
            ("val", SplitSize(500, 3)),
            ("testA", SplitSize(250, 3)),
            ("testB", SplitSize(250, 3)),
            ("testC", SplitSize(250, 3)),
        ),
    ),
    # As many images as RefCOCO's splits by UNC have.
    "paper-shaped": Knobs(
        side=256,
        splits=(
            ("train", SplitSize(16994, 3)),
            ("val", SplitSize(1500, 3)),
            ("testA", SplitSize(750, 3)),
            ("testB", SplitSize(750, 3)),
        ),
    ),
}


@dataclass(frozen=True)
class Recipe:
    """What fixes a data set to the last pixel: the style of its language, knobs and seed.

    ``preset`` and ``difficulty`` are where the knobs come from, for those who read of it.
    """

    style: str
    preset: str
    seed: int
    knobs: Knobs
    difficulty: str = "default"

    def settings(self) -> dict[str, object]:
        """All of it as plain data, with the versions of generator and grammar."""
        knobs = asdict(self.knobs)
        if knobs["relations"] is None:
            # Came later: data that do not use it keep their fingerprint.
            del knobs["relations"]
        return {
            "generator_version": GENERATOR_VERSION,
            "grammar_sha256": grammar_sha256(self.style),
            "style": self.style,
            "seed": self.seed,
            "knobs": knobs,
        }

    @property
    def fingerprint(self) -> str:
        """sha256 (hexadecimal) of the settings: known before anything is generated."""
        text = json.dumps(self.settings(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def folder(self) -> str:
        """Name of the folder that holds the data."""
        scale = [self.preset] if self.difficulty == "default" else [self.preset, self.difficulty]
        return "-".join([self.style, *scale, f"s{self.seed}", self.fingerprint[:8]])
