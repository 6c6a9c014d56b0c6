"""Finding a pretrained text encoder's files, and saying what is missing and how to get it."""

import subprocess
import sys

import pytest

from remamber.errors import ExitCode, UserError
from remamber.plan.spec import TextSpec
from remamber.plan.text_files import PRETRAINED, text_folder, wanted_files, with_fingerprint

FILES = {
    "clip": ("config.json", "vocab.json", "merges.txt", "model.safetensors"),
    "bert": ("config.json", "vocab.txt", "model.safetensors"),
}


@pytest.fixture(autouse=True)
def hub(monkeypatch, tmp_path):
    """An empty cache, and no network."""
    cache = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return cache


@pytest.fixture(params=FILES)
def name(request):
    return request.param


def fill(folder, name):
    folder.mkdir(parents=True)
    for file in FILES[name]:
        (folder / file).write_text(f"{file} of {name}")
    return folder


def put_in_cache(hub, repository, name):
    base = hub / f"models--{repository.replace('/', '--')}"
    (base / "refs").mkdir(parents=True)
    (base / "refs" / "main").write_text("abc")
    return fill(base / "snapshots" / "abc", name)


def test_it_is_found_below_the_data_root(name, tmp_path):
    short = PRETRAINED[name].repository.rpartition("/")[2]
    for i, path in enumerate((short, PRETRAINED[name].repository)):
        root = tmp_path / str(i)
        folder = fill(root / path, name)
        assert text_folder(name, root) == folder


def test_it_is_found_in_the_cache_under_any_name_it_had(name, hub):
    known = PRETRAINED[name]
    folder = put_in_cache(hub, [known.repository, *known.older][-1], name)
    assert text_folder(name, None) == folder


def test_a_folder_below_the_root_wins_over_the_cache(hub, tmp_path):
    put_in_cache(hub, PRETRAINED["clip"].repository, "clip")
    folder = fill(tmp_path / "root" / "clip-vit-large-patch14", "clip")
    assert text_folder("clip", tmp_path / "root") == folder


def test_a_missing_one_says_how_to_get_it(name, tmp_path):
    with pytest.raises(UserError, match="not on this machine") as refused:
        text_folder(name, tmp_path)
    error = refused.value
    assert error.exit_code is ExitCode.MISSING
    assert error.fix[0].startswith(f"hf download {PRETRAINED[name].repository} config.json")
    assert any("--download" in line for line in error.fix)
    assert any(str(tmp_path) in line for line in error.where)


def test_every_missing_file_is_named(name, tmp_path):
    for file in FILES[name]:
        folder = fill(tmp_path / file / PRETRAINED[name].repository, name)
        (folder / file).unlink()
        with pytest.raises(UserError, match=file) as refused:
            text_folder(name, tmp_path / file)
        assert refused.value.exit_code is ExitCode.DAMAGED
        assert refused.value.path == str(folder)


def test_tokenizer_json_stands_for_the_vocabulary_and_bin_for_safetensors(name, tmp_path):
    folder = fill(tmp_path / PRETRAINED[name].repository, name)
    for file in PRETRAINED[name].vocabulary:
        (folder / file).unlink()
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert text_folder(name, tmp_path) == folder


def test_the_fingerprint_is_of_the_content(name, tmp_path):
    short = PRETRAINED[name].repository.rpartition("/")[2]
    one, two = fill(tmp_path / "a" / short, name), fill(tmp_path / "b" / short, name)
    (two / "README.md").write_text("of no consequence")
    spec = TextSpec(name=name)
    first = with_fingerprint(spec, tmp_path / "a")
    assert len(first.fingerprint) == 64
    assert with_fingerprint(spec, tmp_path / "b") == first
    for file in FILES[name]:
        before = (one / file).read_text()
        (one / file).write_text("other")
        assert with_fingerprint(spec, tmp_path / "a").fingerprint != first.fingerprint, file
        (one / file).write_text(before)


def test_word_needs_no_files():
    assert with_fingerprint(TextSpec(), None) == TextSpec()


def test_only_download_fetches_and_only_what_is_missing(name, hub):
    asked = []

    def fetch(repository, files):
        asked.append((repository, files))
        return put_in_cache(hub, repository, name)

    with pytest.raises(UserError, match="not on this machine"):
        with_fingerprint(TextSpec(name=name), None, fetch=fetch)
    assert asked == []
    spec = with_fingerprint(TextSpec(name=name), None, download=True, fetch=fetch)
    assert asked == [(PRETRAINED[name].repository, wanted_files(name))]
    again = with_fingerprint(TextSpec(name=name), None, download=True, fetch=fetch)
    assert again == spec and len(asked) == 1


def test_a_failed_download_is_one_sentence(name):
    with pytest.raises(UserError, match="could not download") as refused:
        with_fingerprint(TextSpec(name=name), None, download=True)
    assert refused.value.exit_code is ExitCode.MISSING


def test_looking_for_files_imports_no_torch():
    code = (
        "import sys; from remamber.plan.text_files import text_folder\n"
        "from remamber.errors import UserError\n"
        "try: text_folder('clip', None)\n"
        "except UserError: pass\n"
        "print({'torch', 'transformers', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
