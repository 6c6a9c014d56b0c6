"""Runs of ``attention`` that never were: maps whose scores are as told, by depth."""

import io
from hashlib import sha256

import numpy as np
from PIL import Image
from simulated_study import ENVIRONMENT

from remamber.plan.spec import RunSpec
from remamber.plan.study import StudyRuns
from remamber.record.schema import Record

AREA = 0.1
READINGS = ("all", "noun", "location")


def maps_spec(row, *, trained, seed=0, **wish):
    model = {"name": "lavt"} if row == "lavt" else {"fusion": {"name": row}}
    return RunSpec.model_validate(
        {
            "task": "attention",
            "seed": seed,
            "model": model,
            "data": {"name": "synth-refcoco", "fingerprint": "f00d" * 4, "splits": ["val"]},
            "weights": {"holds": "model", "sha256": sha256(f"{row} {seed}".encode()).hexdigest()},
            "attention": {"trained": trained, **wish},
        }
    )


def maps_arrays(energies, *, images=30, layers=1, shown=2, words=("red", "cup"), side=16):
    """``energies`` of the stages are the means, spread by image; two expressions an image."""
    n = 2 * images
    noise = np.repeat(np.random.default_rng(5).normal(0, 0.02, images), 2)
    names = [
        f"stage {stage}" + (f" layer {layer}" if layers > 1 else "")
        for stage in range(1, len(energies) + 1)
        for layer in range(1, layers + 1)
    ]
    stages = np.repeat(np.arange(1, len(energies) + 1), layers)
    arrays = {
        "image_id": np.repeat(np.arange(images), 2),
        "ref_id": np.arange(n) // 2,
        "sent_id": np.arange(n),
        "area": np.full(n, AREA),
        "among_area": np.full(n, 2 * AREA),
        "places": np.array(names),
        "stages": stages,
        "readings": np.array(READINGS),
    }
    for name, stage in zip(names, stages, strict=True):
        energy = energies[stage - 1] + noise - noise.mean()
        no_location = np.where(np.arange(n) % 4 == 0, energy, np.nan)
        arrays[f"energy/{name}"] = np.stack([energy, energy + 0.01, no_location], axis=1)
        arrays[f"pointing/{name}"] = energy + 0.05
        arrays[f"rank/{name}"] = energy + 0.4
        arrays[f"among/{name}"] = 2 * energy
        arrays[f"best/{name}"] = np.full(n, 1 - 0.2 * stage)
    for number in range(shown):
        arrays |= _shown(number, dict(zip(names, stages, strict=True)), words, side)
    return arrays


def _shown(number, places, words, side):
    image = Image.fromarray(np.full((48, 64, 3), 90, dtype=np.uint8))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    target = np.zeros((48, 64), dtype=bool)
    target[10:30, 20:50] = True
    generator = np.random.default_rng(number)
    found = {
        "image": np.frombuffer(stream.getvalue(), dtype=np.uint8),
        "shape": np.array(target.shape),
        "target": np.packbits(target),
        "text": np.array(f"the {' '.join(words)} {number}"),
        "ids": np.array([number, number, 2 * number]),
        "words": np.array(["all", *words]),
    }
    for place, stage in places.items():
        cells = max(1, side // 2 ** (stage - 1))
        density = generator.exponential(size=(1 + len(words), cells, cells))
        found[f"density/{place}"] = density / density.mean(axis=(1, 2), keepdims=True)
        found[f"energy/{place}"] = generator.uniform(size=1 + len(words))
    return {f"shown/{number}/{name}": array for name, array in found.items()}


class SimulatedMaps:
    """A source of such records."""

    def __init__(self, folder):
        self.folder, self.found = folder, []
        self.rows, self.trained = {}, {}

    def add(self, row, energies, *, trained=True, seed=0, status="ok", wish=None, **more):
        spec = maps_spec(row, trained=trained, seed=seed, **(wish or {}))
        if status == "ok":
            np.savez(self.folder / f"{spec.run_id}.npz", **maps_arrays(energies, **more))
        self.found.append(
            Record(
                run_id=spec.run_id,
                digest=spec.digest,
                spec=spec,
                status=status,
                command="remamber-bench attention",
                started="2024-07-09T10:00:00Z",
                finished="2024-07-09T10:00:09Z",
                wall_s=9.0,
                environment=ENVIRONMENT,
                data={"name": "synth-refcoco", "val expressions": 60, "val images": 30},
                arrays="arrays.npz" if status == "ok" else None,
            )
        )
        self.rows[spec.run_id] = f"{row} {'trained' if trained else 'not-trained'}"
        self.trained[spec.run_id] = row
        return self

    @property
    def runs(self):
        ids = tuple(record.run_id for record in self.found)
        return StudyRuns(
            study="attention",
            profile="quick",
            run_ids=ids,
            rows=self.rows,
            trained=self.trained,
        )

    def records(self):
        return self.found

    def arrays_path(self, record):
        return self.folder / f"{record.run_id}.npz"

    def counts_path(self, record):
        return None

    def noise(self, machine):
        return None
