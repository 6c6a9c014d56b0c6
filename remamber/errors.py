"""What a user is told when something is wrong: one sentence, the place, a fix, an exit code."""

from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command; CONTRIBUTING.md and each command's epilog list them."""

    DONE = 0
    CHECK_FAILED = 1
    USAGE = 2
    MISSING = 3
    PARTIAL = 4
    OUT_OF_MEMORY = 5
    DAMAGED = 6
    INTERNAL = 70
    INTERRUPTED = 130


class UserError(Exception):
    """An error that its reader can mend.

    Args:
        what: one sentence without a full stop: the thing, the value, what was expected.
        where: lines that say what was looked for and what was found, or why.
        fix: lines that say what to do, commands that can be pasted first.
        exit_code: the process's exit status.
        slug: a stable name for machines, such as ``dataset_missing``.
        path: the file or folder in question, if there is one.
    """

    def __init__(
        self,
        what: str,
        *,
        where: Sequence[str] = (),
        fix: Sequence[str] = (),
        exit_code: ExitCode = ExitCode.USAGE,
        slug: str = "usage",
        path: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = tuple(where)
        self.fix = tuple(fix)
        self.exit_code = exit_code
        self.slug = slug
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        """Survive a worker process: keyword-only arguments need help to be pickled."""
        return (
            _rebuild,
            (self.what, self.where, self.fix, int(self.exit_code), self.slug, self.path),
        )


def _rebuild(
    what: str, where: tuple[str, ...], fix: tuple[str, ...], code: int, slug: str, path: str | None
) -> UserError:
    return UserError(what, where=where, fix=fix, exit_code=ExitCode(code), slug=slug, path=path)
