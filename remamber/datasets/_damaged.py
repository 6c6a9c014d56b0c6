"""The error for a data file that exists but cannot be what it should be (exit 6)."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from remamber.errors import ExitCode, UserError

FETCH_AGAIN = "fetch the file again and compare its size and checksum with the source's"


def damaged(
    what: str, path: Path, *, where: Sequence[str] = (), fix: Sequence[str] = (FETCH_AGAIN,)
) -> UserError:
    """A UserError of slug ``data_damaged`` that always names the file."""
    return UserError(
        what,
        where=[f"file  {path.absolute()}", *where],
        fix=fix,
        exit_code=ExitCode.DAMAGED,
        slug="data_damaged",
        path=str(path.absolute()),
    )


def damaged_source(what: str, files: Iterable[str]) -> UserError:
    """The same for what several files say together: it names them all."""
    paths = [str(Path(file).absolute()) for file in files] or ["(no file)"]
    return UserError(
        what,
        where=[f"file  {path}" for path in paths],
        fix=["take all files from the same release of the data set", FETCH_AGAIN],
        exit_code=ExitCode.DAMAGED,
        slug="data_damaged",
        path=paths[0],
    )
