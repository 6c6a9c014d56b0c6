"""A saved model takes its pretrained text tower's configuration and its tokenizer along."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from text_folders import FOLDER, WRITE

from remamber.errors import ExitCode, UserError
from remamber.models import ModelInputs, build_model, from_pretrained
from remamber.models._text_saved import PREFIX, numbers_of
from remamber.models._weights import inspect_weights
from remamber.models._weights_config import KEY
from remamber.plan.spec import ModelSpec, TextSpec
from remamber.plan.text_files import with_fingerprint

TEXTS = ["The red balls on the left", "", "zebra, 漢字!", "man"]


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture(scope="module", params=["clip", "bert"])
def saved(request, tmp_path_factory):
    """A model, and the folder it was saved to; the encoder's own folder is gone since."""
    root, name = tmp_path_factory.mktemp("data"), request.param
    WRITE[name](root / FOLDER[name])
    text = with_fingerprint(TextSpec(name=name, length=8), root)
    model = build_model(ModelSpec(text=text), ModelInputs((), root=root)).eval()
    folder = Path(model.save_pretrained(root / "saved"))
    shutil.rmtree(root / FOLDER[name])
    return model, folder


@pytest.fixture
def copied(saved, tmp_path):
    """A copy of the saved file alone, its header for the changing."""
    path = tmp_path / "alone.safetensors"
    with safe_open(saved[1] / "model.safetensors", "pt") as stream:
        header = stream.metadata()

    def write(header):
        save_file(load_file(saved[1] / "model.safetensors"), path, metadata=header)
        return path

    return header, write


def same(one, two):
    tokens, again = one.tokenizer(TEXTS), two.tokenizer(TEXTS)
    assert torch.equal(tokens.ids, again.ids) and torch.equal(tokens.mask, again.mask)
    assert tokens[2:] == again[2:]
    image = torch.randn(len(TEXTS), 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(*(m(image, tokens.ids, tokens.mask) for m in (one, two)))


def test_a_saved_folder_opens_without_the_encoders_own(saved):
    model, folder = saved
    again = from_pretrained(folder)
    assert again.spec == model.spec and again.spec.text.fingerprint
    same(model, again)


def test_the_weights_file_alone_is_enough(saved, copied):
    header, write = copied
    same(saved[0], from_pretrained(write(header)))


def test_what_was_opened_can_be_saved_again(saved, tmp_path):
    again = from_pretrained(saved[1])
    same(saved[0], from_pretrained(again.save_pretrained(tmp_path / "twice")))


def test_weights_check_needs_no_data_root(saved):
    found = inspect_weights(saved[1])
    assert found.fits and found.kind == "ours"


def test_other_programs_find_the_tokenizer_in_the_folder(saved):
    from transformers import AutoTokenizer

    model, folder = saved
    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    ids = tokenizer(TEXTS, padding="max_length", truncation=True, max_length=8)["input_ids"]
    assert ids == model.tokenizer(TEXTS).ids.tolist()


def refused(path):
    with pytest.raises(UserError) as caught:
        from_pretrained(path)
    assert caught.value.exit_code is ExitCode.DAMAGED
    return "\n".join([caught.value.what, *caught.value.where])


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("hidden_size", 10**12, "hidden_size is more than"),
        ("num_hidden_layers", 10**5, "num_hidden_layers is more than"),
        ("_attn_implementation", "someone/kernel", "is no number"),
        ("hidden_act", "no such function", "text encoder"),
        ("num_attention_heads", 0, "text encoder"),
        ("hidden_size", 40, "shape"),
    ],
)
def test_a_header_that_lies_about_the_tower_is_refused(copied, key, value, said):
    header, write = copied
    content = json.loads(header[KEY])
    content["text"]["tower"][key] = value
    assert said in refused(write(header | {KEY: json.dumps(content)}))


def test_a_damaged_tokenizer_is_refused(copied):
    header, write = copied
    damaged = {key: value[: len(value) // 2] for key, value in header.items() if PREFIX in key}
    assert damaged
    assert "tokenizer" in refused(write(header | damaged))


def test_no_file_of_another_name_is_written(copied, tmp_path):
    header, write = copied
    place = f"{PREFIX}../../../../../../../../{tmp_path}/outside"
    from_pretrained(write(header | {place: "x", f"{PREFIX}code.py": "x"}))
    assert not (tmp_path / "outside").exists()


def test_of_a_configuration_only_numbers_and_the_activation_are_kept():
    kept = {"hidden_size": 8, "layer_norm_eps": 1e-5, "hidden_act": "gelu"}
    dropped = {"auto_map": {"x": "y"}, "_attn_implementation": "a/b", "name": "x", "n": None}
    assert numbers_of(kept | dropped) == kept
