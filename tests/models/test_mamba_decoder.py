import pytest
import torch
from golden import check_operation, golden
from torch import nn
from torch.nn import functional as F

from remamber.fusions._interaction import LocalInteraction
from remamber.layers.spatial_scan import SpatialScan
from remamber.models import ModelInputs, TextFeatures, build_model
from remamber.models._mamba_decoder import (
    MambaDecoder,
    MambaDecoderShape,
    ScanLayer,
    SkipFusion,
    Upsample,
)
from remamber.models._release_keys import released_key
from remamber.plan.spec import ModelSpec

SHAPE = MambaDecoderShape(
    dims=(8, 16, 32, 64),
    depths=(2, 1, 2, 1),
    text_width=12,
    text_length=5,
    interaction_width=10,
    release=True,
    backend="auto",
)


def text(batch=2, *, length=5):
    mask = torch.arange(length) < torch.tensor([[3], [4]])[:batch]
    return TextFeatures(torch.randn(batch, length, 12), mask, torch.randn(batch, 12))


def maps(height=2, width=3):
    sizes = [(8, 8), (16, 4), (32, 2), (64, 1)]
    return [torch.randn(2, c, s * height, s * width) for c, s in sizes]


def shaken(module):
    """Weights away from their initial values, where norms and the recurrence hardly show."""
    with torch.no_grad():
        for name, value in module.named_parameters():
            if value.ndim == 1 or name.endswith(("A_logs", "dt_projs_bias")):
                value.add_(0.3 * torch.randn_like(value))
        for name, value in module.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                value.add_(0.3 * torch.rand_like(value))
    return module


def test_decoder_layers_and_upsampling_equal_the_release():
    layers = nn.ModuleDict({"blocks": nn.Sequential(ScanLayer(24), ScanLayer(24))})
    layers["up"] = Upsample(24, 12)

    def run(x):
        inner = layers["blocks"](x)
        return layers["up"](inner), inner

    names = [("downsample.", "up.")]
    for i in range(2):
        names += [
            (f"blocks.{i}.ln_1.", f"blocks.{i}.norm."),
            (f"blocks.{i}.self_attention.", f"blocks.{i}.scan."),
        ]
    data = golden("ops_decoder_vss_layer.safetensors")
    check_operation(layers, data, names, call=run, outputs=2)


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_skip_fusion_equals_the_release(mode):
    fusion = SkipFusion(12).train(mode == "train")
    data = golden(f"ops_fusion_{mode}.safetensors")
    check_operation(fusion, data, [("fusion.", "convolutions.")])


class Described:
    """The decoder from its description, with plain operations on released names."""

    def __init__(self, state, given):
        self.state, self.given = state, given

    def weight(self, name):
        return self.state[f"decoder.{name}"]

    def convolve(self, name, x):
        bias = self.state.get(f"decoder.{name}.bias")
        return F.conv2d(x, self.weight(f"{name}.weight"), bias, padding=1)

    def normed(self, name, x):
        names = ("running_mean", "running_var", "weight", "bias")
        return F.relu(F.batch_norm(x, *(self.weight(f"{name}.{n}") for n in names)))

    def layer_norm(self, name, x):
        affine = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return F.layer_norm(x.permute(0, 2, 3, 1), x.shape[1:2], *affine).permute(0, 3, 1, 2)

    def pixelwise(self, name, x):
        return F.conv2d(x, self.weight(f"{name}.weight")[:, :, None, None])

    def scan(self, name, x):
        module = SpatialScan(x.shape[1], x.shape[1], backend="reference")
        names = {k: f"{name}.{k.removeprefix('ssm.')}" for k in module.state_dict()}
        module.load_state_dict({k: self.weight(n) for k, n in names.items()})
        return module(x)

    def local(self, name, x):
        module = LocalInteraction(x.shape[1], text_width=12, text_length=5, width=10, release=True)
        names = {"image_proj": "vis_proj.0", "text_proj": "text_proj.0", "map_conv": "unsqueeze.0"}
        own = {}
        for key in module.state_dict():
            head, _, last = key.partition(".")
            own[key] = self.weight(f"{name}.{names.get(head, head)}.{last}")
        module.load_state_dict(own)
        return module(x, self.given.tokens, self.given.mask)

    def level(self, i, x, depth):
        guide = f"text_guidencee.{i}.0"
        first = self.given.tokens[:, 0]
        guide = F.relu(
            F.linear(first, self.weight(f"{guide}.weight"), self.weight(f"{guide}.bias"))
        )
        spread = guide[:, :, None, None].expand(-1, -1, *x.shape[2:])
        x = torch.cat([x, spread, self.local(f"local_text_fusion.{i}", x)], dim=1)
        x = self.pixelwise(f"in_proj.{i}", x)
        for j in range(depth):
            block = f"multimodal_blocks.{i}.blocks.{j}"
            x = x + self.scan(f"{block}.self_attention", self.layer_norm(f"{block}.ln_1", x))
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        up = f"multimodal_blocks.{i}.downsample"
        return self.layer_norm(f"{up}.norm", self.pixelwise(f"{up}.proj", x))

    def logits(self, features):
        x = features[-1]
        for i, depth in enumerate(SHAPE.depths):
            x = self.level(i, x, depth)
            if i < 3:
                skip, fusion = features[2 - i], f"hire_fusion.{i}.fusion"
                joined = self.convolve(f"{fusion}.0", torch.cat([x, skip], dim=1))
                joined = self.convolve(f"{fusion}.3", self.normed(f"{fusion}.1", joined))
                x = self.normed(f"{fusion}.4", joined) + skip
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        x = self.normed("proj_out.1.1", self.convolve("proj_out.1.0", x))
        return self.convolve("proj_out.2", x)


@pytest.mark.parametrize("size", [(1, 1), (2, 3)])
def test_decoder_equals_its_description(size):
    decoder = shaken(MambaDecoder(SHAPE)).eval()
    state = {released_key(f"decoder.{k}"): v for k, v in decoder.state_dict().items()}
    features, given = maps(*size), text()
    with torch.no_grad():
        expected = Described(state, given).logits(features)
        actual = decoder(features, given)
    assert actual.shape == (2, 1, 32 * size[0], 32 * size[1])
    assert expected.std() > 0.01
    torch.testing.assert_close(actual, expected, atol=3e-5, rtol=1e-4)


def test_release_mode_reads_token_0_and_not_the_pooled_text():
    decoder, features, given = shaken(MambaDecoder(SHAPE)).eval(), maps(), text()
    first = given.tokens.clone()
    first[:, 0] += 1
    with torch.no_grad():
        logits = decoder(features, given)
        assert torch.equal(logits, decoder(features, given._replace(pooled=given.pooled + 1)))
        assert not torch.equal(logits, decoder(features, given._replace(tokens=first)))


def test_outside_release_mode_the_pooled_text_acts_and_padding_does_not():
    decoder = shaken(MambaDecoder(SHAPE._replace(release=False))).eval()
    features, given = maps(), text()
    padding = torch.where(given.mask.unsqueeze(-1), given.tokens, given.tokens + 1)
    with torch.no_grad():
        logits = decoder(features, given)
        assert not torch.equal(logits, decoder(features, given._replace(pooled=given.pooled + 1)))
        assert torch.equal(logits, decoder(features, given._replace(tokens=padding)))


@pytest.mark.parametrize("size", ["tiny", "small", "base"])
def test_every_size_has_a_mamba_decoder(size):
    with torch.device("meta"):
        model = build_model(ModelSpec(decoder="mamba", size=size), ModelInputs(["red ball"]))
        width = model.text.width
        mask = torch.ones(2, 20, dtype=torch.bool)
        given = TextFeatures(torch.empty(2, 20, width), mask, torch.empty(2, width))
        logits = model.segment(torch.empty(2, 3, 64, 96), given)
    assert logits.shape == (2, 1, 64, 96)


def test_gradients_reach_every_parameter_the_maps_and_the_text():
    decoder = shaken(MambaDecoder(SHAPE._replace(release=False)))
    features = [feature.requires_grad_() for feature in maps()]
    given = text()
    given = given._replace(tokens=given.tokens.requires_grad_(), pooled=given.pooled)
    given.pooled.requires_grad_()
    decoder(features, given).square().sum().backward()
    without = [name for name, p in decoder.named_parameters() if not p.grad.abs().sum() > 0]
    assert without == []
    for value in (*features, given.tokens, given.pooled):
        assert value.grad.abs().sum() > 0


def test_under_bfloat16_the_logits_stay_close():
    decoder = shaken(MambaDecoder(SHAPE)).eval()
    features, given = maps(), text()
    with torch.no_grad():
        exact = decoder(features, given)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = decoder(features, given)
    assert (rounded.float() - exact).abs().mean() < 0.05 * exact.std()


def test_the_compiled_decoder_gives_the_same_logits():
    decoder = shaken(MambaDecoder(SHAPE)).eval()
    features, given = maps(), text()
    with torch.no_grad():
        compiled = torch.compile(decoder, backend="aot_eager", fullgraph=True)(features, given)
        torch.testing.assert_close(compiled, decoder(features, given), atol=3e-5, rtol=1e-4)
