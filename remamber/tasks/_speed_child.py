"""One process of a speed run: a request comes as JSON on stdin, lines of JSON go to stdout."""

import logging
import sys

import torch

from remamber.tasks._allocator import keep_freed_memory
from remamber.tasks._speed_found import Asked, Found, Line
from remamber.tasks._speed_group import Say, time_group
from remamber.tasks._speed_memory import measure_memory
from remamber.tasks._speed_trouble import limit_memory


def main() -> int:
    """Do what is asked; what was found is the last line."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    # Lines are kept apart from what a library may print.
    lines, sys.stdout = sys.stdout, sys.stderr

    def write(line: Line) -> None:
        lines.write(line.model_dump_json(exclude_defaults=True) + "\n")
        lines.flush()

    asked = Asked.model_validate_json(sys.stdin.buffer.read())
    keep_freed_memory()
    torch.set_num_threads(asked.speed.threads or torch.get_num_threads())
    torch.manual_seed(asked.seed)
    device = torch.device(asked.speed.device)
    if device.type == "cpu":
        limit_memory()

    def say(what: str, done: int, total: int) -> None:
        write(Line(what=what, done=done, total=total))

    write(Line(found=_found(asked, device, say).model_dump(mode="json")))
    return 0


def _found(asked: Asked, device: torch.device, say: Say) -> Found:
    if asked.action == "memory":
        return measure_memory(asked, device)
    return time_group(asked, device, say)


if __name__ == "__main__":
    sys.exit(main())
