"""Mixed precision, half-precision weights and torch.compile, within the stated tolerances."""

import contextlib
import os
import shutil

import pytest
import torch
from golden import golden
from released import released_state
from torch import nn
from torch.nn import functional as F

from remamber.layers.vss import VSSBlock
from remamber.models import ModelInputs, build_model, from_release
from remamber.models._decoders import convolved_at_twice, doubled
from remamber.plan.spec import FusionSpec, ModelSpec
from remamber.registry import FUSIONS
from remamber.tasks._loss import segmentation_loss

TEXTS = ["the red ball on the left", "blue cone"]
STATE = [f"small_state_backbone_{i}" for i in (1, 2, 3)] + ["small_state_decoder_conv"]
LARGEST = {torch.bfloat16: 0.05, torch.float16: 0.01}
"""Largest error of a logit, as a share of the largest logit."""
MEAN = {torch.bfloat16: 0.04, torch.float16: 0.006}
"""Root mean square error of the logits, as a share of theirs."""


@pytest.fixture(scope="module")
def released():
    state = {k: v for name in STATE for k, v in golden(f"{name}.safetensors").items()}
    return from_release(state), golden("small_io_conv_a.safetensors")


def inputs(io):
    return io["in.image"], io["in.last_hidden_state"], io["in.pooler_out"], io["in.l_mask"].bool()


def check(half, full):
    dtype = half.dtype
    error = half.float() - full
    assert error.abs().max() <= LARGEST[dtype] * full.abs().max()
    assert error.square().mean().sqrt() <= MEAN[dtype] * full.square().mean().sqrt()
    assert error.abs().max() > 1e-6 * full.abs().max(), "nothing ran in half precision"


@pytest.mark.parametrize("dtype", LARGEST, ids=str)
def test_under_autocast_the_logits_keep_their_tolerance(released, dtype):
    model, io = released
    with torch.no_grad():
        full = model(*inputs(io))
        with torch.autocast("cpu", dtype=dtype):
            check(model(*inputs(io)), full)


@pytest.mark.parametrize("dtype", LARGEST, ids=str)
def test_with_half_precision_weights_the_logits_keep_their_tolerance(released, dtype):
    model, io = released
    image, tokens, pooled, mask = inputs(io)
    narrow = from_release(
        {k: v for name in STATE for k, v in golden(f"{name}.safetensors").items()}
    ).to(dtype)
    with torch.no_grad():
        full = model(image, tokens, pooled, mask)
        check(narrow(image.to(dtype), tokens.to(dtype), pooled.to(dtype), mask), full)


CASES = {
    **{name: {"fusion": FusionSpec(name=name)} for name in FUSIONS.names()},
    "mamba decoder": {"decoder": "mamba"},
    "causal channel scan": {"fusion": FusionSpec(channel_scan="causal")},
    "ssd": {"fusion": FusionSpec(spatial_scan="ssd")},
    "swin": {"backbone": "swin"},
}


def built(case):
    model = build_model(ModelSpec(**CASES[case]), ModelInputs(TEXTS)).eval()
    return model, model.tokenizer(TEXTS)


@pytest.mark.parametrize("case", CASES)
def test_every_model_runs_and_learns_in_bfloat16(case):
    """Under autocast, and again with its weights in bfloat16."""
    torch.manual_seed(0)
    image = torch.randn(2, 3, 64, 64)
    model, tokens = built(case)
    with torch.no_grad():
        full = model(image, tokens.ids, tokens.mask)
    for narrow in (False, True):
        if narrow:
            model.bfloat16()
        context = contextlib.nullcontext() if narrow else torch.autocast("cpu", torch.bfloat16)
        with context:
            logits = model(image.bfloat16() if narrow else image, tokens.ids, tokens.mask)
        check(logits.detach(), full)
        logits.float().square().mean().backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        assert gradients and all(torch.isfinite(g).all() for g in gradients)
        model.zero_grad()


def step(model, run, io, context):
    """Loss and gradients of one training step; the model is left as it was."""
    before = {k: v.clone() for k, v in model.state_dict().items()}
    image, *text = inputs(io)
    image = image.clone().requires_grad_()
    model.train()
    for block in model.modules():
        if hasattr(block, "rate"):
            block.rate = 0.0
    model.zero_grad()
    with context:
        loss = segmentation_loss(run(image, *text).float(), io["in.target"])
    loss.backward()
    gradients = {k: p.grad.clone() for k, p in model.named_parameters()}
    model.load_state_dict(before)
    model.eval()
    return loss.item(), image.grad, gradients


@pytest.mark.slow
def test_under_autocast_a_step_goes_where_it_goes_in_float32(released):
    model, io = released
    full = step(model, model, io, contextlib.nullcontext())
    half = step(model, model, io, torch.autocast("cpu", torch.bfloat16))
    assert half[0] == pytest.approx(full[0], rel=2e-3)
    ways = [torch.cat([g.flatten() for g in gradients.values()]) for *_, gradients in (full, half)]
    assert F.cosine_similarity(*ways, dim=0) > 0.99


@pytest.mark.slow
def test_compiled_the_released_model_gives_eagers_logits_and_gradients(released):
    """Graph capture and torch's decompositions; the code generator has a test of its own."""
    model, io = released
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(*inputs(io)), model(*inputs(io)), atol=3e-6, rtol=0)
    same_step(
        step(model, model, io, contextlib.nullcontext()),
        step(model, compiled, io, contextlib.nullcontext()),
    )


def same_step(one, two):
    assert two[0] == pytest.approx(one[0], abs=1e-6)
    largest = max(g.abs().max() for g in one[2].values()).item()
    torch.testing.assert_close(two[1], one[1], atol=1e-4 * one[1].abs().max().item(), rtol=0)
    for name, expected in one[2].items():
        # A bias before a BatchNorm has no gradient: float32 shows its rounding there.
        bound = max(1e-4 * expected.abs().max().item(), 1e-6 * largest)
        torch.testing.assert_close(two[2][name], expected, atol=bound, rtol=0, msg=name)


class Stage(nn.Module):
    """A VSS block and the decoder's last convolution."""

    def __init__(self):
        super().__init__()
        self.block, self.head = VSSBlock(16), nn.Conv2d(16, 1, 3, padding=1)

    def forward(self, image):
        return convolved_at_twice(self.head, self.block(image))


@pytest.mark.slow
@pytest.mark.skipif(
    not any(map(shutil.which, [os.environ.get("CXX", "g++"), "clang++"])),
    reason="torch.compile's code generator needs a C++ compiler",
)
# torch's own: its code generator reads an operator by torch.jit.
@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")
def test_compiled_to_machine_code_a_stage_gives_eagers_results(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    torch.manual_seed(0)
    stage = Stage()
    image = torch.randn(2, 16, 8, 8, requires_grad=True)
    inputs = [image, *stage.parameters()]
    results = []
    for run in (stage, torch.compile(stage, fullgraph=True)):
        logits = run(image)
        results.append([logits, *torch.autograd.grad(logits.square().sum(), inputs)])
    for ours, expected in zip(*results, strict=True):
        bound = 1e-4 * expected.abs().max().item()
        torch.testing.assert_close(ours, expected, atol=bound, rtol=0)


@pytest.mark.parametrize("size", [(8, 8), (5, 9), (1, 3)])
def test_the_last_convolution_commutes_with_the_upsampling(size):
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(12, 1, 3, padding=1).double()
    x = torch.randn(2, 12, *size, dtype=torch.float64)
    expected = convolution(doubled(x))
    torch.testing.assert_close(convolved_at_twice(convolution, x), expected, atol=1e-12, rtol=0)


def test_a_float64_release_comes_as_float32():
    state = released_state()
    exact = {k: v.double() if v.is_floating_point() else v for k, v in state.items()}
    one, two = from_release(state), from_release(exact)
    for key, value in two.state_dict().items():
        assert value.dtype in (torch.float32, torch.int64), key
        assert torch.equal(value, one.state_dict()[key]), key
