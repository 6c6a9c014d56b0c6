"""State_dicts in the release's and VMamba's own names, made by the tests."""

import csv

import torch
from golden import golden_path
from torch import nn

from remamber.models._release import ReleasedReMamber
from remamber.models._release_keys import released_key
from remamber.models._sizes import SIZES, ReleaseShape

TINY = SIZES["tiny"]._replace(text_width=24, text_layers=0)


def released_state(decoder="conv", *, size=TINY, length=7, depth=2, seed=0):
    """A released checkpoint's tensors of a small model, text tower left out."""
    torch.manual_seed(seed)
    model = ReleasedReMamber(ReleaseShape(size, decoder, depth, length))
    for value in model.parameters():
        if value.ndim == 1:
            value.data.add_(0.1 * torch.randn_like(value))
    return {released_key(k): v.clone() for k, v in model.state_dict().items()}


def clip_tower(*, width=24, layers=2, words=50):
    """A CLIP text tower's tensors as transformers 4.30 named them."""
    from transformers import CLIPTextConfig, CLIPTextModel

    config = CLIPTextConfig(
        vocab_size=words,
        hidden_size=width,
        intermediate_size=4 * width,
        projection_dim=width,
        num_hidden_layers=layers,
        num_attention_heads=2,
    )
    state = CLIPTextModel(config).state_dict()
    old = {f"text_encoder.text_model.{k.removeprefix('text_model.')}": v for k, v in state.items()}
    return old | {"text_encoder.text_model.embeddings.position_ids": torch.arange(77)[None]}


def vmamba_state(*, size=TINY, classes=11, four_axes=False, seed=0):
    """A VMamba ImageNet checkpoint's tensors; 1x1 weights may be written with four axes."""
    state = {}
    for key, value in released_state(size=size, seed=seed).items():
        name = key.removeprefix("backbone.")
        if name != key and name.startswith(("patch_embed.", "layers.")):
            pixelwise = name.endswith(("_proj.weight", "fc1.weight", "fc2.weight"))
            state[name] = value[:, :, None, None] if four_axes and pixelwise else value
    head = nn.Linear(size.dims[-1], classes)
    state["classifier.norm.weight"] = torch.ones(size.dims[-1])
    state["classifier.norm.bias"] = torch.zeros(size.dims[-1])
    state["classifier.head.weight"] = head.weight.detach()
    state["classifier.head.bias"] = head.bias.detach()
    return state


def listed(name, *, model=None):
    """Tensors of the names and shapes in a list of reference data, each one number spread out."""
    with golden_path(name).open() as stream:
        rows = [row for row in csv.DictReader(stream) if model in (None, row.get("model"))]
    shapes = {row["key"]: row["shape"].replace("scalar", "") for row in rows}
    return {
        key: torch.zeros(()).expand([int(n) for n in shape.split("x") if n])
        for key, shape in shapes.items()
    }
