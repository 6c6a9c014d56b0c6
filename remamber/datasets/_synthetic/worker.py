"""A process of its own that makes some of the pictures: a job comes in, a line a picture goes out.

Plain processes rather than a pool: nothing is forked from a program that runs threads, nothing
of the caller's main module is imported again, and when the caller dies, so does the pipe.
"""

import json
import os
import pickle
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from remamber.datasets._synthetic.entries import Entry, entries
from remamber.datasets._synthetic.form import Form
from remamber.datasets._synthetic.knobs import Recipe
from remamber.datasets._synthetic.picture import make_picture

_JPEG_QUALITY = 92


@dataclass(frozen=True)
class Job:
    """Pictures to make by split and index, the folder that their images go to, and their form."""

    recipe: Recipe
    pictures: Sequence[tuple[str, int]]
    images: Path
    form: Form = Form()


def make(job: Job, split: str, index: int) -> Entry:
    """Make one picture, write its image and return what the layout's files say of it."""
    picture = make_picture(job.recipe, split, index)
    made = entries(job.recipe, picture, split=split, index=index, form=job.form)
    path = job.images / made["image"]["file_name"]
    more: dict[str, Any] = {"quality": _JPEG_QUALITY} if job.form.images == "jpg" else {}
    Image.fromarray(picture.canvas.image).save(path, **more)
    return {**made, "bytes": path.stat().st_size}


def main() -> None:
    """Read a pickled job from the calling process and write a JSON line a picture."""
    # Ctrl-C reaches every process of the terminal; the caller hears it and ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    job: Job = pickle.load(sys.stdin.buffer)
    try:
        for split, index in job.pictures:
            sys.stdout.write(json.dumps(make(job, split, index)) + "\n")
            sys.stdout.flush()
    except BrokenPipeError:
        # The caller is gone; without this Python would complain about the pipe once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        sys.stdout.write(json.dumps({"errno": error.errno, "strerror": str(error)}) + "\n")


if __name__ == "__main__":
    main()
