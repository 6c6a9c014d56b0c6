"""Which implementations of a scan the tests of this folder run on: every one that is listed.

One that cannot run here is skipped, and the skip says why. ``REMAMBER_SCAN_BACKENDS``, names
between commas, narrows the list: so a process with Triton's interpreter runs the same tests.
"""

import os

import pytest
from scan_subjects import DIRECTIONAL, SELECTIVE, Subject

from remamber.ops import backend_names
from remamber.ops.backends import probe_backend

_CHOSEN = os.environ.get("REMAMBER_SCAN_BACKENDS", "")
BACKENDS = tuple(filter(None, _CHOSEN.split(","))) or backend_names()


@pytest.fixture(params=BACKENDS)
def backend(request):
    return _able(request.param)


@pytest.fixture(params=BACKENDS)
def scan(request):
    """The selective scan on one backend."""
    return Subject(SELECTIVE, _able(request.param))


@pytest.fixture(params=[SELECTIVE, DIRECTIONAL], ids=lambda op: op.name)
def op(request):
    return request.param


@pytest.fixture
def either(op, backend):
    """Either scan on one backend."""
    return Subject(op, backend)


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "interpreted: cheap enough to run on an interpreted kernel language as well"
    )


def _able(name):
    found = probe_backend(name)
    if not found.available:
        pytest.skip(f"{name}: {found.detail}")
    return name
