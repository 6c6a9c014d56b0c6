"""One small stage: how the tests build a fusion variant, and what they give it."""

import torch

from remamber.fusions import FusionShape
from remamber.plan.spec import FusionSpec
from remamber.registry import FUSIONS

C, T, D = 32, 7, 24


def shape_of(name, *, depth=1, release=False, **changes):
    return FusionShape(
        spec=FusionSpec(name=name, depth=depth),
        channels=C,
        text_width=D,
        text_length=T,
        channel_grid=4,
        interaction_width=16,
        release=release,
        backend="auto",
        seed="0",
    )._replace(**changes)


def build(name, **more):
    return FUSIONS.get(name)(shape_of(name, **more)).eval()


def inputs(size=(6, 5), *, lengths=(4, 7), seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=dtype)

    mask = torch.arange(T) < torch.tensor(lengths)[:, None]
    b = len(lengths)
    return draw(b, C, *size), draw(b, T, D), mask, draw(b, D)
