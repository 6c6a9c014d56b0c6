"""Which process first imported the operators: in one forked from it, OpenMP's threads are gone."""

import os

_BIRTH = os.getpid()


def forked() -> bool:
    """Whether this process was forked after the import."""
    return os.getpid() != _BIRTH
