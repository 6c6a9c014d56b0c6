"""The parts by which the text enters, held to their formulas written out."""

import torch
from fusion_cases import C, D, T, inputs
from torch.nn import functional as F

from remamber.fusions.attention import CrossAttention
from remamber.fusions.norm_adaptation import AdaptedNorm


def test_norm_adaptation_scales_and_shifts_every_channel_by_the_text():
    image, _, _, pooled = inputs((2, 3))
    adapted = AdaptedNorm(C, text_width=D, hidden=C // 2)
    torch.nn.init.normal_(adapted.norm.weight)
    torch.nn.init.normal_(adapted.norm.bias)
    hidden = F.gelu(adapted.pool(pooled))
    scale, shift = adapted.modulate(hidden).split(C, dim=1)
    mean = image.mean(1, keepdim=True)
    deviation = (image.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    weight, bias = adapted.norm.weight[:, None, None], adapted.norm.bias[:, None, None]
    normed = (image - mean) / deviation * weight + bias
    expected = normed * (1 + scale[:, :, None, None]) + shift[:, :, None, None]
    torch.testing.assert_close(adapted(image, pooled), expected, atol=1e-5, rtol=1e-5)


def test_cross_attention_is_a_weighted_mean_of_the_real_tokens_by_head():
    image, text, mask, _ = inputs((2, 3), lengths=(4, T))
    heads, width = 2, 12
    attention = CrossAttention(C, text_width=D, width=width, heads=heads)
    got = attention(image, text, mask)
    for b in range(2):
        real = text[b, mask[b]]
        pixel = image[b, :, 1, 2]
        parts = []
        for head in range(heads):
            rows = slice(head * width // heads, (head + 1) * width // heads)
            query = attention.query_proj(pixel)[rows]
            keys = attention.key_proj(real)[:, rows]
            weights = torch.softmax(keys @ query / (width // heads) ** 0.5, dim=0)
            parts.append(weights @ attention.value_proj(real)[:, rows])
        expected = attention.out_proj(torch.cat(parts))
        torch.testing.assert_close(got[b, :, 1, 2], expected, atol=1e-6, rtol=1e-5)
