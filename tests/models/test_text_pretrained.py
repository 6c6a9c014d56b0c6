"""Pretrained text encoders from local folders: features, lengths, bad files; no network."""

import shutil

import pytest
import torch
from text_folders import FOLDER, POSITIONS, WIDTH, WRITE, write_bert, write_clip

from remamber.errors import ExitCode, UserError
from remamber.models import ModelInputs, build_model
from remamber.models._sizes import SIZES
from remamber.models._text_open import open_text
from remamber.models._text_pretrained import PretrainedTokenizer
from remamber.plan.spec import FusionSpec, ModelSpec, TextSpec
from remamber.plan.text_files import with_fingerprint
from remamber.registry import FUSIONS

NAMES = ["clip", "bert"]


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    for name in NAMES:
        WRITE[name](root / FOLDER[name])
    return root


def opened(name, root, *, length=12, **more):
    spec = TextSpec(name=name, length=length, **more)
    return open_text(spec, texts=(), size=SIZES["tiny"], root=root, seed=0)


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def features(text, texts):
    tokens = text.tokenizer(texts)
    with torch.no_grad():
        return text.encoder.eval()(tokens.ids, tokens.mask)


def test_features_are_those_of_transformers_own_model(name, root):
    """Token features after the last norm, and the model's own pooled feature."""
    import transformers

    model = {"clip": transformers.CLIPModel, "bert": transformers.BertForPreTraining}[name]
    whole = model.from_pretrained(str(root / FOLDER[name])).eval()
    tower = {"clip": lambda: whole.text_model, "bert": lambda: whole.bert}[name]()
    text = opened(name, root)
    tokens = text.tokenizer(["the red ball", "man"])
    got = features(text, ["the red ball", "man"])
    with torch.no_grad():
        expected = tower(input_ids=tokens.ids, attention_mask=tokens.mask.long())
    assert torch.equal(got.tokens, expected.last_hidden_state)
    assert torch.equal(got.pooled, expected.pooler_output)
    assert got.tokens.shape == (2, 12, text.encoder.width) and text.encoder.width == WIDTH[name]


def test_clips_pooled_feature_is_that_of_the_first_end_token(root):
    text = opened("clip", root)
    tokens, got = text.tokenizer(["the red ball"]), features(text, ["the red ball"])
    assert torch.equal(got.pooled[0], got.tokens[0, int(tokens.mask.sum()) - 1])


def test_an_expression_has_start_pieces_end_and_padding(name, root):
    tokens = opened(name, root).tokenizer(["The red balls", "", "zebra"])
    frame = 2
    assert tokens.mask.sum(1).tolist()[1] == frame
    assert (tokens.truncated, tokens.mask.shape) == (0, (3, 12))
    assert tokens.words > 4
    assert (tokens.unknown > 0) == (name == "bert"), "only BERT has a word for unknown"
    first = tokens.ids[:, 0]
    assert (first == first[0]).all() and first[0] != tokens.ids[0, 1]


def test_truncation_is_counted_and_keeps_the_end(name, root):
    text = opened(name, root, length=5)
    short, long = "the red ball", "the red ball on the left"
    tokens = text.tokenizer([short, long])
    assert tokens.truncated == 1
    assert tokens.mask.all()
    assert torch.equal(tokens.ids[0], tokens.ids[1]), "cut to what the short one says"
    whole = opened(name, root).tokenizer([short, long])
    assert whole.truncated == 0


def test_padding_does_not_change_the_real_tokens(name, root):
    short, long = opened(name, root, length=6), opened(name, root, length=14)
    one, two = (features(t, ["the red ball"]) for t in (short, long))
    real = one.mask[0]
    torch.testing.assert_close(one.tokens[0][real], two.tokens[0, :6][real], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(one.pooled, two.pooled, atol=1e-6, rtol=1e-5)


def test_any_text_tokenises(name, root):
    texts = ["", "   ", "?!", "Ünïcode — 漢字 🎈", "a" * 300]
    text = opened(name, root)
    assert torch.isfinite(features(text, texts).tokens).all()


@pytest.mark.parametrize("fusion", FUSIONS.names())
def test_every_fusion_follows_the_encoders_width(name, fusion, root):
    spec = ModelSpec(fusion=FusionSpec(name=fusion, depth=1), text=TextSpec(name=name, length=8))
    model = build_model(spec, ModelInputs((), root=root)).train()
    tokens = model.tokenizer(["the red ball", "man"])
    logits = model(torch.randn(2, 3, 32, 32), tokens.ids, tokens.mask)
    logits.square().sum().backward()
    assert logits.shape == (2, 1, 32, 32)
    tuned = [p for p in model.text.parameters() if p.grad is not None and p.grad.any()]
    assert len(tuned) > 5, "the text encoder is trained further"


@pytest.mark.parametrize("more", [{"fast": True}, {"text_only": True}], ids=str)
def test_other_layouts_of_clips_folder_give_the_same(tmp_path, more, root):
    folder = write_clip(tmp_path / "clip-vit-large-patch14", **more)
    if "text_only" in more:
        from safetensors.torch import load_file, save_file

        whole = load_file(root / FOLDER["clip"] / "model.safetensors")
        of_text = {k: v for k, v in whole.items() if k.startswith("text_model.")}
        save_file(of_text, folder / "model.safetensors", metadata={"format": "pt"})
    one, two = (
        features(opened("clip", place), ["the red ball", "man"]) for place in (root, tmp_path)
    )
    assert torch.equal(one.tokens, two.tokens) and torch.equal(one.pooled, two.pooled)


def test_berts_fast_tokenizer_file_alone_is_enough(tmp_path, root):
    write_bert(tmp_path / "bert-base-uncased", fast=True)
    one, two = (opened("bert", place).tokenizer(["the red balls"]) for place in (root, tmp_path))
    assert torch.equal(one.ids, two.ids)


def test_weights_of_another_shape_are_refused_by_name(name, root, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(root / FOLDER[name], tmp_path / FOLDER[name])
    state = load_file(folder / "model.safetensors")
    lost = next(k for k in state if "layers.1" in k or "layer.1" in k if "vision" not in k)
    del state[lost]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="not those of text encoder") as refused:
        opened(name, tmp_path)
    assert refused.value.exit_code is ExitCode.DAMAGED
    assert lost.rpartition(".layer")[2] in refused.value.where[0]


def test_torn_weights_name_the_folder(name, root, tmp_path):
    folder = shutil.copytree(root / FOLDER[name], tmp_path / FOLDER[name])
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="weights of the text encoder") as refused:
        opened(name, tmp_path)
    assert refused.value.exit_code is ExitCode.DAMAGED and refused.value.path == str(folder)


def test_a_length_beyond_the_models_positions_names_the_limit(root):
    with pytest.raises(UserError, match="knows 16 positions") as refused:
        opened("clip", root, length=20)
    assert f"length={POSITIONS['clip']}" in refused.value.fix[0]


def test_other_weights_than_the_planned_are_refused(name, root, tmp_path):
    spec = with_fingerprint(TextSpec(name=name, length=12), root)
    WRITE[name](tmp_path / FOLDER[name], seed=1)
    assert opened(name, root, fingerprint=spec.fingerprint).encoder
    with pytest.raises(UserError, match="not the one that this run was planned with"):
        opened(name, tmp_path, fingerprint=spec.fingerprint)


def test_a_missing_end_of_vocabulary_is_no_crash(root, tmp_path):
    folder = shutil.copytree(root / FOLDER["clip"], tmp_path / FOLDER["clip"])
    (folder / "vocab.json").write_text('{"the": ')
    with pytest.raises(UserError, match="tokenizer of the text encoder"):
        PretrainedTokenizer(folder, length=8)
