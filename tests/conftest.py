import pytest
import torch


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def _few_threads():
    """Small tensors on many threads wait more than they compute, most of all under xdist."""
    torch.set_num_threads(2)
