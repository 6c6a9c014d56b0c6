"""The maps that one run left: how well they find the target by depth, and those that are shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from remamber.plan.look import AttentionSpec
from remamber.record.schema import Record
from remamber.table.distribution import Told
from remamber.table.resample import DRAWS, generator_for, resampled_images

Floats = NDArray[np.float64]

AREA, AMONG_AREA = "area", "among_area"
SCORES = ("energy", "among", "pointing", "rank")
BEST = "best"


class Shown(NamedTuple):
    """One expression whose maps were kept.

    Attributes:
        image: content of a PNG or JPEG file.
        target: bool ``h w`` at the image's size.
        words: of which maps were kept; the first stands for all tokens.
        density: stage -> words by rows by columns, 1 where a map is as if evenly spread.
        energy: stage -> of each word, the share inside the target.
    """

    image_id: int
    ref_id: int
    sent_id: int
    text: str
    image: bytes
    target: NDArray[np.bool_]
    words: tuple[str, ...]
    density: Mapping[int, Floats]
    energy: Mapping[int, Floats]


@dataclass(frozen=True, kw_only=True)
class Maps:
    """One run: the maps of trained weights, or of the same model before its training."""

    record: Record
    arrays: Mapping[str, NDArray[Any]] = field(repr=False)

    @property
    def wish(self) -> AttentionSpec:
        """What was asked."""
        return self.record.spec.attention or AttentionSpec()

    @cached_property
    def places(self) -> dict[str, int]:
        """Places that have maps, and the stage of each."""
        names, stages = self.arrays["places"], self.arrays["stages"]
        return {str(n): int(s) for n, s in zip(names, stages, strict=True)}

    @cached_property
    def stages(self) -> tuple[int, ...]:
        """Depths, in order."""
        return tuple(dict.fromkeys(self.places.values()))

    @cached_property
    def readings(self) -> tuple[str, ...]:
        """All tokens, then kinds of words."""
        return tuple(map(str, self.arrays["readings"]))

    @cached_property
    def measured(self) -> NDArray[np.bool_]:
        """The expressions that have a target and a map."""
        first = self.arrays[f"energy/{next(iter(self.places))}"][:, 0]
        found: NDArray[np.bool_] = (self.arrays[AREA] > 0) & np.isfinite(first)
        return found

    @cached_property
    def images(self) -> int:
        """Images of the measured expressions."""
        return len(np.unique(self.arrays["image_id"][self.measured]))

    @cached_property
    def _times(self) -> Floats | None:
        """How often each image was drawn in each resample; None of one image."""
        if self.images < 2:
            return None
        generator = generator_for(self.wish.split)
        return resampled_images(self.images, draws=DRAWS, generator=generator)

    def key(self) -> tuple[bytes, ...]:
        """What two runs have in common that measured the same expressions."""
        names = ("image_id", "ref_id", "sent_id")
        return tuple(self.arrays[name][self.measured].tobytes() for name in names)

    def told(self, score: str, stage: int | None = None, reading: str = "all") -> Told | None:
        """A score's mean over the measured expressions; None if no expression has it.

        Args:
            score: one of ``SCORES``, ``best``, ``area`` or ``among_area``.
            stage: the depth, whose layers are averaged; None for the mean over all stages.
            reading: of which tokens; other than "all" for the energy only.
        """
        return self._mean(self._values(score, stage, reading))

    def at_place(self, score: str, place: str) -> Told | None:
        """A score's mean at one layer of a stage."""
        return self._mean(self._at(score, place, "all"))

    def beyond_area(self, stage: int | None, reading: str) -> Told | None:
        """Energy less the target's share of the image, over the same expressions."""
        return self._mean(self._values("energy", stage, reading) - self._area())

    def count(self, reading: str) -> int:
        """Measured expressions that have such words."""
        values = self._values("energy", self.stages[0], reading)
        return int(np.isfinite(values[self.measured]).sum())

    def _values(self, score: str, stage: int | None, reading: str) -> Floats:
        if score in (AREA, AMONG_AREA):
            return self.arrays[score].astype(np.float64)
        stages = self.stages if stage is None else (stage,)
        if not set(stages) <= set(self.stages):
            return np.full_like(self._area(), np.nan)
        of_stages = [
            np.mean([self._at(score, p, reading) for p, s in self.places.items() if s == one], 0)
            for one in stages
        ]
        found: Floats = np.mean(of_stages, axis=0)
        return found

    def _at(self, score: str, place: str, reading: str) -> Floats:
        values: Floats = self.arrays[f"{score}/{place}"].astype(np.float64)
        return values[:, self.readings.index(reading)] if values.ndim == 2 else values

    def _area(self) -> Floats:
        area: Floats = self.arrays[AREA].astype(np.float64)
        return area

    def _mean(self, of_all: Floats) -> Told | None:
        """The mean over the measured expressions, and over them in every resample of images."""
        values = of_all[self.measured]
        known = np.isfinite(values)
        if not known.any():
            return None
        _, place = np.unique(self.arrays["image_id"][self.measured], return_inverse=True)
        sums = np.bincount(place, np.where(known, values, 0.0), minlength=self.images)
        counts = np.bincount(place, known.astype(np.float64), minlength=self.images)
        draws = None
        if self._times is not None:
            drawn = self._times @ counts
            missing = np.full_like(drawn, np.nan)
            draws = np.divide(self._times @ sums, drawn, out=missing, where=drawn > 0)
        return Told.of(float(sums.sum() / counts.sum()), draws)

    @cached_property
    def shown(self) -> tuple[Shown, ...]:
        """The expressions whose maps were kept, in their order."""
        numbers = sorted({int(n.split("/")[1]) for n in self.arrays if n.startswith("shown/")})
        return tuple(self._shown(number) for number in numbers)

    def _shown(self, number: int) -> Shown:
        own = {n.split("/", 2)[2]: a for n, a in self.arrays.items() if _is_of(n, number)}
        height, width = own["shape"].tolist()
        target = np.unpackbits(own["target"], count=height * width).reshape(height, width)
        image_id, ref_id, sent_id = own["ids"].tolist()
        return Shown(
            image_id=image_id,
            ref_id=ref_id,
            sent_id=sent_id,
            text=str(own["text"]),
            image=own["image"].tobytes(),
            target=target.astype(np.bool_),
            words=tuple(map(str, own["words"])),
            density={stage: self._of_stage(own, "density", stage) for stage in self.stages},
            energy={stage: self._of_stage(own, "energy", stage) for stage in self.stages},
        )

    def _of_stage(self, own: Mapping[str, NDArray[Any]], name: str, stage: int) -> Floats:
        layers = [own[f"{name}/{place}"] for place, s in self.places.items() if s == stage]
        found: Floats = np.mean([layer.astype(np.float64) for layer in layers], axis=0)
        return found


def _is_of(name: str, number: int) -> bool:
    return name.startswith(f"shown/{number}/")
