"""What LAVT costs: 125, 398 and 1,747 GFLOPs at 256, 480 and 1,024 px, two to a product."""

import pytest
import torch
from published_lavt import published_lavt
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

TOKENS = 20
BERT = 12 * TOKENS * 2 * (4 * 768 * 768 + 2 * 768 * 3072 + 2 * TOKENS * 768)
"""Linear maps, and scores and sums of attention, of BERT-base."""


def unread_gate(side):
    """The gate after the last stage, which the published model computes and nothing reads."""
    return 2 * 2 * 1024**2 * (side // 32) ** 2


def counted(side):
    model = published_lavt()
    # Without attention's own kernel, which is not counted on a CPU; nothing is allocated.
    with FakeTensorMode(allow_non_fake_inputs=True), sdpa_kernel(SDPBackend.MATH):
        model._apply(lambda tensor: torch.empty(tensor.shape, dtype=tensor.dtype))
        image = torch.empty(1, 3, side, side)
        ids = torch.ones(1, TOKENS, dtype=torch.long)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model(image, ids, ids.bool())
    return counter


@pytest.mark.parametrize(("side", "published"), [(256, 125), (480, 398), (1024, 1747)])
def test_flops_are_those_of_the_published_model(side, published):
    total = counted(side).get_total_flops()
    assert total / 1e9 == pytest.approx(published, rel=0.01)
    assert round((total + unread_gate(side)) / 1e9) == published


def test_the_text_encoder_is_counted_with_the_model():
    by_module = counted(256).get_flop_counts()
    assert sum(by_module["Lavt.text.tower"].values()) == BERT


def test_pixel_word_attention_costs_what_its_formula_says():
    by_module = counted(256).get_flop_counts()
    for i, channels in enumerate((128, 256, 512, 1024)):
        positions = (256 // (4 << i)) ** 2
        image = 4 * positions * channels**2 + 2 * positions * TOKENS * channels
        words = 2 * TOKENS * 768 * channels
        found = sum(by_module[f"Lavt.encoder.fusions.{i}"].values())
        assert found == 2 * (image + words)
