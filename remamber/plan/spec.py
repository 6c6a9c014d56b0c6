"""The run spec: everything that decides a run's numbers, and nothing else.

Frozen pydantic models with strict keys. Two specs are the same run exactly if their canonical
JSON is equal; its hash names the run's folder. Paths, launchers and verbosity are not in here.
"""

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

SPEC_VERSION = 1
"""Raised when the meaning of a field changes, so that old runs are not taken for new ones."""

Positive = Annotated[int, Field(gt=0)]
Size = Literal["tiny", "small", "base"]


class Strict(BaseModel):
    """A frozen model that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FusionSpec(Strict):
    """Which fusion variant, and for the Twister which cube and scan ordering (Tab. 1, 3, 4)."""

    name: str = "twister"
    scan_order: str = "channel-spatial"
    cube: Literal["image-global-local", "image-global", "image-local"] = "image-global-local"
    depth: Positive = 2


class TextSpec(Strict):
    """Which text encoder and how many tokens an expression may have."""

    name: Literal["word"] = "word"
    length: Annotated[int, Field(ge=3, le=77)] = 20


class ModelSpec(Strict):
    """A model by name and size, and its exchangeable parts."""

    name: str = "remamber"
    size: Size = "tiny"
    decoder: Literal["conv"] = "conv"
    fusion: FusionSpec = FusionSpec()
    text: TextSpec = TextSpec()
    release: bool = False


class DataSpec(Strict):
    """A data set, the splits to train on and to score, and how an image becomes a tensor."""

    name: str = "synth-refcoco"
    preset: Literal["quick", "default"] | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    split_by: str | None = None
    image_size: Annotated[int, Field(ge=32, multiple_of=32)] = 64
    train_split: str = "train"
    splits: tuple[str, ...] = ("val", "testA", "testB")
    mask_rule: Literal["union", "eq1"] = "union"
    fingerprint: str = ""


class TrainSpec(Strict):
    """Length, batch and optimiser. Exactly one of ``steps`` and ``epochs`` is set."""

    steps: Positive | None = None
    epochs: Positive | None = None
    batch: Positive = 32
    lr: Annotated[float, Field(gt=0)] = 5e-5
    lr_pretrained: Annotated[float, Field(gt=0)] = 2.5e-5
    lr_min: Annotated[float, Field(ge=0)] = 1e-6
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    schedule: Literal["cosine-step", "cosine-epoch"] = "cosine-step"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    clip_norm: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _one_length(self) -> "TrainSpec":
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("set exactly one of steps and epochs")
        return self


class EvaluateSpec(Strict):
    """How a prediction is scored; the protocol stands in every row of every table."""

    protocol: Literal["orig-bilinear-0.5"] = "orig-bilinear-0.5"
    batch: Positive = 64
    shuffled_text: bool = False


class RunSpec(Strict):
    """One run: a kind of measurement on a model and data, from a seed."""

    task: str = "train"
    seed: Annotated[int, Field(ge=0)] = 0
    model: ModelSpec = ModelSpec()
    data: DataSpec = DataSpec()
    train: TrainSpec | None = None
    evaluate: EvaluateSpec = EvaluateSpec()
    scan_backend: Literal["auto", "reference", "cpu"] = "auto"

    def canonical(self) -> str:
        """The spec as JSON with sorted keys and no spaces, defaults included."""
        content: dict[str, Any] = {"spec_version": SPEC_VERSION, **self.model_dump(mode="json")}
        return json.dumps(content, sort_keys=True, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """sha256 of the canonical spec, in hexadecimal."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    @property
    def run_id(self) -> str:
        """Folder name of the run: readable words, then eight digits of the hash."""
        words = [self.task, self.data.name, str(self.data.image_size)]
        if self.task == "train":
            fusion = self.model.fusion
            words[:1] = [self.model.name, self.model.size, fusion.name, fusion.scan_order]
            words.append(f"s{self.seed}")
        return f"{'-'.join(words)}-{self.digest[:8]}"
