"""An error as its reader sees it: what is wrong, where, and a fix that can be pasted."""

from typing import Any

from remamber.errors import ExitCode, UserError

SCHEMA_VERSION = 1


def as_text(error: UserError) -> str:
    """Three parts: the sentence, what was looked for or found, and the fix last."""
    prefix = "" if error.exit_code == ExitCode.INTERRUPTED else "error: "
    lines = [prefix + error.what, *(f"  {line}" for line in error.where)]
    for number, line in enumerate(error.fix):
        lines.append(f"  {'fix' if number == 0 else '':<10}  {line}")
    return "\n".join("\n".join(map(printable, line.split("\n"))) for line in lines)


def printable(text: str) -> str:
    """The text with control characters, which could steer a terminal, written as escapes."""
    return "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in text)


def as_document(error: UserError) -> dict[str, Any]:
    """The same for a program; ``code`` is stable, ``exit_code`` is the process's."""
    return {
        "schema_version": SCHEMA_VERSION,
        "error": {
            "code": error.slug,
            "exit_code": int(error.exit_code),
            "message": error.what,
            "detail": list(error.where),
            "hint": "\n".join(error.fix),
            "path": error.path,
        },
    }
