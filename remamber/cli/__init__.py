"""The command ``remamber-bench``: parses, calls one function, prints. Results go to stdout."""

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from remamber.errors import ExitCode, UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit status; nothing but a result goes to stdout.

    Args:
        arguments: the command line without the program's name; the process's own by default.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(given)
    except UserError as error:
        return _explain(error, as_json="--json" in given, debug="--debug" in given)
    except KeyboardInterrupt:
        return _explain(_interrupted(), as_json="--json" in given, debug=False)
    except Exception as error:
        return _internal(error, as_json="--json" in given, debug="--debug" in given)


def _interrupted() -> UserError:
    return UserError(
        "interrupted; run the same command to go on",
        exit_code=ExitCode.INTERRUPTED,
        slug="interrupted",
    )


def _run(arguments: list[str]) -> int:
    from remamber.cli._app import run

    with _terminated_like_interrupted():
        return run(arguments)


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM raises what Ctrl-C raises, so that whatever was started is ended as well."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _explain(error: UserError, *, as_json: bool, debug: bool) -> int:
    from remamber.cli._errors import as_document, as_text

    if debug:
        traceback.print_exception(error)
    if as_json:
        print(json.dumps(as_document(error), indent=1))
    else:
        print(as_text(error), file=sys.stderr)
    return error.exit_code


def _internal(error: Exception, *, as_json: bool, debug: bool) -> int:
    where = _keep_traceback(error)
    what = f"{type(error).__name__}: {error}".split("\n", 1)[0]
    found = UserError(
        f"internal error: {what}",
        where=[f"the whole traceback is in {where}"],
        fix=["run again with --debug to see it here, and please report it"],
        exit_code=ExitCode.INTERNAL,
        slug="internal",
        path=str(where),
    )
    found.__cause__ = error
    return _explain(found, as_json=as_json, debug=debug)


def _keep_traceback(error: Exception) -> Path:
    import tempfile

    import platformdirs

    text = "".join(traceback.format_exception(error))
    try:
        folder = Path(platformdirs.user_log_dir("remamber-bench"))
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        folder = Path(tempfile.gettempdir())
    handle, name = tempfile.mkstemp(dir=folder, prefix="error-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    return Path(name)
