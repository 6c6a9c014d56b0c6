"""Pretrained text encoders, ``clip`` and ``bert``, read from a local folder and fine-tuned."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from remamber.errors import ExitCode, UserError
from remamber.models._text import TextEncoder, TextFeatures, Tokens

_TOWERS = {"clip": "CLIPTextModel", "bert": "BertModel"}
"""Classes of transformers; each gives a feature a token and a pooled one."""


class PretrainedTokenizer:
    """The tokenizer that belongs to a pretrained encoder.

    Args:
        folder: with the tokenizer's files; nothing is fetched.
        length: tokens of an expression with start and end; longer ones are cut.

    Raises:
        UserError: the files are damaged (exit 6).
    """

    def __init__(self, folder: Path, *, length: int) -> None:
        from transformers import AutoTokenizer

        self.length = length
        with _reading(folder, "tokenizer"):
            self._tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token

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

    def _unknown(self, pieces: Sequence[int]) -> int:
        """CLIP's bytes know every word; its "unknown" is the end token."""
        unknown = self._tokenizer.unk_token_id
        return 0 if unknown in (None, self._tokenizer.eos_token_id) else pieces.count(unknown)


class PretrainedEncoder(TextEncoder):
    """A pretrained transformer over word pieces; its weights are trained further.

    As the release, all token features are given, start, end and padding included; the pooled
    feature is that of CLIP's end token, or of BERT's pooler.

    Args:
        name: ``clip`` or ``bert``.
        folder: with configuration and weights; nothing is fetched.
        length: tokens of an expression.

    Raises:
        UserError: the files are damaged or of another model (exit 6), or the model knows fewer
            positions than ``length`` (exit 2).
    """

    def __init__(self, name: str, folder: Path, *, length: int) -> None:
        super().__init__()
        import transformers

        with _reading(folder, "weights"):
            self.tower, info = getattr(transformers, _TOWERS[name]).from_pretrained(
                str(folder), local_files_only=True, output_loading_info=True, dtype=torch.float32
            )
        lost = [*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])]
        if lost:
            raise UserError(
                f"the weights in {folder} are not those of text encoder '{name}'",
                where=[
                    f"{len(lost)} tensors missing or of another shape, such as {sorted(lost)[0]}"
                ],
                fix=["put the files of one model, and all of them, into the folder"],
                exit_code=ExitCode.DAMAGED,
                slug="text_encoder_damaged",
                path=str(folder),
            )
        config = self.tower.config
        self.width = int(config.hidden_size)
        if length > config.max_position_embeddings:
            raise UserError(
                f"text encoder '{name}' knows {config.max_position_embeddings} positions, and"
                f" model.text.length is {length}",
                fix=[f"--set model.text.length={config.max_position_embeddings}"],
                slug="text_too_long",
            )

    def forward(self, ids: Int[Tensor, "b t"], mask: Bool[Tensor, "b t"]) -> TextFeatures:
        """Encode tokenised expressions."""
        output = self.tower(input_ids=ids, attention_mask=mask.long())
        return TextFeatures(output.last_hidden_state, mask, output.pooler_output)


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
