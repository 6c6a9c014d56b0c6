"""Pretrained text encoders, ``clip`` and ``bert``, read from a local folder and fine-tuned."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from remamber.errors import ExitCode, UserError
from remamber.models._text import TextEncoder, TextFeatures, Tokens
from remamber.models._text_saved import SavedText, folder_with, numbers_of, tokenizer_files

_TOWERS = {"clip": ("CLIPTextModel", "CLIPTextConfig"), "bert": ("BertModel", "BertConfig")}
"""Classes of transformers; each model gives a feature a token and a pooled one."""


class PretrainedTokenizer:
    """The tokenizer that belongs to a pretrained encoder.

    Args:
        source: a folder with the tokenizer's files, of which nothing is fetched, or what a file
            of weights holds of them.
        length: tokens of an expression with start and end; longer ones are cut.

    Raises:
        UserError: the files are damaged (exit 6).
    """

    def __init__(self, source: Path | SavedText, *, length: int) -> None:
        from transformers import AutoTokenizer

        self.length = length
        place = folder_with(source.files) if isinstance(source, SavedText) else nullcontext(source)
        with place as folder, _reading(folder, "tokenizer"):
            self._tokenizer = AutoTokenizer.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False
            )
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token

    def files(self) -> dict[str, str]:
        """What it can be made from again, by the names of its files."""
        with tempfile.TemporaryDirectory() as folder:
            self._tokenizer.save_pretrained(folder)
            return tokenizer_files(Path(folder))

    @property
    def size(self) -> int:
        """Number of token ids, the special ones included."""
        return len(self._tokenizer)

    def __call__(self, texts: Sequence[str]) -> Tokens:
        """Tokenise expressions: start, word pieces, end, padding."""
        texts = list(texts)
        whole = self._tokenizer(texts, add_special_tokens=False)["input_ids"]
        given = self._tokenizer(
            texts, padding="max_length", truncation=True, max_length=self.length
        )
        frame = self._tokenizer.num_special_tokens_to_add(pair=False)
        return Tokens(
            torch.tensor(given["input_ids"], dtype=torch.long),
            torch.tensor(given["attention_mask"], dtype=torch.bool),
            sum(len(pieces) + frame > self.length for pieces in whole),
            sum(map(self._unknown, whole)),
            sum(map(len, whole)),
        )

    def words_of(self, text: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """The words that were not cut off, and of each token the place of its word, or -1."""
        given = self._tokenizer(text, padding="max_length", truncation=True, max_length=self.length)
        places = tuple(-1 if place is None else place for place in given.word_ids())
        spans = [given.word_to_chars(place) for place in range(max(places) + 1)]
        return tuple(text[span.start : span.end] for span in spans), places

    def _unknown(self, pieces: Sequence[int]) -> int:
        """CLIP's bytes know every word; its "unknown" is the end token."""
        unknown = self._tokenizer.unk_token_id
        return 0 if unknown in (None, self._tokenizer.eos_token_id) else pieces.count(unknown)


class PretrainedEncoder(TextEncoder):
    """A pretrained transformer over word pieces; its weights are trained further.

    As the release, all token features are given, start, end and padding included; the pooled
    feature is that of CLIP's end token, or of BERT's pooler, without which it is that of BERT's
    start token.

    Args:
        name: ``clip`` or ``bert``.
        source: a folder with configuration and weights, of which nothing is fetched, or what a
            file of weights holds of the configuration; the weights are then still to come.
        length: tokens of an expression.
        pooled: whether BERT's pooler is there.

    Raises:
        UserError: the files are damaged or of another model (exit 6), or the model knows fewer
            positions than ``length`` (exit 2).
    """

    def __init__(
        self, name: str, source: Path | SavedText, *, length: int, pooled: bool = True
    ) -> None:
        super().__init__()
        without = {"add_pooling_layer": False} if name == "bert" and not pooled else {}
        if isinstance(source, SavedText):
            self.tower = _from_saved(name, source, **without)
        else:
            self.tower = _from_folder(name, source, **without)
        config = self.tower.config
        self.width = int(config.hidden_size)
        if length > config.max_position_embeddings:
            raise UserError(
                f"text encoder '{name}' knows {config.max_position_embeddings} positions, and"
                f" model.text.length is {length}",
                fix=[f"--set model.text.length={config.max_position_embeddings}"],
                slug="text_too_long",
            )

    def saved(self, tokenizer: PretrainedTokenizer) -> SavedText:
        """What a file of weights is to hold of it, and of its tokenizer."""
        return SavedText(tower=numbers_of(self.tower.config.to_dict()), files=tokenizer.files())

    def forward(self, ids: Int[Tensor, "b t"], mask: Bool[Tensor, "b t"]) -> TextFeatures:
        """Encode tokenised expressions."""
        output = self.tower(input_ids=ids, attention_mask=mask.long())
        tokens: Tensor = output.last_hidden_state
        pooled = tokens[:, 0] if output.pooler_output is None else output.pooler_output
        return TextFeatures(tokens, mask, pooled)


def _from_folder(name: str, folder: Path, **options: bool) -> Any:  # noqa: ANN401 - transformers
    import transformers

    model, _ = _TOWERS[name]
    with _reading(folder, "weights"):
        tower, info = getattr(transformers, model).from_pretrained(
            str(folder),
            local_files_only=True,
            output_loading_info=True,
            dtype=torch.float32,
            **options,
        )
    lost = [*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])]
    if lost:
        raise UserError(
            f"the weights in {folder} are not those of text encoder '{name}'",
            where=[f"{len(lost)} tensors missing or of another shape, such as {sorted(lost)[0]}"],
            fix=["put the files of one model, and all of them, into the folder"],
            exit_code=ExitCode.DAMAGED,
            slug="text_encoder_damaged",
            path=str(folder),
        )
    return tower


def _from_saved(name: str, saved: SavedText, **options: bool) -> Any:  # noqa: ANN401 - transformers
    import transformers

    model, configuration = (getattr(transformers, found) for found in _TOWERS[name])
    try:
        return model(configuration(**saved.tower), **options)
    # Numbers that do not go together, or no activation's name.
    except (KeyError, TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise UserError(
            f"what the weights say of their text encoder '{name}' is damaged",
            where=[f"{type(error).__name__}: {str(error)[:200]}"],
            fix=["save the model again, or copy the file again"],
            exit_code=ExitCode.DAMAGED,
            slug="weights_damaged",
        ) from error


@contextmanager
def _reading(folder: Path, what: str) -> Iterator[None]:
    """Quiet while transformers reads a folder; whatever it raises names the folder."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    except Exception as error:
        raise _damaged(folder, what, error) from error
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _damaged(folder: Path, what: str, error: Any) -> UserError:  # noqa: ANN401 - of any library
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return UserError(
        f"the {what} of the text encoder in {folder} cannot be read",
        where=[lines[0] if lines else type(error).__name__],
        fix=["get the files again; an interrupted download leaves torn ones"],
        exit_code=ExitCode.DAMAGED,
        slug="text_encoder_damaged",
        path=str(folder),
    )
