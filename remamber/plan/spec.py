"""The run spec: everything that decides a run's numbers, and nothing else.

Frozen pydantic models with strict keys. Two specs are the same run exactly if their canonical
JSON is equal; its hash names the run's folder. Paths, launchers and verbosity are not in here.
"""

import functools
import hashlib
import json
import operator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

SPEC_VERSION = 1
"""Raised when the meaning of a field changes, so that old runs are not taken for new ones."""

ADDED: dict[tuple[str, ...], str | None] = {
    ("kernels",): None,
    ("model", "start"): None,
    ("model", "text", "fingerprint"): "",
    ("model", "fusion", "channel_scan"): "two-way",
    ("model", "fusion", "spatial_scan"): "selective",
    ("model", "scan_directions"): "four",
    ("model", "backbone"): "vmamba",
}
"""Fields added after the first records, and their defaults: who leaves them so keeps its hash."""

Positive = Annotated[int, Field(gt=0)]
Size = Literal["tiny", "small", "base"]


class Strict(BaseModel):
    """A frozen model that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def changed(spec: Strict, *fields: str) -> list[str]:
    """Values of those of a spec's fields that are not as by default."""
    defaults = type(spec).model_fields
    return [str(v) for f in fields if (v := getattr(spec, f)) != defaults[f].default]


class FusionSpec(Strict):
    """Which fusion variant, and for the Twister which cube and scan ordering (Tab. 1, 3, 4).

    ``channel_scan`` and ``spatial_scan`` are the Twister's too: beside the release's, Mamba's
    own block over the channels and Mamba-2's state space model over the image.
    """

    name: str = "twister"
    scan_order: str = "channel-spatial"
    channel_scan: Literal["two-way", "causal"] = "two-way"
    spatial_scan: Literal["selective", "ssd"] = "selective"
    cube: Literal["image-global-local", "image-global", "image-local"] = "image-global-local"
    depth: Annotated[int, Field(gt=0, le=64)] = 2

    def words(self) -> list[str]:
        """What it is called in a run's name: what is not the Twister's own, its name says."""
        if self.name != "twister":
            return [self.name]
        return [self.name, self.scan_order, *changed(self, "channel_scan", "spatial_scan", "cube")]


class TextSpec(Strict):
    """Which text encoder and how many tokens an expression may have.

    ``fingerprint`` is the hash of a pretrained encoder's files, filled in before the run.
    """

    name: Literal["word", "clip", "bert"] = "word"
    length: Annotated[int, Field(ge=3, le=77)] = 20
    fingerprint: str = ""


class StartSpec(Strict):
    """Weights that the backbone starts from: a file in the data root's ``weights`` folder.

    ``fingerprint`` is the sha256 of the file, filled in before the run.
    """

    name: Annotated[str, Field(pattern=r"^[\w-][\w.-]*$")]
    fingerprint: str = ""


class ModelSpec(Strict):
    """A model by name and size, and its exchangeable parts; without ``start`` all is drawn.

    ``scan_directions`` is how every SS2D of the model reads its image: VSS blocks, fusion and
    Mamba decoder.
    """

    name: str = "remamber"
    size: Size = "tiny"
    backbone: Literal["vmamba", "swin"] = "vmamba"
    scan_directions: Literal["four", "two", "one"] = "four"
    decoder: Literal["conv", "mamba"] = "conv"
    fusion: FusionSpec = FusionSpec()
    text: TextSpec = TextSpec()
    release: bool = False
    start: StartSpec | None = None

    @model_validator(mode="after")
    def _start_fits(self) -> "ModelSpec":
        if self.start is not None and (self.backbone, self.scan_directions) != ("vmamba", "four"):
            raise ValueError("start needs the vmamba backbone with scan_directions four")
        return self

    def body(self) -> list[str]:
        """What it is called without its fusion: name, size, and what is not the release's."""
        directions = [f"{word}-directions" for word in changed(self, "scan_directions")]
        return [self.name, self.size, *changed(self, "backbone"), *directions]


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


class RunSpec(Strict):
    """One run: a kind of measurement on a model and data, from a seed."""

    task: str = "train"
    seed: Annotated[int, Field(ge=0)] = 0
    model: ModelSpec = ModelSpec()
    data: DataSpec = DataSpec()
    train: TrainSpec | None = None
    evaluate: EvaluateSpec = EvaluateSpec()
    kernels: KernelsSpec | None = None
    scan_backend: Literal["auto", "triton", "mamba-ssm", "cpu", "reference"] = "auto"

    def canonical(self) -> str:
        """The spec as JSON with sorted keys and no spaces, defaults (but ``ADDED``) included."""
        content: dict[str, Any] = {"spec_version": SPEC_VERSION, **self.model_dump(mode="json")}
        if self.kernels is not None:
            # No model and no data: their defaults may change and leave a kernel's time as it is.
            kept = ("spec_version", "task", "seed", "kernels")
            return json.dumps({k: content[k] for k in kept}, sort_keys=True, separators=(",", ":"))
        for path, default in ADDED.items():
            *place, last = path
            part = functools.reduce(operator.getitem, place, content)
            if part[last] == default:
                del part[last]
        return json.dumps(content, sort_keys=True, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """sha256 of the canonical spec, in hexadecimal."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    @property
    def run_id(self) -> str:
        """Folder name of the run: readable words, then eight digits of the hash."""
        if self.kernels is not None:
            case = f"{self.task}-{self.kernels.case}-{self.kernels.device}"
            return f"{case}-t{self.kernels.threads or 0}-{self.digest[:8]}"
        words = [self.task, self.data.name, str(self.data.image_size)]
        if self.task == "train":
            words[:1] = [*self.model.body(), *self.model.fusion.words()]
            words.append(f"s{self.seed}")
        return f"{'-'.join(words)}-{self.digest[:8]}"
