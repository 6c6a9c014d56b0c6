"""What a file of weights holds of its pretrained text encoder: configuration and tokenizer.

With them a saved model opens on a machine that has no CLIP and no BERT.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from pydantic import Field, field_validator

from remamber.plan.spec import Strict

Number: TypeAlias = bool | int | float | str
PREFIX = "remamber.tokenizer/"
"""Of the keys under which a safetensors header holds the tokenizer's files."""
_WORD = "hidden_act"
_LARGEST, _DEEPEST = 1 << 20, 1 << 10
_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
)
"""What a tokenizer is read from; a file of another name is neither kept nor written."""


class SavedText(Strict):
    """A pretrained text encoder without its weights.

    Attributes:
        tower: numbers of its configuration, and the name of its activation. Nothing else of a
            configuration is kept: some of it can name code to fetch.
        files: of its tokenizer, by name. In a file of weights they stand beside this record.
    """

    tower: dict[str, Number]
    files: dict[str, str] = Field(default={}, exclude=True)

    @field_validator("tower")
    @classmethod
    def _is_of_a_tower(cls, tower: dict[str, Number]) -> dict[str, Number]:
        words = [key for key, value in tower.items() if isinstance(value, str) and key != _WORD]
        if words:
            raise ValueError(f"{words[0]} is no number")
        large = [k for k, v in tower.items() if isinstance(v, int | float) and v > _LARGEST]
        if large:
            raise ValueError(f"{large[0]} is more than {_LARGEST:,}")
        if int(tower.get("num_hidden_layers", 0)) > _DEEPEST:
            raise ValueError(f"num_hidden_layers is more than {_DEEPEST:,}")
        return tower


def numbers_of(configuration: Mapping[str, object]) -> dict[str, Number]:
    """What of a transformers configuration makes a tower: see ``SavedText``."""
    return {
        key: value
        for key, value in configuration.items()
        if isinstance(value, int | float) or (key == _WORD and isinstance(value, str))
    }


def tokenizer_files(folder: Path) -> dict[str, str]:
    """The files of a tokenizer in a folder, by name."""
    found = (folder / name for name in _FILES)
    return {path.name: path.read_text(encoding="utf-8") for path in found if path.is_file()}


def files_in(metadata: Mapping[str, str]) -> dict[str, str]:
    """The files of a tokenizer in a safetensors header, by name."""
    return {name: metadata[key] for name in _FILES if (key := PREFIX + name) in metadata}


@contextmanager
def folder_with(files: Mapping[str, str]) -> Iterator[Path]:
    """A folder with a tokenizer's files, for as long as it is read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in _FILES:
            if file in files:
                (folder / file).write_text(files[file], encoding="utf-8")
        yield folder
