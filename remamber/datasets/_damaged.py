"""The error for a data file that exists but cannot be what it should be (exit 6)."""

from collections.abc import Sequence
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
