import pytest
import torch
from golden import check_operation, golden
from torch import nn

from remamber.fusions import FusionShape
from remamber.fusions._interaction import LocalInteraction
from remamber.fusions.twister import TwistingLayer
from remamber.plan.spec import FusionSpec

SHAPE = FusionShape(
    spec=FusionSpec(),
    channels=16,
    text_width=768,
    text_length=20,
    channel_grid=16,
    interaction_width=512,
    release=True,
    backend="auto",
    seed="0",
)


@pytest.mark.parametrize("name", ["twister", "twister_down"])
def test_channel_spatial_ordering_equals_the_released_twister(name):
    layer = TwistingLayer(SHAPE, name="x")
    module = nn.ModuleDict({"spatial": layer.scans["spatial"], "channel": layer.scans["channel"]})

    def twist(image, text_global, text_local):
        cube = torch.cat([image, text_global, text_local], dim=1)
        return layer.order(cube, **layer.scans)

    names = [("ss1d.", "channel.scan."), ("ss2d.", "spatial.")]
    check_operation(module, golden(f"ops_{name}.safetensors"), names, call=twist)


def test_two_twisting_layers_equal_the_release():
    layers = nn.ModuleList(TwistingLayer(SHAPE, name=f"x{i}") for i in range(2))
    names = []
    for i in range(2):
        old, new = f"blocks.{i}.", f"{i}."
        names += [
            (f"{old}ln_1.", f"{new}norm."),
            (f"{old}self_attention.ss1d.", f"{new}scans.channel.scan."),
            (f"{old}self_attention.ss2d.", f"{new}scans.spatial."),
        ]

    def run(*parts):
        for layer in layers:
            parts = layer(list(parts))
        return parts

    data = golden("ops_twister_layer_depth2.safetensors")
    check_operation(layers, data, names, call=run, outputs=3, atol=5e-6)


def test_local_interaction_equals_the_release():
    local = LocalInteraction(16, text_width=768, text_length=20, width=512, release=True)
    names = [
        ("vis_proj.0.", "image_proj."),
        ("text_proj.0.", "text_proj."),
        ("unsqueeze.0.", "map_conv."),
    ]

    def run(image, text):
        mask = torch.ones(text.shape[0], 20, dtype=torch.bool)
        return local(image, text.transpose(1, 2), mask).permute(0, 2, 3, 1)

    data = golden("ops_image_text_corr.safetensors")
    check_operation(local, data, names, call=run, atol=3e-5)
