"""The scan of a large map, some channels at a time, against all of them at once."""

import pytest
import torch

from remamber.layers import ssm
from remamber.layers.ssm import SelectiveSSM
from remamber.ops import FOUR_WAYS, TWO_WAYS


@pytest.mark.parametrize("d_state", [1, 3])
@pytest.mark.parametrize("directions", [FOUR_WAYS, TWO_WAYS])
def test_channels_scanned_a_few_at_a_time_give_the_same(monkeypatch, d_state, directions):
    torch.manual_seed(0)
    layer = SelectiveSSM(200, dt_rank=5, d_state=d_state, directions=directions)
    u = torch.randn(2, 6, 7, 200)
    with torch.inference_mode():
        whole = layer(u)
        monkeypatch.setattr(ssm, "_ROOM", 1)
        assert layer._channels_at_a_time(u) == 64
        torch.testing.assert_close(layer(u), whole, atol=2e-6, rtol=2e-6)


def test_training_scans_all_channels_at_once(monkeypatch):
    monkeypatch.setattr(ssm, "_ROOM", 1)
    layer = SelectiveSSM(128, dt_rank=4)
    assert layer._channels_at_a_time(torch.randn(1, 4, 4, 128)) == 128


def test_maps_of_a_usual_size_are_scanned_at_once():
    layer = SelectiveSSM(256, dt_rank=8)
    with torch.inference_mode():
        assert layer._channels_at_a_time(torch.empty(1, 128, 128, 256)) == 256
