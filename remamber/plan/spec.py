"""The run spec: everything that decides a run's numbers, and nothing else.

Frozen pydantic models with strict keys. Two specs are the same run exactly if their canonical
JSON is equal; its hash names the run's folder. Paths, launchers and verbosity are not in here.
"""

import hashlib
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from remamber.plan.alterations import (
    DIRECTION_BITS,
    Direction,
    PaddingChange,
    ScanPlace,
    TextChange,
)
from remamber.plan.canonical import canonical_text
from remamber.plan.look import AttentionSpec, DistributionSpec, MasksSpec, ReceptiveSpec
from remamber.plan.model_spec import (
    FusionSpec,
    ModelSpec,
    Positive,
    Size,
    StartSpec,
    Strict,
    TextSpec,
    changed,
)
from remamber.plan.protocols import DEFAULT, PROTOCOLS
from remamber.plan.speed import SpeedSpec

__all__ = [
    "AttentionSpec",
    "DataSpec",
    "DistributionSpec",
    "EvaluateSpec",
    "FusionSpec",
    "KernelsSpec",
    "MasksSpec",
    "ModelSpec",
    "Positive",
    "ReceptiveSpec",
    "RunSpec",
    "Size",
    "SpeedSpec",
    "StartSpec",
    "Strict",
    "TextSpec",
    "TrainSpec",
    "WeightsSpec",
    "changed",
]

SPEC_VERSION = 1
"""Raised when the meaning of a field changes, so that old runs are not taken for new ones."""

ADDED: dict[tuple[str, ...], Any] = {
    ("kernels",): None,
    ("speed",): None,
    ("flops",): None,
    ("distribution",): None,
    ("attention",): None,
    ("masks",): None,
    ("receptive",): None,
    ("model", "start"): None,
    ("model", "text", "fingerprint"): "",
    ("model", "fusion", "channel_scan"): "two-way",
    ("model", "fusion", "spatial_scan"): "selective",
    ("model", "fusion", "options"): {},
    ("model", "scan_directions"): "four",
    ("model", "backbone"): "vmamba",
    ("data", "difficulty"): "default",
    ("data", "side"): None,
    ("train", "loss"): "dice-bce",
    ("train", "no_decay"): (),
    ("train", "text_layers"): None,
    ("weights",): None,
    ("evaluate", "limit"): None,
    ("evaluate", "text"): "as-is",
    ("evaluate", "padding"): "as-is",
    ("evaluate", "knock_out"): (),
    ("evaluate", "knock_out_in"): "model",
    ("evaluate", "count_changed"): False,
}
"""Fields added after the first records, and their defaults: who leaves them so keeps its hash."""


class DataSpec(Strict):
    """A data set, the splits to train on and to score, and how an image becomes a tensor.

    ``preset`` (quick without one), ``difficulty``, ``seed`` and ``side`` (of the images in
    pixels, the preset's without one) make a generated data set; others do not read them.
    """

    name: str = "synth-refcoco"
    preset: Literal["quick", "default", "paper-shaped"] | None = None
    difficulty: Literal["easy", "default", "hard"] = "default"
    side: Annotated[int, Field(ge=32, le=1024)] | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    split_by: str | None = None
    image_size: Annotated[int, Field(ge=32, multiple_of=32)] = 64
    train_split: str = "train"
    splits: tuple[str, ...] = ("val", "testA", "testB")
    mask_rule: Literal["union", "eq1"] = "union"
    fingerprint: str = ""


class TrainSpec(Strict):
    """Length, batch, loss and optimiser. Exactly one of ``steps`` and ``epochs`` is set.

    ``no_decay`` names, by parts of their names, the image encoder's parameters that do not
    decay; of the text encoder only the first ``text_layers`` layers are trained, without a
    number all and the embeddings too. Both are LAVT's, as are the losses called so and ``poly``.
    """

    steps: Positive | None = None
    epochs: Positive | None = None
    batch: Positive = 32
    lr: Annotated[float, Field(gt=0)] = 5e-5
    lr_pretrained: Annotated[float, Field(gt=0)] = 2.5e-5
    lr_min: Annotated[float, Field(ge=0)] = 1e-6
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    schedule: Literal["cosine-step", "cosine-epoch", "poly"] = "cosine-step"
    loss: Literal["dice-bce", "lavt", "lavt-dice"] = "dice-bce"
    no_decay: tuple[str, ...] = ()
    text_layers: Positive | None = None
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    clip_norm: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _one_length(self) -> "TrainSpec":
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("set exactly one of steps and epochs")
        return self


class EvaluateSpec(Strict):
    """How a prediction is scored; the protocol stands in every row of every table.

    Tables show the first of ``protocols``; the counts of the others are kept beside it.
    ``limit`` scores that many expressions of each split, evenly spaced: a quick look.

    ``text``, ``padding`` and ``knock_out`` disturb a trained model while it is scored: see
    ``alterations``. ``knock_out`` are the directions silenced in the spatial scans of
    ``knock_out_in``. ``count_changed`` counts the pixels in which each mask differs from the
    undisturbed model's, at the price of a second pass.
    """

    protocols: Annotated[tuple[str, ...], Field(min_length=1)] = (DEFAULT,)
    batch: Positive = 64
    shuffled_text: bool = False
    limit: Positive | None = None
    text: TextChange = "as-is"
    padding: PaddingChange = "as-is"
    knock_out: tuple[Direction, ...] = ()
    knock_out_in: ScanPlace = "model"
    count_changed: bool = False

    @model_validator(mode="before")
    @classmethod
    def _as_of_old(cls, given: object) -> object:
        """Records of before there were several protocols name one, as ``protocol``."""
        if not isinstance(given, dict):
            return given
        named = given.get("protocols", given.get("protocol", (DEFAULT,)))
        rest = {k: v for k, v in given.items() if k != "protocol"}
        return {**rest, "protocols": (named,) if isinstance(named, str) else named}

    @field_validator("protocols")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        lost = [name for name in names if name not in PROTOCOLS]
        if lost:
            raise ValueError(f"unknown protocol '{lost[0]}'; known are {', '.join(PROTOCOLS)}")
        if len(set(names)) < len(names):
            raise ValueError("a protocol is named twice")
        return names

    @field_validator("knock_out")
    @classmethod
    def _in_order(cls, directions: tuple[Direction, ...]) -> tuple[Direction, ...]:
        return tuple(way for way in DIRECTION_BITS if way in directions)

    def alterations(self) -> list[str]:
        """How the model is disturbed, in the words of a run's name; empty if it is not."""
        where = [] if self.knock_out_in == "model" else [f"in-{self.knock_out_in}"]
        silent = ["without", *self.knock_out, *where] if self.knock_out else []
        padding = ["padding", self.padding] if self.padding != "as-is" else []
        return [*([self.text] if self.text != "as-is" else []), *padding, *silent]

    @property
    def protocol(self) -> str:
        """The protocol that tables show."""
        return self.protocols[0]


class WeightsSpec(Strict):
    """Weights that are evaluated as they are: what the file holds, and its sha256."""

    holds: Literal["model", "released"]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class KernelsSpec(Strict):
    """Which scan is timed, where, and how long.

    ``cell_s`` is the time that one implementation may take for one pass, all its calls together;
    what needs longer for a single call is not run. ``threads``, ``machine`` and ``code`` (hashes
    of what the times depend on) are filled in before the run, so that no time is reused on
    another machine or for another kernel.
    """

    case: str = "s1_256"
    device: Literal["cpu", "cuda"] = "cpu"
    cell_s: Annotated[float, Field(gt=0)] = 4.0
    rounds: Annotated[int, Field(ge=2)] = 20
    threads: Positive | None = None
    machine: str = ""
    code: str = ""


class FlopsSpec(Strict):
    """Which code was counted: a hash of what the count depends on, filled in before the run."""

    code: str = ""


class RunSpec(Strict):
    """One run: a kind of measurement on a model and data, from a seed."""

    task: str = "train"
    seed: Annotated[int, Field(ge=0)] = 0
    model: ModelSpec = ModelSpec()
    data: DataSpec = DataSpec()
    train: TrainSpec | None = None
    evaluate: EvaluateSpec = EvaluateSpec()
    weights: WeightsSpec | None = None
    kernels: KernelsSpec | None = None
    speed: SpeedSpec | None = None
    flops: FlopsSpec | None = None
    distribution: DistributionSpec | None = None
    attention: AttentionSpec | None = None
    masks: MasksSpec | None = None
    receptive: ReceptiveSpec | None = None
    scan_backend: Literal["auto", "triton", "mamba-ssm", "cpu", "reference"] = "auto"

    def canonical(self) -> str:
        """The spec as JSON with sorted keys and no spaces, defaults (but ``ADDED``) included."""
        content: dict[str, Any] = {"spec_version": SPEC_VERSION, **self.model_dump(mode="json")}
        return canonical_text(content, added=ADDED)

    @property
    def digest(self) -> str:
        """sha256 of the canonical spec, in hexadecimal."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    @property
    def run_id(self) -> str:
        """Folder name of the run: readable words, then eight digits of the hash."""
        if self.speed is not None:
            return f"{self.task}-{self.speed.words()}-{self.digest[:8]}"
        if self.kernels is not None:
            case = f"{self.task}-{self.kernels.case}-{self.kernels.device}"
            return f"{case}-t{self.kernels.threads or 0}-{self.digest[:8]}"
        words = [self.task, self.data.name, str(self.data.image_size)]
        if self.task == "flops":
            words[1:2] = self.model.words()
        if self.task == "train":
            words[:1] = self.model.words()
            words.append(f"s{self.seed}")
        if self.weights is not None:
            words += [*self.evaluate.alterations(), f"w{self.weights.sha256[:8]}"]
        return f"{'-'.join(words)}-{self.digest[:8]}"
