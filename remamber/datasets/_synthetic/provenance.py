"""What generated data say of themselves: ``synth.json`` in the data root, written last."""

import json
from pathlib import Path
from typing import Any

from remamber.datasets._damaged import damaged
from remamber.datasets._synthetic.grammar import styles
from remamber.errors import ExitCode, UserError

PROVENANCE = "synth.json"
_AGAIN = ("generate the data again: remamber-bench data synth",)


def read_provenance(root: Path) -> dict[str, Any]:
    """What ``synth.json`` of a folder of generated data says.

    Raises:
        UserError: there is none (exit 3), or it cannot be read (exit 6).
    """
    path = root / PROVENANCE
    try:
        kept = json.loads(path.read_bytes())
        lost = {"style", "fingerprint", "scenes", "expressions", "knobs"} - kept.keys()
    except FileNotFoundError as error:
        raise UserError(
            f"no generated data in {root}: it has no {PROVENANCE}",
            fix=[f"remamber-bench data synth synth-refcoco --out {root}"],
            exit_code=ExitCode.MISSING,
            slug="dataset_missing",
            path=str(root),
        ) from error
    except (ValueError, AttributeError, OSError) as error:
        raise damaged(f"{PROVENANCE} cannot be read ({error})", path, fix=_AGAIN) from error
    if lost or kept["style"] not in styles():
        raise damaged(f"{PROVENANCE} was not written by data synth", path, fix=_AGAIN)
    return dict(kept)
