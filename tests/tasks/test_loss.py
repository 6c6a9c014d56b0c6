import json

import pytest
from golden import golden, golden_path

from remamber.tasks._loss import dice_loss, segmentation_loss


def test_losses_equal_the_release_with_an_empty_mask_among_them():
    data = golden("losses.safetensors")
    expected = json.loads(golden_path("losses.json").read_text())
    logits, target = data["logits"].float(), data["target"].float()
    assert target.flatten(1).sum(1).min() == 0
    assert dice_loss(logits, target).item() == pytest.approx(expected["dice"]["float32"], rel=1e-6)
    total = segmentation_loss(logits, target).item()
    assert total == pytest.approx(expected["total_used"]["float32"], rel=1e-6)
