"""The model's part of a run spec: which model, of which parts; and what all specs share."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from remamber.plan.fusion_options import Option, unusual
from remamber.plan.unread_fields import UNREAD, without_unread, without_unread_fusion

Positive = Annotated[int, Field(gt=0)]
Size = Literal["tiny", "small", "base"]
Cube = Literal[
    "image-global-local",
    "image-global",
    "image-local",
    "image-local-global",
    "global-image-local",
    "global-local-image",
    "local-image-global",
    "local-global-image",
]
"""The Twister's cube: its parts in the order of their channels, the release's first."""


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
    own block over the channels and Mamba-2's state space model over the image. ``options`` are
    the variant's own, which its class declares; a planned run names them all. What a variant
    does not read (``FUSION_UNREAD``) is put back to its default.
    """

    name: str = "twister"
    scan_order: str = "channel-spatial"
    channel_scan: Literal["two-way", "causal"] = "two-way"
    spatial_scan: Literal["selective", "ssd"] = "selective"
    cube: Cube = "image-global-local"
    depth: Annotated[int, Field(gt=0, le=64)] = 2
    options: dict[str, Option] = {}

    @model_validator(mode="before")
    @classmethod
    def _read_fields(cls, given: object) -> object:
        return without_unread_fusion(given) if isinstance(given, dict) else given

    def __hash__(self) -> int:
        """Of the content: the options are a mapping, which has no hash of its own."""
        return hash(self.model_dump_json())

    def words(self) -> list[str]:
        """What it is called in a run's name: what is not the Twister's own, its name says."""
        own = [self.scan_order, *changed(self, "channel_scan", "spatial_scan", "cube")]
        return [self.name, *(own if self.name == "twister" else []), *self.option_words()]

    def option_words(self) -> list[str]:
        """The options that are not as they were before there were any."""
        options = unusual(self.name, self.options)
        return [f"{k.replace('_', '-')}-{v}".lower() for k, v in sorted(options.items())]


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
    Mamba decoder. What a model does not read (``UNREAD``) is put back to its default.
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

    @model_validator(mode="before")
    @classmethod
    def _read_fields(cls, given: object) -> object:
        return without_unread(given) if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _start_fits(self) -> "ModelSpec":
        if self.start is not None and (self.backbone, self.scan_directions) != ("vmamba", "four"):
            raise ValueError("start needs the vmamba backbone with scan_directions four")
        return self

    def body(self) -> list[str]:
        """What it is called without its fusion: name, size, and what is not the release's."""
        directions = [f"{word}-directions" for word in changed(self, "scan_directions")]
        return [self.name, self.size, *changed(self, "backbone"), *directions]

    def words(self) -> list[str]:
        """What it is called in a run's name: with its fusion, if it has one."""
        return [*self.body(), *(self.fusion.words() if self.fused else [])]

    @property
    def fused(self) -> bool:
        """Whether the model has a fusion variant; LAVT has a fusion of its own."""
        return "fusion" not in UNREAD.get(self.name, ())
