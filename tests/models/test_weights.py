import argparse
import json
import shutil
from pathlib import Path

import pytest
import torch
from released import TINY, clip_tower, listed, released_state, vmamba_state
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from remamber.errors import ExitCode, UserError
from remamber.models import (
    ModelInputs,
    ReleasedReMamber,
    Segmenter,
    build_model,
    from_pretrained,
    from_release,
)
from remamber.models._pretrained import OUR_TEXT
from remamber.models._release_keys import our_key
from remamber.models._weights import convert_weights, inspect_weights
from remamber.models._weights_config import KEY
from remamber.plan.spec import ModelSpec, TextSpec

TEXTS = ["the red ball", "the blue cone on the left"]


def write(path, tensors, **beside):
    torch.save({"model": tensors, **beside}, path)
    return path


def inspected(tmp_path, tensors):
    return inspect_weights(write(tmp_path / "x.pth", tensors))


def refused(function, *arguments):
    with pytest.raises(UserError) as caught:
        function(*arguments)
    assert caught.value.exit_code == ExitCode.DAMAGED
    return "\n".join([caught.value.what, *caught.value.where])


def test_vmamba_b_fills_the_backbone_and_leaves_its_classifier(tmp_path):
    found = inspected(tmp_path, listed("vmamba_base_ckpt_keys.csv"))
    assert found.fits and found.kind == "vmamba"
    assert "VMamba-B (s2l15)" in found.holds and "size base" in found.fit.what
    assert (len(found.checkpoint.tensors), len(found.fit.used)) == (402, 398)
    assert found.fit.left == (
        "classifier.norm.weight",
        "classifier.norm.bias",
        "classifier.head.weight",
        "classifier.head.bias",
    )


@pytest.mark.parametrize(("decoder", "tensors"), [("conv", 684), ("mamba", 834)])
def test_the_released_checkpoints_fit_whole_with_their_text_tower(tmp_path, decoder, tensors):
    model = f"ReMamber_{decoder.capitalize()}"
    state = listed("release_state_dict_base.csv", model=model) | clip_tower()
    path = tmp_path / "best_checkpoint.pth"
    found = inspect_weights(write(path, state, args=argparse.Namespace(lr=1.0), epoch=49))
    assert found.fits and found.kind == "released"
    assert found.holds == f"ReMamber, {decoder} decoder, size base, with its text tower"
    assert len(found.fit.used) == tensors
    assert len(found.text.used) == 4 + 2 * 16
    assert found.checkpoint.inert == ("argparse.Namespace",)


@pytest.mark.parametrize("four_axes", [False, True])
def test_a_converted_backbone_holds_the_files_values(tmp_path, four_axes):
    state = vmamba_state(four_axes=four_axes)
    out = tmp_path / "out.safetensors"
    convert_weights(write(tmp_path / "x.pth", state), out)
    converted = load_file(out)
    used = {k: v for k, v in state.items() if not k.startswith("classifier.")}
    assert {our_key(f"backbone.{k}") for k in used} == set(converted)
    for key, value in used.items():
        own = converted[our_key(f"backbone.{key}")]
        assert torch.equal(own, value.reshape(own.shape)), key
    assert inspect_weights(out).fits


@pytest.mark.parametrize("decoder", ["conv", "mamba"])
def test_a_converted_release_gives_the_releases_logits(tmp_path, decoder):
    state = released_state(decoder)
    out = tmp_path / "out.safetensors"
    convert_weights(write(tmp_path / "x.pth", state | clip_tower()), out)
    inputs = torch.randn(1, 3, 32, 64), torch.randn(1, 7, 24)
    converted = from_pretrained(out)
    assert isinstance(converted, ReleasedReMamber)
    with torch.no_grad():
        assert torch.equal(from_release(state)(*inputs), converted(*inputs))
    assert inspect_weights(out).fits


def test_a_converted_text_tower_loads_into_todays_transformers(tmp_path):
    from transformers import CLIPTextConfig, CLIPTextModel

    tower, out = clip_tower(), tmp_path / "out.safetensors"
    convert_weights(write(tmp_path / "x.pth", released_state() | tower), out)
    text = {
        k.removeprefix("text.tower."): v
        for k, v in load_file(out).items()
        if k.startswith("text.tower.")
    }
    config = CLIPTextConfig(
        vocab_size=50,
        hidden_size=24,
        intermediate_size=96,
        projection_dim=24,
        num_hidden_layers=2,
        num_attention_heads=2,
    )
    CLIPTextModel(config).load_state_dict(text)
    key = "encoder.layers.1.mlp.fc1.weight"
    assert torch.equal(text[key], tower[f"text_encoder.text_model.{key}"])


def test_the_header_names_the_model_and_the_source(tmp_path):
    out = tmp_path / "out.safetensors"
    convert_weights(write(tmp_path / "x.pth", released_state("mamba")), out)
    with safe_open(out, "pt") as stream:
        said = json.loads(stream.metadata()[KEY])
    assert (said["holds"], said["release"]["decoder"]) == ("released", "mamba")
    assert said["release"]["size"]["dims"] == [32, 64, 96, 128]
    assert said["source"][0] == "x.pth" and len(said["source"][1]) == 64


def test_another_size_of_vmamba_is_recognised(tmp_path):
    size = TINY._replace(dims=(96, 192, 384, 768), depths=(2, 2, 8, 2))
    found = inspected(tmp_path, vmamba_state(size=size))
    assert not found.fits
    assert found.likely == "VMamba-T (s1l8), widths 96-192-384-768, depths 2-2-8-2"
    out = tmp_path / "out.safetensors"
    assert found.likely in refused(convert_weights, tmp_path / "x.pth", out)
    assert not out.exists()


def test_a_deeper_vmamba_b_has_tensors_too_many(tmp_path):
    state = listed("vmamba_base_ckpt_keys.csv")
    for i in range(15, 20):
        for key in [k for k in state if k.startswith("layers.2.blocks.0.")]:
            state[key.replace("blocks.0", f"blocks.{i}")] = state[key]
    found = inspected(tmp_path, state)
    assert not found.fits and "VMamba-B (s1l20)" in found.likely
    assert "layers.2.blocks.15.norm.weight" in found.fit.extra


def test_missing_and_renamed_tensors_are_named(tmp_path):
    state = vmamba_state()
    state["layers.0.blocks.0.op.D"] = state.pop("layers.0.blocks.0.op.Ds")
    del state["layers.3.blocks.0.norm.weight"]
    fit = inspected(tmp_path, state).fit
    assert fit.extra == ("layers.0.blocks.0.op.D",)
    assert fit.missing == ("layers.0.blocks.0.op.Ds", "layers.3.blocks.0.norm.weight")
    assert [r.expected for r in fit.renamed] == ["layers.0.blocks.0.op.Ds"]
    assert any("op.D for layers.0.blocks.0.op.Ds?" in line for line in fit.troubles())


def test_a_text_tower_that_lacks_a_tensor_does_not_fit(tmp_path):
    tower = clip_tower()
    del tower["text_encoder.text_model.final_layer_norm.weight"]
    found = inspected(tmp_path, released_state() | tower)
    assert found.fit.fits and not found.fits
    assert found.text.missing == ("final_layer_norm.weight",)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("layers.0.blocks.0.attn.qkv.weight", "a Swin transformer, or LAVT"),
        ("backbone.layers.0.blocks.0.attn.qkv.weight", "a Swin transformer, or LAVT"),
        ("text_model.encoder.layers.0.self_attn.k_proj.weight", "a CLIP text tower alone"),
        ("layer1.0.conv1.weight", "a ResNet"),
        ("backbone.layers.0.mixer.A_log", "a Mamba language model"),
        ("fc.weight", ""),
    ],
)
def test_a_checkpoint_of_another_kind_is_refused_and_named(tmp_path, key, name):
    message = refused(inspected, tmp_path, {key: torch.zeros(2, 2)})
    assert ("likely" in message) == bool(name) and name in message and key in message


def trained(seed=0, **spec):
    spec = ModelSpec(text=TextSpec(length=6), **spec)
    model = build_model(spec, ModelInputs(TEXTS, seed=seed)).eval()
    with torch.no_grad():
        for value in model.parameters():
            value.add_(0.01 * torch.randn_like(value))
    return model


@pytest.mark.parametrize("decoder", ["conv", "mamba"])
def test_a_saved_model_comes_back_with_its_words_and_logits(tmp_path, decoder):
    model = trained(decoder=decoder)
    model.save_pretrained(tmp_path / "saved")
    again = from_pretrained(tmp_path / "saved")
    assert isinstance(again, Segmenter) and again.spec == model.spec and not again.training
    assert again.tokenizer.ids == model.tokenizer.ids
    tokens, image = model.tokenizer(["blue ball"]), torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        one, two = (m(image, tokens.ids, tokens.mask) for m in (model, again))
    assert torch.equal(one, two)


def test_a_saved_folder_says_what_it_holds(tmp_path):
    folder = Path(trained().save_pretrained(tmp_path / "saved"))
    config = json.loads((folder / "config.json").read_text())
    assert config["spec"]["fusion"]["name"] == "twister"
    assert config["vocabulary"][0] == "the"
    with safe_open(folder / "model.safetensors", "pt") as stream:
        assert json.loads(stream.metadata()[KEY]) == config
    found = inspect_weights(folder)
    assert found.fits and found.kind == "ours"


def test_a_class_loads_its_own_kind_only(tmp_path):
    released = from_release(released_state())
    released.save_pretrained(tmp_path / "released")
    trained().save_pretrained(tmp_path / "trained")
    again = ReleasedReMamber.from_pretrained(tmp_path / "released")
    assert again.shape == released.shape
    assert "not those of" in refused(ReleasedReMamber.from_pretrained, tmp_path / "trained")
    assert "not those of" in refused(Segmenter.from_pretrained, tmp_path / "released")


def test_a_backbone_alone_is_no_model(tmp_path):
    out = tmp_path / "out.safetensors"
    convert_weights(write(tmp_path / "x.pth", vmamba_state()), out)
    assert "holds 'backbone'" in refused(from_pretrained, out)


def test_tensors_without_a_header_are_refused(tmp_path):
    save_file({"a": torch.ones(1)}, tmp_path / "model.safetensors")
    assert "does not say which model" in refused(from_pretrained, tmp_path)


def test_a_header_that_lies_about_the_tensors_is_refused(tmp_path):
    folder = Path(trained().save_pretrained(tmp_path / "saved"))
    path = folder / "model.safetensors"
    with safe_open(path, "pt") as stream:
        header = stream.metadata()
    header[KEY] = header[KEY].replace('"conv"', '"mamba"')
    save_file(load_file(path), path, metadata=header)
    assert "missing" in refused(from_pretrained, folder)


@pytest.mark.parametrize(
    ("number", "claimed"),
    [
        ("dims", [0, 64, 96, 128]),
        ("dims", [-1, 64, 96, 128]),
        ("dims", [10**12, 64, 96, 128]),
        ("depths", [10**9, 1, 1, 1]),
        ("channel_grid", 10**10),
    ],
)
def test_a_header_that_claims_an_outlandish_size_is_refused(tmp_path, number, claimed):
    """Nothing is built of it: that would end in no time, or in no memory."""
    header = {"holds": "backbone", "size": TINY._asdict() | {number: claimed}}
    save_file({"a": torch.ones(1)}, tmp_path / "x.safetensors", {KEY: json.dumps(header)})
    assert "is not between" in refused(inspect_weights, tmp_path / "x.safetensors")


def test_a_tensor_of_text_too_many_is_refused(tmp_path):
    """A published model may come with a text tower that is loaded apart; one of ours may not."""
    folder = Path(trained().save_pretrained(tmp_path / "saved"))
    path = folder / "model.safetensors"
    with safe_open(path, "pt") as stream:
        header = stream.metadata()
    save_file(load_file(path) | {f"{OUR_TEXT}more": torch.ones(1)}, path, metadata=header)
    assert "too many" in refused(from_pretrained, folder)


@pytest.mark.parametrize("name", ["model.safetensors", "checkpoint.pt"])
def test_our_own_tensors_without_a_header_are_not_taken_for_the_release(tmp_path, name):
    state = {k: v.contiguous() for k, v in trained().state_dict().items()}
    if name == "checkpoint.pt":
        write(tmp_path / name, state, optimiser={})
    else:
        save_file(state, tmp_path / name)
    assert "does not say of which" in refused(inspect_weights, tmp_path / name)


@pytest.mark.parametrize("old", ['"name":"twister"', '"scan_order":"channel-spatial"'])
def test_a_header_that_names_a_part_that_is_not_here_says_so(tmp_path, old):
    path = Path(trained().save_pretrained(tmp_path / "saved")) / "model.safetensors"
    with safe_open(path, "pt") as stream:
        header = stream.metadata()
    assert old in header[KEY]
    header[KEY] = header[KEY].replace(old, old[: old.index(":")] + ':"of-a-package"')
    save_file(load_file(path), path, metadata=header)
    for door in (inspect_weights, from_pretrained):
        assert "cannot be built here: unknown" in refused(door, path)


@pytest.mark.parametrize("header", [{"holds": "released"}, {"holds": "model", "version": 2}])
def test_a_header_that_this_version_does_not_read_is_named(tmp_path, header):
    save_file({"a": torch.ones(1)}, tmp_path / "x.safetensors", {KEY: json.dumps(header)})
    assert "say of themselves" in refused(inspect_weights, tmp_path / "x.safetensors")


@pytest.mark.parametrize("channels", [0, 10**7])
def test_shapes_of_no_model_are_refused(tmp_path, channels):
    state = released_state()
    state["backbone.patch_embed.5.weight"] = torch.zeros(()).expand(channels, 16, 3, 3)
    assert "of no model" in refused(inspected, tmp_path, state)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (torch.ones(32, dtype=torch.int8), "int8"),
        (torch.ones(32, dtype=torch.bool), "bool"),
        (torch.ones(32, dtype=torch.complex64), "complex64"),
        (torch.ones(32).to(torch.float8_e4m3fn), "float8_e4m3fn"),
        (torch.ones(32).to_sparse(), "sparse"),
        (torch.ones(32, device="meta"), "without values"),
    ],
)
def test_a_tensor_that_is_no_weight_does_not_fit(tmp_path, value, said):
    found = inspected(tmp_path, vmamba_state() | {"layers.0.blocks.0.norm.weight": value})
    assert found.fit.other_type == (f"layers.0.blocks.0.norm.weight is {said}",)
    assert not found.fits


def test_a_float64_model_comes_back_to_the_last_bit(tmp_path):
    model = trained(decoder="mamba").double()
    tokens, image = model.tokenizer(["blue ball"]), torch.randn(1, 3, 32, 32).double()
    again = from_pretrained(model.save_pretrained(tmp_path / "saved"))
    with torch.no_grad():
        one, two = (m(image, tokens.ids, tokens.mask) for m in (model, again))
    assert one.dtype == torch.float64 and torch.equal(one, two)


def test_a_damaged_vocabulary_is_refused(tmp_path):
    folder = Path(trained().save_pretrained(tmp_path / "saved"))
    path = folder / "model.safetensors"
    with safe_open(path, "pt") as stream:
        header = stream.metadata()
    header[KEY] = header[KEY].replace('"ball"', '"the"')
    save_file(load_file(path), path, metadata=header)
    assert "vocabulary" in refused(from_pretrained, folder)


def test_nothing_is_fetched_unless_asked_for(tmp_path, monkeypatch):
    import huggingface_hub

    asked = []

    def snapshot(name, *, local_files_only, **_):
        asked.append((name, local_files_only))
        raise huggingface_hub.errors.LocalEntryNotFoundError("not here")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    with pytest.raises(UserError) as caught:
        from_pretrained("owner/name")
    assert caught.value.exit_code == ExitCode.MISSING and asked == [("owner/name", True)]
    assert "hf download owner/name" in caught.value.fix


class Hub:
    """Stands in for huggingface_hub's API: keeps what is uploaded in a folder."""

    def __init__(self, root):
        self.root, self.asked = root, []

    def __call__(self, token=None):
        self.asked.append(token)
        return self

    def create_repo(self, repo_id, *, private, exist_ok):
        self.asked.append((private, exist_ok))
        return argparse.Namespace(repo_id=repo_id)

    def upload_folder(self, *, repo_id, folder_path, revision, **_):
        shutil.copytree(folder_path, self.root / repo_id)
        return f"https://hub/{repo_id}/{revision}"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    hub = Hub(tmp_path / "hub")
    monkeypatch.setattr("huggingface_hub.hub_mixin.HfApi", hub)
    return hub


def test_what_is_pushed_to_the_hub_comes_back(hub):
    model = trained()
    address = model.push_to_hub("owner/name", private=True, token="mine", branch="main")
    assert address == "https://hub/owner/name/main"
    assert hub.asked == ["mine", (True, True)]
    again = from_pretrained(hub.root / "owner" / "name").state_dict()
    assert all(torch.equal(again[k], v) for k, v in model.state_dict().items())
    assert "library_name: remamber-bench" in (hub.root / "owner/name/README.md").read_text()


def test_a_model_is_one_of_huggingface_hubs_own(hub, tmp_path, monkeypatch):
    """Code that knows the hub's interface and nothing of ours saves, pushes and opens it."""
    import huggingface_hub

    model = trained()
    assert isinstance(model, huggingface_hub.ModelHubMixin)
    url = model.save_pretrained(tmp_path / "saved", push_to_hub=True, repo_id="owner/name")
    assert url == "https://hub/owner/name/None"

    def snapshot(repo_id, *, local_files_only, revision, **_):
        assert (local_files_only, revision) == (False, "v1")
        return str(hub.root / repo_id)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    for source in (tmp_path / "saved", str(tmp_path / "saved"), "owner/name"):
        again = type(model).from_pretrained(source, local_files_only=False, revision="v1")
        assert isinstance(again, type(model)) and again.spec == model.spec


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write to"):
        trained().save_pretrained(tmp_path / "file" / "saved")


@pytest.mark.parametrize("offline", [True, False])
def test_an_upload_that_does_not_reach_the_hub_is_explained(monkeypatch, offline):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match="could not upload to 'owner/name'"):
        trained().push_to_hub("owner/name")


def test_a_name_that_no_repository_can_have_is_refused():
    with pytest.raises(UserError, match="no weights 'a b/c'"):
        from_pretrained("a b/c")
