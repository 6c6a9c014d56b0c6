"""Checkpoint files as tensors: safetensors, and torch.save's zip and legacy formats.

A pickle is a program. torch's restricted unpickler runs none of it but the building of tensors
and containers; the few classes that published checkpoints hold besides (an argparse.Namespace,
a yacs configuration, numpy numbers) are replaced by inert stand-ins, and a file that names
anything else is refused before anything of it is looked up.
"""

import pickle
import re
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from remamber.errors import ExitCode, UserError
from remamber.models._zip_sums import first_damaged_part

_DICTS = (
    "argparse.Namespace",
    "yacs.config.CfgNode",
    "fvcore.common.config.CfgNode",
    "types.SimpleNamespace",
    "collections.defaultdict",
)
_VALUES = (
    "numpy.dtype",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "numpy.ndarray",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "builtins.dict",
    "builtins.list",
    "builtins.int",
    "builtins.float",
)
_PLACES = ("model", "state_dict", "module", "model_state_dict")
_WRAPPERS = ("module.", "_orig_mod.")
_DEEPEST = 16
"""Containers within each other that are looked into; a container may hold itself."""

_NAMED = re.compile(r"GLOBAL ([\w.]+)|function <[\w-]+ [\w-]+ ([\w.]+)>")
_UNREAD = re.compile(r"WeightsUnpickler error:\s*(.+)")
"""Where torch's message says what it stopped at; the rest is advice on trusting the file."""

Format = Literal["safetensors", "torch zip", "torch legacy"]


class Checkpoint(NamedTuple):
    """What a checkpoint file holds; nothing in it was executed.

    Attributes:
        path: the file, also where a folder was given.
        tensors: the model's tensors, wrappers' prefixes such as ``module.`` taken off.
        metadata: of a safetensors file, empty otherwise.
        format: how the file is written.
        others: names of what stands beside the model in the file.
        inert: classes in the file that were replaced by stand-ins.
    """

    path: Path
    tensors: dict[str, Tensor]
    metadata: dict[str, str]
    format: Format
    others: tuple[str, ...]
    inert: tuple[str, ...]


def read_checkpoint(path: Path) -> Checkpoint:
    """The tensors of a checkpoint file, or of the ``model.safetensors`` in a folder.

    Raises:
        UserError: there is no such file (exit 3), it is cut short, has bytes changed (which
            only torch's zip files can show), is of another kind or refused because reading it
            would run code (exit 6).
    """
    path = path / "model.safetensors" if path.is_dir() else path
    head = _head(path)
    if path.suffix == ".safetensors" or _is_safetensors(head):
        return _read_safetensors(path)
    kind: Format = "torch zip" if zipfile.is_zipfile(path) else "torch legacy"
    if kind == "torch zip" and (part := first_damaged_part(path)):
        raise damaged(f"'{path.name}' is damaged: '{part}' in it is not as it was written", path)
    seen: set[str] = set()
    content = _unpickled(path, kind, seen)
    tensors, others = _model_in(content, path)
    return Checkpoint(path, _unwrapped(tensors), {}, kind, others, tuple(sorted(seen)))


def damaged(what: str, path: Path, *, where: tuple[str, ...] = (), fix: str = "") -> UserError:
    """The error for a checkpoint file that cannot be used (exit 6)."""
    return UserError(
        what,
        where=[*where, f"file  {path}"],
        fix=[fix or "download or copy the file again and compare its size with the source's"],
        exit_code=ExitCode.DAMAGED,
        slug="checkpoint_damaged",
        path=str(path),
    )


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            head = stream.read(512)
    except OSError as error:
        raise UserError(
            f"cannot read the checkpoint '{path}': {error.strerror or error}",
            fix=["check the path"],
            exit_code=ExitCode.MISSING,
            slug="checkpoint_missing",
            path=str(path),
        ) from error
    # The length that a safetensors file starts with may look like a tag.
    if head.lstrip()[:1] == b"<" and not _is_safetensors(head):
        raise damaged(f"'{path.name}' is a web page, not a checkpoint", path)
    if head.startswith(b"version https://git-lfs"):
        raise damaged(f"'{path.name}' is a pointer to a file", path, fix="git lfs pull")
    if not head:
        raise damaged(f"'{path.name}' is empty", path)
    return head


def _is_safetensors(head: bytes) -> bool:
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 32


def _read_safetensors(path: Path) -> Checkpoint:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as stream:
            tensors = {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118
            metadata = dict(stream.metadata() or {})
    except (SafetensorError, ValueError) as error:
        raise damaged(f"'{path.name}' is not a whole safetensors file ({error})", path) from error
    return Checkpoint(path, _unwrapped(tensors), metadata, "safetensors", (), ())


def _unpickled(path: Path, kind: Format, seen: set[str]) -> Any:  # noqa: ANN401 - checked later
    zipped = kind == "torch zip"
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_stand_ins(seen)):
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    # A damaged stream drives the pickle machine into errors of almost any kind.
    except Exception as error:
        text = str(error)
        named = _NAMED.search(text)
        if named and isinstance(error, pickle.UnpicklingError):
            raise _refused(path, named[1] or named[2]) from None
        stopped = _UNREAD.search(text)
        told = stopped[1] if stopped else f"{type(error).__name__} {text}".split("\n", 1)[0]
        raise damaged(
            f"'{path.name}' is not a readable checkpoint, or is cut short",
            path,
            where=(f"size  {path.stat().st_size:,} bytes", f"read  {told[:120]}"),
        ) from error


def _refused(path: Path, name: str) -> UserError:
    return damaged(
        f"'{path.name}' is refused: reading it would load {name[:100]!r}",
        path,
        where=("a checkpoint needs tensors, containers and numbers; nothing in it was run",),
        fix="do not open this file with other programs; get the weights from their source",
    )


def _stand_ins(seen: set[str]) -> list[Any]:
    """Pairs (class, the name in a file that it answers to) for torch's restricted unpickler."""
    return [
        *((_dict_for(name, seen), name) for name in _DICTS),
        *((_value_for(name, seen), name) for name in _VALUES),
    ]


def _dict_for(name: str, seen: set[str]) -> type:
    """A class whose instances are plain ordered dicts: they take items and attributes."""

    def new(cls: type, *_: object) -> OrderedDict[Any, Any]:
        seen.add(name)
        return OrderedDict()

    return type("InertDict", (), {"__new__": new})


def _value_for(name: str, seen: set[str]) -> type:
    """A class whose instances forget what they are given."""

    def new(cls: type, *_: object) -> object:
        seen.add(name)
        return object.__new__(cls)

    def forget(self: object, state: object) -> None:
        """Take the state that the file gives and keep nothing of it."""

    return type("InertValue", (), {"__new__": new, "__setstate__": forget})


def _model_in(
    content: object, path: Path, *, level: int = 0
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The model's tensors, and the names of what else stands in the file."""
    if isinstance(content, Mapping):
        place = next((p for p in _PLACES if isinstance(content.get(p), Mapping)), None)
        if place is not None and level < _DEEPEST:
            tensors, _ = _model_in(content[place], path, level=level + 1)
            return tensors, tuple(str(key) for key in content if key != place)
        tensors = {str(k): v.detach() for k, v in content.items() if isinstance(v, Tensor)}
        if tensors:
            return tensors, tuple(str(k) for k in content if str(k) not in tensors)
    keys = ", ".join(map(str, content))[:200] if isinstance(content, Mapping) else ""
    raise damaged(
        f"'{path.name}' holds no model",
        path,
        where=(f"keys  {keys}" if keys else f"found  {_kind(content)}",),
        fix="give a file whose tensors stand under 'model' or at its top",
    )


def _kind(content: object) -> str:
    return "nothing" if isinstance(content, Mapping) else type(content).__name__


def _unwrapped(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names without the prefixes that DistributedDataParallel or torch.compile puts on all."""
    if not tensors:
        return tensors
    while wrapper := next((w for w in _WRAPPERS if all(k.startswith(w) for k in tensors)), None):
        tensors = {key.removeprefix(wrapper): value for key, value in tensors.items()}
    return tensors
