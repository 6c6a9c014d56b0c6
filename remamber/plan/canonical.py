"""The one way of writing a run spec down, from which its hash is taken."""

import functools
import json
import operator
from collections.abc import Mapping
from typing import Any

from remamber.plan.fusion_options import unusual


def canonical_text(content: dict[str, Any], *, added: Mapping[tuple[str, ...], Any]) -> str:
    """A run spec's content as JSON with sorted keys and no spaces.

    Args:
        content: of the spec, with its version; taken apart here.
        added: fields added after the first records, and the defaults with which they are left
            out, so that older runs keep their hash.
    """
    if content["kernels"] is not None:
        # No model and no data: their defaults may change and leave a kernel's time as it is.
        kept: tuple[str, ...] = ("spec_version", "task", "seed", "kernels")
        return _text({key: content[key] for key in kept})
    if content["speed"] is not None:
        kept = ("spec_version", "task", "seed", "speed", "scan_backend")
        for model in content["speed"]["models"]:
            _model_as_of_old(model, added)
        return _text({key: content[key] for key in kept})
    # One protocol is written as it was when there could only be one.
    first, *further = content["evaluate"].pop("protocols")
    content["evaluate"] |= {"protocol": first, **({"protocols": further} if further else {})}
    _model_as_of_old(content["model"], added)
    _leave_out(content, {p: default for p, default in added.items() if p[0] != "model"})
    return _text(content)


def _model_as_of_old(model: dict[str, Any], added: Mapping[tuple[str, ...], Any]) -> None:
    fusion = model["fusion"]
    fusion["options"] = unusual(fusion["name"], fusion["options"])
    _leave_out(model, {p[1:]: default for p, default in added.items() if p[0] == "model"})


def _leave_out(content: dict[str, Any], added: Mapping[tuple[str, ...], Any]) -> None:
    for (*place, last), default in added.items():
        part = functools.reduce(operator.getitem, place, content)
        plain = list(default) if isinstance(default, tuple) else default
        if part is not None and part[last] == plain:
            del part[last]


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"))
