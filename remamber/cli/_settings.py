"""Settings and where each came from: command line, environment, ./remamber-bench.toml, default."""

import os
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NamedTuple

from pydantic import Field

from remamber.errors import ExitCode, UserError
from remamber.plan.spec import Strict
from remamber.plan.strict_toml import read_toml, validate

CONFIG_NAME = "remamber-bench.toml"
PREFIX = "REMAMBER_BENCH_"


class Settings(Strict):
    """What may be set once for all commands; the file's keys are these."""

    store: Path = Path("runs")
    out: Path = Path("reports")
    data_root: Path | None = None
    threads: int | None = Field(default=None, gt=0)
    workers: int | None = Field(default=None, ge=0)
    download: bool = False


class Resolved(NamedTuple):
    """The settings in effect and, by key, where each came from."""

    settings: Settings
    origins: dict[str, str]


def resolve(given: dict[str, Any], *, folder: Path | None = None) -> Resolved:
    """Lay the command line over the environment over the configuration file over defaults.

    Args:
        given: from the command line, None where it says nothing.
        folder: where to look for the configuration file; the current folder by default.

    Raises:
        UserError: an unknown key or a bad value, with where it stands.
    """
    path = (folder or Path()) / CONFIG_NAME
    layers: list[tuple[str, dict[str, Any]]] = []
    if path.is_file():
        layers.append((str(path), read_toml(path)))
    layers += [(PREFIX + key.upper(), {key: value}) for key, value in _environment().items()]
    layers.append(("the command line", {k: v for k, v in given.items() if v is not None}))
    settings = validate(Settings, layers)
    origins = dict.fromkeys(Settings.model_fields, "default")
    for origin, content in layers:
        origins.update(dict.fromkeys(content, origin))
    return Resolved(_absolute(settings), origins)


def _environment() -> dict[str, str]:
    names = {PREFIX + key.upper(): key for key in Settings.model_fields}
    return {key: os.environ[name] for name, key in names.items() if os.environ.get(name)}


def _absolute(settings: Settings) -> Settings:
    root = settings.data_root
    if root is not None and not root.expanduser().is_dir():
        raise UserError(
            f"data root {root.expanduser().absolute()} is not a folder",
            fix=["--data-root DIR: the folder that holds refcoco/, refcoco+/, refcocog/"],
            exit_code=ExitCode.MISSING,
            slug="data_root_missing",
            path=str(root),
        )
    return settings.model_copy(
        update={
            "store": settings.store.expanduser().absolute(),
            "out": settings.out.expanduser().absolute(),
            "data_root": root.expanduser().absolute() if root is not None else None,
        }
    )


def require_writable(folder: Path, *, what: str, option: str) -> None:
    """Make a folder and try it, so that hours of work do not end in front of a closed door.

    Args:
        folder: where files will be written.
        what: what it is for, in the message.
        option: the option that names another.

    Raises:
        UserError: it cannot be made, or nothing can be written into it (exit 3).
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(
            f"cannot write into {what} {folder}: {error.strerror}",
            fix=[f"{option} DIR: a folder that you may write to"],
            exit_code=ExitCode.MISSING,
            slug="not_writable",
            path=str(folder),
        ) from error
