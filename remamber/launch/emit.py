"""Launcher ``emit``: one shell command a run, for xargs, GNU parallel or any batch system."""

import json
import shlex

from remamber.launch import Errand, Outcome
from remamber.launch._child import request
from remamber.record.files import write_whole
from remamber.registry import LAUNCHERS

register = LAUNCHERS.register


@register("emit")
def emit(errand: Errand) -> list[Outcome]:
    """One shell command a run, to be run by whatever there is.

    The request lies in the run's folder, so that a command is exact whatever options made it,
    and the store makes it resumable: commands may be run in any order, repeatedly, at once.
    """
    outcomes = []
    for spec in errand.specs:
        path = errand.store.folder(spec) / "request.json"
        write_whole(path, json.dumps(request(spec, errand), indent=1))
        command = f"{shlex.join(errand.runner)} < {shlex.quote(str(path))}"
        outcomes.append(Outcome(spec.run_id, "emitted", message=command))
    return outcomes
