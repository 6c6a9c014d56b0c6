"""What is timed and how: one group of models, side by side on one input, in one process."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from remamber.plan.model_spec import ModelSpec, Positive, Strict

SMALLEST, LARGEST, MULTIPLE = 32, 8192, 32
"""Sides of the square input in pixels, and what they are multiples of: the coarsest stride."""

Mode = Literal["infer", "train"]
Scope = Literal["net", "e2e"]
Dtype = Literal["fp32", "bf16", "fp16"]


class SpeedSpec(Strict):
    """A group: models that are timed against each other, and the condition they share.

    ``net`` takes tensors and tokens and gives logits; ``e2e`` begins with a photograph and a
    text and ends with its mask. ``skipped`` are models of the group, by ``model_key``, that ran
    out of memory on a smaller image. ``budget_s`` is for all timed calls of the group; fewer
    rounds are made where it does not hold them. ``threads``, ``machine`` and ``code`` (hashes of
    what times depend on) are filled in before the run.
    """

    models: Annotated[tuple[ModelSpec, ...], Field(min_length=1)] = (ModelSpec(),)
    image_size: Annotated[int, Field(ge=SMALLEST, le=LARGEST, multiple_of=MULTIPLE)] = 256
    batch: Positive = 1
    find_batch: bool = False
    mode: Mode = "infer"
    scope: Scope = "net"
    device: Literal["cpu", "cuda"] = "cpu"
    dtype: Dtype = "fp32"
    channels_last: bool = False
    compile: bool = False
    cuda_graph: bool = False
    memory: bool = True
    rounds: Annotated[int, Field(ge=2)] = 20
    budget_s: Annotated[float, Field(gt=0)] = 60.0
    warm_s: Annotated[float, Field(gt=0)] = 2.0
    warm_cap_s: Annotated[float, Field(gt=0)] = 10.0
    allow_shared: bool = False
    skipped: tuple[str, ...] = ()
    threads: Positive | None = None
    machine: str = ""
    code: str = ""

    @model_validator(mode="after")
    def _possible(self) -> "SpeedSpec":
        keys = [model_key(model) for model in self.models]
        if len(set(keys)) < len(keys):
            raise ValueError("a model is named twice")
        if self.mode == "train" and self.scope == "e2e":
            raise ValueError("scope e2e is of inference; training is timed with scope net")
        if self.cuda_graph and (self.device != "cuda" or self.mode != "infer"):
            raise ValueError("cuda_graph needs device cuda and mode infer")
        if self.cuda_graph and self.scope == "e2e":
            raise ValueError("cuda_graph needs scope net: a graph reads no photograph")
        return self

    def condition(self) -> tuple[str, ...]:
        """In words, all that the times of a group depend on besides its models and image size."""
        return (
            self.device,
            f"batch {self.batch}" if not self.find_batch else "largest batch",
            self.dtype,
            {"infer": "inference", "train": "training step"}[self.mode],
            self.scope,
            *(["channels-last"] if self.channels_last else []),
            *(["compiled"] if self.compile else []),
            *(["CUDA graph"] if self.cuda_graph else []),
        )

    def words(self) -> str:
        """What a group is called in its run's name."""
        sizes = "-".join(dict.fromkeys(model.size for model in self.models))
        return f"{sizes}-{self.image_size}-b{self.batch}-{self.dtype}-{self.mode}-{self.device}"


class SpeedView(Strict):
    """What a report of models' times compares: two models by name, and the paper's claim."""

    subject: str = "remamber"
    rival: str = "lavt"
    claim: str = ""


def model_key(model: ModelSpec) -> str:
    """A model's name among others: name, size, parts; ``remamber-base-twister-...-conv``."""
    decoder = [model.decoder] if model.fused else []
    text = [model.text.name] if model.text.name != "word" else []
    return "-".join([*model.words(), *decoder, *text])


def model_labels(models: tuple[ModelSpec, ...]) -> dict[str, str]:
    """Short names by ``model_key``: without the words that do not tell them apart."""
    words = {model_key(m): _words(m) for m in models}
    lists = list(words.values())
    found = {}
    for key, own in words.items():
        name, rest = own[0], own[1:]
        peers = [other for other in lists if other[0] == name]
        telling = [w for w in rest if any(w not in other for other in peers)]
        found[key] = " ".join([name, *telling])
    return found


def _words(model: ModelSpec) -> list[str]:
    return [*model.words(), *([model.decoder] if model.fused else []), model.text.name]
