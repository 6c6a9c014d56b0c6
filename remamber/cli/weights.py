"""Command ``weights``: what a checkpoint file is and what of it fits; the same as safetensors."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remamber.cli import _options as options
from remamber.cli._errors import printable

if TYPE_CHECKING:
    from remamber.models._fit import Fit
    from remamber.models._weights import Weights

_ACTIONS = ("check", "convert")
_SHOWN = 4

Action = Annotated[
    str,
    typer.Argument(
        metavar="check|convert", help="check: say what fits; convert: write safetensors."
    ),
]
File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="Checkpoint of VMamba, of the released ReMamber, or of this program.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE.safetensors",
        help="Where convert writes.",
        rich_help_panel=options.OUTPUT,
    ),
]


def weights(
    action: Action,
    file: File,
    out: Out = None,
    as_json: options.Json = False,
    no_color: options.NoColor = False,
    debug: options.Debug = False,
) -> int:
    """Say what a checkpoint file holds and which model it fits, or convert it.

    Nothing in the file is executed. check writes nothing; exit code 6 if it does not fit.
    """
    from remamber.errors import ExitCode, UserError
    from remamber.registry import unknown

    streams = options.streams("none", quiet=False, verbose=0, no_color=no_color)
    if action not in _ACTIONS:
        raise unknown("action", action, _ACTIONS)
    if action == "convert" and out is None:
        raise UserError(
            "convert needs the name of the file to write",
            fix=[f"remamber-bench weights convert {file} --out {file.stem}.safetensors"],
        )
    # torch is slow to import and not needed to refuse a command line.
    from remamber.models._weights import convert_weights, inspect_weights

    found = inspect_weights(file) if out is None else convert_weights(file, out)
    if as_json:
        streams.result(json.dumps(_document(found, out), indent=1))
    else:
        streams.result("\n".join(_lines(found, out)))
    return ExitCode.DONE if found.fits else ExitCode.DAMAGED


def _lines(found: "Weights", out: Path | None) -> list[str]:
    checkpoint = found.checkpoint
    rows = {
        "file": f"{checkpoint.path} ({checkpoint.format})",
        "holds": found.holds,
        "tensors": f"{len(checkpoint.tensors):,} ({_parameters(found):,} values)",
        "used": f"{len(found.fit.used):,} for {found.fit.what}",
    }
    if found.text is not None:
        rows["text"] = f"{len(found.text.used):,} for {found.text.what}"
    if found.fit.left:
        rows["left"] = f"{len(found.fit.left):,} not needed: {_some(found.fit.left)}"
    if checkpoint.others:
        rows["beside"] = f"not read: {_some(checkpoint.others, shown=12)}"
    if checkpoint.inert:
        rows["inert"] = f"not executed: {', '.join(checkpoint.inert)}"
    # Names in a file are whatever its writer chose: none may pass for a line of this report.
    lines = [f"{name:<8}  {printable(text)}" for name, text in rows.items()]
    for fit in (found.fit, found.text):
        lines += [f"  {printable(line)}" for line in fit.troubles()] if fit is not None else []
    if found.likely:
        lines.append(f"{'likely':<8}  {found.likely}")
    verdict = f"fits {found.fit.what}" if found.fits else f"does not fit {found.fit.what}"
    lines.append(f"{'verdict':<8}  {verdict}")
    return lines + ([f"{'written':<8}  {out}"] if out is not None else [])


def _document(found: "Weights", out: Path | None) -> dict[str, Any]:
    checkpoint = found.checkpoint
    return {
        "schema_version": 1,
        "file": str(checkpoint.path),
        "format": checkpoint.format,
        "kind": found.kind,
        "holds": found.holds,
        "fits": found.fits,
        "likely": found.likely,
        "tensors": len(checkpoint.tensors),
        "values": _parameters(found),
        "model": _fit_document(found.fit),
        "text": _fit_document(found.text) if found.text is not None else None,
        "beside": list(checkpoint.others),
        "not_executed": list(checkpoint.inert),
        "written": str(out) if out is not None else None,
    }


def _fit_document(fit: "Fit") -> dict[str, Any]:
    return {
        "what": fit.what,
        "used": len(fit.used),
        "left": list(fit.left),
        "missing": list(fit.missing),
        "too_many": list(fit.extra),
        "shape": [m._asdict() for m in fit.misshapen],
        "renamed": [r._asdict() for r in fit.renamed],
        "type": list(fit.other_type),
        "not_finite": list(fit.not_finite),
    }


def _parameters(found: "Weights") -> int:
    return sum(tensor.numel() for tensor in found.checkpoint.tensors.values())


def _some(names: tuple[str, ...], *, shown: int = _SHOWN) -> str:
    more = ", ..." if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
