"""Initial weights that depend on a part's name and not on what was built before it."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(name: str) -> Iterator[None]:
    """Draw initial weights from a stream of their own, then restore the generator.

    So two variants that share a part start with equal weights in it, whatever else they hold.
    """
    digest = hashlib.sha256(name.encode()).digest()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int.from_bytes(digest[:8], "little") >> 1)
        yield
