"""Where the files of a pretrained text encoder are, whether they are all there, and their hash.

Nothing is loaded here, and nothing is fetched unless asked for: a run is planned, and refused,
before any model is built.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from remamber.errors import ExitCode, UserError
from remamber.plan.file_digest import file_digest
from remamber.plan.spec import TextSpec

Fetch = Callable[[str, tuple[str, ...]], Path]
"""Gets the named files of a repository into the local cache and gives their folder."""


class Pretrained(NamedTuple):
    """A published text encoder.

    Attributes:
        repository: on the Hugging Face hub.
        older: names under which the same repository may be in the cache.
        vocabulary: the tokenizer's files where there is no tokenizer.json.
    """

    repository: str
    older: tuple[str, ...]
    vocabulary: tuple[str, ...]


PRETRAINED = {
    "clip": Pretrained("openai/clip-vit-large-patch14", (), ("vocab.json", "merges.txt")),
    "bert": Pretrained("google-bert/bert-base-uncased", ("bert-base-uncased",), ("vocab.txt",)),
}
"""By name in the spec. CLIP's is the release's; BERT's is what LAVT and others read."""

_TOKENIZER = "tokenizer.json"
_CONFIG = "config.json"
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_EXTRA = ("tokenizer_config.json", "special_tokens_map.json")


def text_folder(name: str, root: Path | None) -> Path:
    """The folder of a text encoder: below the data root, else in the Hugging Face cache.

    Args:
        name: in the spec, ``clip`` or ``bert``.
        root: the data root; ``ROOT/clip-vit-large-patch14`` and
            ``ROOT/openai/clip-vit-large-patch14`` are looked at.

    Raises:
        UserError: it is nowhere (exit 3), or files are missing in it, which are named (exit 6).
    """
    known = PRETRAINED[name]
    repositories = (known.repository, *known.older)
    below = [] if root is None else [root / r for r in repositories]
    below += [] if root is None else [root / r.rpartition("/")[2] for r in repositories]
    found = [f for f in below if f.is_dir()] or [f for r in repositories if (f := _cached(r))]
    if not found:
        raise _missing(name, below)
    lacking = _lacking(found[0], known)
    if lacking:
        raise _incomplete(name, found[0], lacking)
    return found[0]


def with_fingerprint(
    spec: TextSpec, root: Path | None, *, download: bool = False, fetch: Fetch | None = None
) -> TextSpec:
    """The spec with the hash of the files that it will be read from; ``word`` needs none.

    Args:
        spec: which encoder.
        root: the data root.
        download: fetch what is not on this machine.
        fetch: how; the Hugging Face hub by default.

    Raises:
        UserError: as ``text_folder``, or the download failed (exit 3).
    """
    if spec.name not in PRETRAINED:
        return spec
    if download:
        _download(spec.name, root, fetch or _from_hub)
    return spec.model_copy(update={"fingerprint": fingerprint(text_folder(spec.name, root))})


def require_same(spec: TextSpec, folder: Path) -> None:
    """Raise a UserError unless a folder holds the files that the spec was planned with."""
    found = fingerprint(folder)
    if spec.fingerprint and spec.fingerprint != found:
        raise UserError(
            f"text encoder '{spec.name}' is not the one that this run was planned with",
            where=[f"planned  {spec.fingerprint[:12]}", f"found    {found[:12]} in {folder}"],
            fix=["run the same command again: it plans with the files that are there now"],
            exit_code=ExitCode.DAMAGED,
            slug="text_encoder_changed",
            path=str(folder),
        )


def fingerprint(folder: Path) -> str:
    """sha256, in hexadecimal, of the files that decide a text encoder's numbers, and their names.

    Reads the weights once: a few seconds for CLIP's 1.7 GB.
    """
    digest = hashlib.sha256()
    for name in sorted({_CONFIG, *_vocabulary_in(folder), _weights_in(folder), *_EXTRA}):
        path = folder / name
        if path.is_file():
            digest.update(f"{name} {file_digest(path)}\n".encode())
    return digest.hexdigest()


def _cached(repository: str) -> Path | None:
    # Slow to import, and only needed where a pretrained encoder is.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repository, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def _download(name: str, root: Path | None, fetch: Fetch) -> None:
    try:
        text_folder(name, root)
        return
    except UserError as error:
        if error.exit_code is ExitCode.DAMAGED and root is not None and _is_below(error, root):
            raise
    fetch(PRETRAINED[name].repository, wanted_files(name))


def _is_below(error: UserError, root: Path) -> bool:
    return error.path is not None and Path(error.path).is_relative_to(root)


def wanted_files(name: str) -> tuple[str, ...]:
    """The files of a text encoder's repository that are read, of the many that it has."""
    return (_CONFIG, _TOKENIZER, *PRETRAINED[name].vocabulary, *_EXTRA, _WEIGHTS[0])


def _from_hub(repository: str, files: tuple[str, ...]) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repository, allow_patterns=list(files)))
    except OSError as error:
        # Errors of the hub's client and of the network derive from it.
        raise UserError(
            f"could not download {repository}: {str(error).splitlines()[0]}",
            fix=["try again with a network, or copy its files into the data root"],
            exit_code=ExitCode.MISSING,
            slug="download_failed",
        ) from error


def _vocabulary_in(folder: Path) -> tuple[str, ...]:
    names = [n for known in PRETRAINED.values() for n in known.vocabulary]
    return tuple(n for n in (_TOKENIZER, *names) if (folder / n).is_file())


def _weights_in(folder: Path) -> str:
    return next((n for n in _WEIGHTS if (folder / n).is_file()), _WEIGHTS[0])


def _lacking(folder: Path, known: Pretrained) -> list[str]:
    """Files without which the encoder cannot be read, in words."""
    here = {n: (folder / n).is_file() for n in (_CONFIG, _TOKENIZER, *_WEIGHTS, *known.vocabulary)}
    lacking = [] if here[_CONFIG] else [_CONFIG]
    gone = [n for n in known.vocabulary if not here[n]]
    if not here[_TOKENIZER] and gone:
        lacking.append(f"{' and '.join(gone)} (or {_TOKENIZER})")
    if not any(here[n] for n in _WEIGHTS):
        lacking.append(" or ".join(_WEIGHTS))
    return lacking


def _missing(name: str, below: list[Path]) -> UserError:
    from huggingface_hub.constants import HF_HUB_CACHE

    known = PRETRAINED[name]
    folder = known.repository.rpartition("/")[2]
    return UserError(
        f"text encoder '{name}' needs {known.repository}, which is not on this machine",
        where=[
            *(f"looked for  {path}" for path in below),
            f"looked in   {HF_HUB_CACHE}",
            *([] if below else ["no data root was given"]),
        ],
        fix=[
            _how_to_get(name),
            "or add --download",
            f"or put its files into a folder {folder} below --data-root",
            "or --set model.text.name=word, which needs no download",
        ],
        exit_code=ExitCode.MISSING,
        slug="text_encoder_missing",
    )


def _incomplete(name: str, folder: Path, lacking: list[str]) -> UserError:
    return UserError(
        f"the files of text encoder '{name}' are not complete: {', '.join(lacking)} missing",
        where=[f"folder  {folder}"],
        fix=[_how_to_get(name), "or copy what is missing into that folder"],
        exit_code=ExitCode.DAMAGED,
        slug="text_encoder_incomplete",
        path=str(folder),
    )


def _how_to_get(name: str) -> str:
    return " ".join(["hf download", PRETRAINED[name].repository, *wanted_files(name)])
