"""LAVT's backbone is transformers' Swin, and starts from its checkpoints by whatever names."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from remamber.errors import ExitCode, UserError
from remamber.models import ModelInputs, build_model, from_pretrained
from remamber.models._lavt_sizes import LAVT_SIZES
from remamber.models._lavt_start import our_names
from remamber.plan.spec import ModelSpec, StartSpec
from remamber.plan.start_files import start_file, with_start_fingerprint

SIZE = LAVT_SIZES["small"]._replace(
    dims=(32, 64, 128, 256), depths=(2, 2, 2, 2), window=7, decoder_width=16, drop_path=0.1
)
TEXTS = ["the red ball"]


def swin(**more):
    from transformers import SwinConfig, SwinForImageClassification

    torch.manual_seed(0)
    config = SwinConfig(
        embed_dim=32,
        depths=[2, 2, 2, 2],
        num_heads=[1, 2, 4, 8],
        image_size=224,
        num_labels=5,
        **more,
    )
    model = SwinForImageClassification(config).eval()
    for value in model.parameters():
        value.data.add_(0.05 * torch.randn_like(value))
    return model


@pytest.fixture(scope="module")
def theirs():
    return swin()


@pytest.fixture(autouse=True)
def _size(monkeypatch):
    monkeypatch.setitem(LAVT_SIZES, "tiny", SIZE)


def built(root, name=None):
    start = None if name is None else StartSpec(name=name)
    return build_model(ModelSpec(name="lavt", start=start), ModelInputs(TEXTS, root=root)).eval()


def of_the_authors(tensors):
    """The same weights as Swin's authors name them: query, key and value in one map."""
    names = {
        "swin.embeddings.patch_embeddings.projection": "patch_embed.proj",
        "swin.embeddings.norm": "patch_embed.norm",
        "swin.encoder.layers": "layers",
        "swin.layernorm": "norm",
        "classifier": "head",
        "layernorm_before": "norm1",
        "layernorm_after": "norm2",
        "attention.self.relative_position_bias_table": "attn.relative_position_bias_table",
        "attention.output.dense": "attn.proj",
        "intermediate.dense": "mlp.fc1",
        "output.dense": "mlp.fc2",
    }
    renamed = {}
    for key, value in tensors.items():
        if ".key." in key or ".value." in key:
            continue
        if ".query." in key:
            value = torch.cat([tensors[key.replace("query", k)] for k in ("query", "key", "value")])
            key = key.replace("attention.self.query", "attn.qkv")
        for old, new in names.items():
            key = key.replace(old, new)
        renamed[key] = value
    renamed["layers.0.blocks.0.attn.relative_position_index"] = torch.zeros(49, 49)
    renamed["layers.0.blocks.1.attn_mask"] = torch.zeros(64, 49, 49)
    return renamed


@pytest.fixture(params=["folder", "file", "authors", "bin"])
def root(request, theirs, tmp_path):
    """A data root with the checkpoint in one of its forms, under the name "swin"."""
    weights = tmp_path / "weights"
    theirs.save_pretrained(str(weights / "saved"))
    tensors = load_file(weights / "saved" / "model.safetensors")
    assert any(".attention.self.query." in key for key in tensors), "the names on the hub"
    match request.param:
        case "folder":
            (weights / "saved").rename(weights / "swin")
        case "file":
            save_file(theirs.state_dict(), weights / "swin", metadata={"format": "pt"})
        case "authors":
            torch.save({"model": of_the_authors(tensors)}, weights / "swin")
        case "bin":
            (weights / "swin").mkdir()
            torch.save(tensors, weights / "swin" / "pytorch_model.bin")
    return tmp_path


def test_the_backbone_starts_from_a_checkpoint_and_the_rest_as_without(root, theirs):
    plain, started = built(root).state_dict(), built(root, "swin").state_dict()
    expected = our_names(theirs.state_dict())
    own = ("encoder.patch_embed.", "encoder.blocks.", "encoder.downsamples.")
    for key, value in started.items():
        source = expected[key.removeprefix("encoder.")] if key.startswith(own) else plain[key]
        assert torch.equal(value, source), key


@pytest.mark.parametrize("size", [(224, 224), (256, 256), (64, 96), (32, 160)])
def test_without_words_the_maps_are_those_of_transformers_swin(theirs, size, tmp_path):
    (tmp_path / "weights").mkdir()
    save_file(theirs.state_dict(), tmp_path / "weights" / "swin", metadata={"format": "pt"})
    model = built(tmp_path, "swin")
    for gate in model.encoder.gates:
        nn.init.zeros_(gate.second.weight)
    found = []
    for blocks in model.encoder.blocks:
        blocks.register_forward_hook(lambda *given: found.append(given[-1]))
    image, tokens = torch.randn(2, 3, *size), model.tokenizer(TEXTS * 2)
    with torch.no_grad():
        model(image, tokens.ids, tokens.mask)
        x, grid = theirs.swin.embeddings(image, interpolate_pos_encoding=True)
        for layer, got in zip(theirs.swin.encoder.layers, found, strict=True):
            for block in layer.blocks:
                x = block(x, grid, always_partition=True)[0]
            expected = x.transpose(1, 2).unflatten(2, grid)
            torch.testing.assert_close(got, expected, atol=2e-4, rtol=1e-4)
            if layer.downsample is not None:
                x, grid = layer.downsample(x, grid), (grid[0] // 2, grid[1] // 2)


def test_a_small_input_leaves_the_model_as_it_is(tmp_path):
    model, tokens = built(tmp_path), None
    tokens = model.tokenizer(TEXTS)
    image = torch.randn(1, 3, 128, 128)
    with torch.no_grad():
        before = model(image, tokens.ids, tokens.mask)
        model(torch.randn(1, 3, 32, 32), tokens.ids, tokens.mask)
        assert torch.equal(model(image, tokens.ids, tokens.mask), before)


def test_a_swin_with_another_window_is_refused(tmp_path):
    swin(window_size=4).save_pretrained(str(tmp_path / "weights" / "swin"))
    with pytest.raises(UserError, match="do not fit the Swin backbone of this size") as caught:
        built(tmp_path, "swin")
    assert caught.value.exit_code is ExitCode.DAMAGED
    assert any("relative_position_bias_table" in line for line in caught.value.where)


def test_a_missing_start_says_where_it_belongs(tmp_path):
    with pytest.raises(UserError, match="not on this machine") as caught:
        built(tmp_path, "swin")
    assert caught.value.exit_code is ExitCode.MISSING


def test_a_planned_run_keeps_to_the_checkpoint_it_was_planned_with(root):
    start = with_start_fingerprint(StartSpec(name="swin"), root)
    spec, inputs = ModelSpec(name="lavt", start=start), ModelInputs(TEXTS, root=root)
    assert build_model(spec, inputs).spec.start == start
    file = start_file(start, root)
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(UserError, match="not those that this run was planned with"):
        build_model(spec, inputs)


def test_a_saved_model_does_not_need_the_folder_it_started_from(root):
    model = built(root, "swin")
    model.save_pretrained(root / "out")
    for path in sorted((root / "weights").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    again = from_pretrained(root / "out")
    assert again.spec == model.spec
    key = "encoder.blocks.0.layers.0.attention.q_proj.weight"
    assert torch.equal(again.state_dict()[key], model.state_dict()[key])


def test_stochastic_depth_drops_both_branches(tmp_path):
    model = built(tmp_path).train()
    layers = [layer for stage in model.encoder.blocks for layer in stage.layers]
    rates = [getattr(layer.drop_path, "drop_prob", 0.0) for layer in layers]
    assert rates == pytest.approx([0.1 * i / 7 for i in range(8)])
    last = layers[-1]
    last.drop_path.drop_prob = 1 - 1e-9
    x = torch.randn(3, 256, 7, 7)
    with torch.no_grad():
        assert torch.equal(
            model.encoder.blocks[3].layers[-1](
                x.flatten(2).transpose(1, 2), (7, 7), always_partition=True
            )[0],
            x.flatten(2).transpose(1, 2),
        )
