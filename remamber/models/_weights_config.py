"""What a weights file of ours says of itself: stored in its header and beside it as JSON."""

from typing import Any, Literal

from pydantic import ValidationError, field_serializer, model_validator

from remamber.errors import ExitCode, UserError
from remamber.models._sizes import ReleaseShape, Size, outlandish
from remamber.models._text_saved import PREFIX, SavedText, files_in
from remamber.plan.spec import ModelSpec, Strict

KEY = "remamber"
"""Under which the JSON stands in a safetensors header."""


class WeightsConfig(Strict):
    """The model that a file's tensors belong to.

    Attributes:
        version: of this record.
        holds: a backbone to start training from, the published model with or without its text
            tower, or a whole model trained here.
        size: of a backbone, the numbers that it was made with.
        release: of a published model, what its shapes say.
        spec: of a model trained here.
        vocabulary: of its ``word`` tokenizer, in the order of the ids.
        text: of its pretrained text encoder.
        source: name and sha256 of the file that this one was converted from.
    """

    version: Literal[1] = 1
    holds: Literal["backbone", "released", "model"]
    size: Size | None = None
    release: ReleaseShape | None = None
    spec: ModelSpec | None = None
    vocabulary: tuple[str, ...] = ()
    text: SavedText | None = None
    source: tuple[str, str] | None = None

    @model_validator(mode="after")
    def _says_what_it_holds(self) -> "WeightsConfig":
        wanted = {"backbone": self.size, "released": self.release, "model": self.spec}
        if wanted[self.holds] is None:
            raise ValueError(f"nothing says which {self.holds} it is")
        numbers = outlandish(self.size) if self.size else ""
        numbers = numbers or (outlandish(self.release) if self.release else "")
        if numbers:
            raise ValueError(numbers)
        return self

    @field_serializer("size", "release")
    def _by_name(self, numbers: Size | ReleaseShape | None) -> Any:  # noqa: ANN401 - JSON
        return _plain(numbers)

    def header(self) -> dict[str, str]:
        """The metadata of a safetensors file with these weights."""
        files = {} if self.text is None else self.text.files
        beside = {f"{PREFIX}{name}": content for name, content in files.items()}
        return {"format": "pt", KEY: self.model_dump_json(), **beside}

    def released_shape(self) -> ReleaseShape:
        """What a published model is built from.

        Raises:
            UserError: the weights are of another kind.
        """
        if self.release is None:
            raise _other_kind("the released ReMamber", self.holds)
        return self.release

    def model_spec(self) -> ModelSpec:
        """What a model trained here is built from.

        Raises:
            UserError: the weights are of another kind.
        """
        if self.spec is None:
            raise _other_kind("a model trained here", self.holds)
        return self.spec

    def known_words(self, number: int) -> tuple[str, ...]:
        """The vocabulary, which a tokenizer made from it must find to be ``number`` words.

        Raises:
            UserError: it holds a word twice, or what is not a word.
        """
        if len(self.vocabulary) == number:
            return self.vocabulary
        raise UserError(
            f"the vocabulary of the weights is damaged: {len(self.vocabulary)} entries,"
            f" {number} words",
            fix=["save the model again, or copy the file again"],
            exit_code=ExitCode.DAMAGED,
            slug="weights_damaged",
        )


def config_in(metadata: dict[str, str]) -> WeightsConfig | None:
    """The record in a safetensors header; None if there is none.

    Raises:
        UserError: there is one that this version does not read (exit 6).
    """
    if KEY not in metadata:
        return None
    try:
        config = WeightsConfig.model_validate_json(metadata[KEY])
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(
            "what the weights say of themselves is damaged, or of a later version",
            where=[f"{place or 'header'}: {first['msg']}"],
            fix=["copy or convert the file again, or update remamber-bench"],
            exit_code=ExitCode.DAMAGED,
            slug="weights_header",
        ) from error
    if config.text is None:
        return config
    text = config.text.model_copy(update={"files": files_in(metadata)})
    return config.model_copy(update={"text": text})


def _plain(value: object) -> object:
    if isinstance(value, Size | ReleaseShape):
        return {key: _plain(part) for key, part in value._asdict().items()}
    return value


def _other_kind(wanted: str, found: str) -> UserError:
    return UserError(
        f"the weights are not those of {wanted}: the file holds '{found}'",
        fix=["load them with remamber.models.from_pretrained"],
        exit_code=ExitCode.DAMAGED,
        slug="weights_other_kind",
    )
