"""Where the weights are that training starts from, and the hash by which a run names them."""

from pathlib import Path

from remamber.errors import ExitCode, UserError
from remamber.plan.file_digest import file_digest
from remamber.plan.spec import StartSpec

_FOLDER = "weights"


def start_file(start: StartSpec, root: Path | None) -> Path:
    """The file ``ROOT/weights/NAME``.

    Raises:
        UserError: there is no data root, or no such file in it (exit 3).
    """
    path = None if root is None else root / _FOLDER / start.name
    if path is not None and path.is_file():
        return path
    wanted = path or Path("DIR") / _FOLDER / start.name
    raise UserError(
        f"the weights '{start.name}' to start from are not on this machine",
        where=[f"looked for  {path}" if path else "no data root was given"],
        fix=[
            *([] if path else ["--data-root DIR"]),
            f"put VMamba's checkpoint at {wanted}, as it is or from remamber-bench weights convert",
        ],
        exit_code=ExitCode.MISSING,
        slug="start_missing",
        path=str(wanted),
    )


def with_start_fingerprint(start: StartSpec | None, root: Path | None) -> StartSpec | None:
    """The same with the hash of the file that is there now.

    Raises:
        UserError: as ``start_file``.
    """
    if start is None:
        return None
    return start.model_copy(update={"fingerprint": file_digest(start_file(start, root))})


def planned_start_file(start: StartSpec, root: Path | None) -> Path:
    """The file, after a check that it is the one that the run was planned with.

    Raises:
        UserError: as ``start_file``, or the file is another one (exit 6).
    """
    path = start_file(start, root)
    if start.fingerprint and start.fingerprint != (found := file_digest(path)):
        raise UserError(
            f"the weights '{start.name}' are not those that this run was planned with",
            where=[f"planned  {start.fingerprint[:12]}", f"found    {found[:12]} in {path}"],
            fix=["run the same command again: it plans with the file that is there now"],
            exit_code=ExitCode.DAMAGED,
            slug="start_changed",
            path=str(path),
        )
    return path
