"""The two things that ``speed`` may be asked for: models, or the scan's kernels."""

from collections.abc import Mapping
from typing import Any

from remamber.cli import _options as options
from remamber.cli._execution import Wish
from remamber.cli._settings import resolve
from remamber.errors import ExitCode, UserError

_OF_MODELS = ("res", "sweep", "model", "against", "size", "fusion", "scan_order", "decoder")


def run_speed(given: Mapping[str, Any], command: str) -> ExitCode:
    """Time what the command line asks for and report on it.

    Args:
        given: by the command's argument names.
        command: the whole command line.

    Raises:
        UserError: whatever keeps it from starting; a failed run is a row, not an error.
    """
    streams = options.streams(
        given["display"],
        quiet=given["quiet"],
        verbose=given["verbose"],
        no_color=given["no_color"],
    )
    settings = resolve({name: given[name] for name in ("store", "out", "threads")}).settings
    if given["kernels"]:
        from remamber.cli._kernels import STUDY, kernel_study, time_kernels

        _refuse(given, _OF_MODELS, "--kernels times scans, not models")
        kernels = kernel_study(given, threads=settings.threads)
        wish = Wish.of({**given, "study": STUDY, "budget": None}, command=command)
        return time_kernels(kernels, wish, settings=settings, streams=streams)
    from remamber.cli._speed import time_models
    from remamber.cli._speed_study import speed_study

    _refuse(given, ("only",), "--only names shapes of the scan, which --kernels times")
    study = speed_study({**given, "compile": given["compile_"]}, threads=settings.threads)
    wish = Wish.of(
        {**given, "study": given["study"] or study.name, "budget": None}, command=command
    )
    return time_models(study, wish, skip_oom=given["skip_oom"], settings=settings, streams=streams)


def _refuse(given: Mapping[str, Any], names: tuple[str, ...], why: str) -> None:
    set_ = [f"--{name.replace('_', '-')}" for name in names if given[name]]
    if set_:
        raise UserError(
            f"{why}: {set_[0]} does not go with it",
            fix=["remamber-bench speed --kernels --only s1_256", "remamber-bench speed --res 512"],
            slug="options_exclude",
        )
