import os
import signal

# A shell without job control starts what runs in the background with Ctrl-C ignored, children
# inherit that, and tests of Ctrl-C would wait in vain.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Before torch loads its thread pool: on a busy machine long waits cost more than the tests.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")

import pytest  # noqa: E402
import torch  # noqa: E402


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def _few_threads():
    """Small tensors on many threads wait more than they compute, most of all under xdist."""
    torch.set_num_threads(2)
