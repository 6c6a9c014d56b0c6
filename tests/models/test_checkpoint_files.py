import argparse
import pickle
import sys

import numpy as np
import pytest
import torch
from pickles import foreign_class, hostile
from safetensors.torch import save_file

from remamber.errors import ExitCode, UserError
from remamber.models._checkpoint_files import read_checkpoint

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.steps": torch.tensor(3)}
ZIP, LEGACY = True, False


def write(path, content, *, zipped=ZIP):
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


def refused(path):
    with pytest.raises(UserError) as caught:
        read_checkpoint(path)
    assert caught.value.exit_code == ExitCode.DAMAGED
    return caught.value


@pytest.mark.parametrize("place", ["model", "state_dict", None])
@pytest.mark.parametrize("zipped", [ZIP, LEGACY])
def test_both_formats_of_torch_are_read(tmp_path, zipped, place):
    content = {place: TENSORS, "epoch": 3} if place else TENSORS
    read = read_checkpoint(write(tmp_path / "x.pth", content, zipped=zipped))
    assert read.format == ("torch zip" if zipped else "torch legacy")
    assert read.others == (("epoch",) if place else ())
    assert read.tensors.keys() == TENSORS.keys()
    assert all(torch.equal(read.tensors[k], v) for k, v in TENSORS.items())


@pytest.mark.parametrize("name", ["x.safetensors", "x.bin"])
def test_safetensors_are_read_with_their_header_whatever_their_name(tmp_path, name):
    save_file(TENSORS, tmp_path / name, metadata={"remamber": "x"})
    read = read_checkpoint(tmp_path / name)
    assert (read.format, read.metadata) == ("safetensors", {"remamber": "x"})
    assert torch.equal(read.tensors["a.weight"], TENSORS["a.weight"])


def test_prefixes_of_wrappers_are_taken_off(tmp_path):
    wrapped = {f"_orig_mod.module.{key}": value for key, value in TENSORS.items()}
    read = read_checkpoint(write(tmp_path / "x.pth", {"model": wrapped}))
    assert read.tensors.keys() == TENSORS.keys()


@pytest.mark.parametrize("zipped", [ZIP, LEGACY])
def test_a_vmamba_checkpoints_other_parts_are_not_executed(tmp_path, monkeypatch, zipped):
    """Optimiser, numbers of numpy and a yacs configuration, as VMamba's saver writes them."""
    node = foreign_class(monkeypatch, "yacs.config", "CfgNode", (dict,))
    config = node(MODEL=node(NAME="vssm", DEPTHS=[2, 2, 15, 2]))
    config.__dict__["__immutable__"] = True
    optimiser = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(2))])
    content = {
        "model": TENSORS,
        "optimizer": optimiser.state_dict(),
        "max_accuracy": np.float64(83.9),
        "config": config,
    }
    path = write(tmp_path / "x.pth", content, zipped=zipped)
    monkeypatch.delitem(sys.modules, "yacs.config")
    read = read_checkpoint(path)
    assert torch.equal(read.tensors["a.weight"], TENSORS["a.weight"])
    assert read.others == ("optimizer", "max_accuracy", "config")
    assert "yacs.config.CfgNode" in read.inert
    assert "yacs.config" not in sys.modules


@pytest.mark.parametrize("zipped", [ZIP, LEGACY])
def test_an_argument_namespace_is_replaced(tmp_path, zipped):
    content = {"model": TENSORS, "args": argparse.Namespace(lr=5e-5, opt_betas=None)}
    read = read_checkpoint(write(tmp_path / "x.pth", content, zipped=zipped))
    assert (read.others, read.inert) == (("args",), ("argparse.Namespace",))


@pytest.mark.parametrize("zipped", [ZIP, LEGACY])
@pytest.mark.parametrize("name", list(hostile("")))
def test_a_file_with_code_inside_is_refused_and_none_of_it_runs(tmp_path, name, zipped):
    marker = tmp_path / "marker"
    bad = hostile(marker)[name]
    for content in (
        {"model": TENSORS, "config": bad},
        {"model": TENSORS, "args": argparse.Namespace(inner=bad)},
        {"model": {**TENSORS, "x": bad}},
        bad,
    ):
        error = refused(write(tmp_path / "x.pth", content, zipped=zipped))
        assert "is refused: reading it would load" in error.what
        assert not marker.exists()


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", list(hostile("")))
def test_a_plain_pickle_with_code_inside_is_refused(tmp_path, name, protocol):
    marker = tmp_path / "marker"
    path = tmp_path / "x.pth"
    path.write_bytes(pickle.dumps({"model": hostile(marker)[name]}, protocol=protocol))
    refused(path)
    assert not marker.exists()


def test_the_hostile_pickles_would_run_if_they_were_opened_carelessly(tmp_path):
    marker = tmp_path / "marker"
    pickle.loads(pickle.dumps(hostile(marker)["eval"]))
    assert marker.exists()


def test_a_class_that_no_checkpoint_needs_is_refused_by_name(tmp_path, monkeypatch):
    made = foreign_class(monkeypatch, "wandb.sdk", "Run")
    path = write(tmp_path / "x.pth", {"model": TENSORS, "run": made()})
    assert "wandb.sdk.Run" in refused(path).what


def test_reading_leaves_nothing_allowed_behind(tmp_path):
    before = set(torch.serialization.get_safe_globals())
    read_checkpoint(write(tmp_path / "x.pth", {"model": TENSORS}))
    assert set(torch.serialization.get_safe_globals()) == before


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.97])
@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_a_file_that_is_cut_short_is_refused(tmp_path, kind, share):
    path = tmp_path / ("x.safetensors" if kind == "safetensors" else "x.pth")
    tensors = {f"layer{i}": torch.randn(50) for i in range(8)}
    if kind == "safetensors":
        save_file(tensors, path)
    else:
        write(path, {"model": tensors}, zipped=kind == "zip")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert str(path) in "".join(refused(path).where)


@pytest.mark.parametrize("seed", range(8))
def test_random_bytes_are_refused(tmp_path, seed):
    path = tmp_path / "x.pth"
    path.write_bytes(np.random.default_rng(seed).bytes(300))
    refused(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>quota exceeded</html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a pointer"),
    ],
)
def test_what_a_failed_download_leaves_is_recognised(tmp_path, content, message):
    path = tmp_path / "x.pth"
    path.write_bytes(content)
    assert message in refused(path).what


@pytest.mark.parametrize("content", [[1, 2], torch.ones(3), {"epoch": 3}, {"model": {"a": 1}}])
def test_a_file_without_a_model_is_refused(tmp_path, content):
    assert "holds no model" in refused(write(tmp_path / "x.pth", content)).what


@pytest.mark.parametrize("name", ["nothing.pth", "folder"])
def test_a_missing_file_is_a_missing_file(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError) as caught:
        read_checkpoint(tmp_path / name)
    assert caught.value.exit_code == ExitCode.MISSING


def test_a_container_that_holds_itself_is_no_model(tmp_path):
    content = {"epoch": 3}
    content["model"] = content
    assert "holds no model" in refused(write(tmp_path / "x.pth", content)).what


def test_a_header_as_long_as_a_tag_is_no_web_page(tmp_path):
    """The length comes first: 0x3c20 reads as a space and an opening bracket."""
    header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'.ljust(0x3C20)
    content = len(header).to_bytes(8, "little") + header + b"\0\0\0\0"
    (tmp_path / "x.safetensors").write_bytes(content)
    assert list(read_checkpoint(tmp_path / "x.safetensors").tensors) == ["a"]


def write_zip(path):
    write(path, {"model": {f"layer{i}": torch.randn(500) for i in range(4)}})
    return bytearray(path.read_bytes())


@pytest.mark.parametrize("i", range(4))
def test_a_flipped_byte_in_a_zips_tensor_is_refused_and_its_part_named(tmp_path, i):
    content = write_zip(tmp_path / "x.pth")
    whole = read_checkpoint(tmp_path / "x.pth").tensors[f"layer{i}"]
    at = content.index(whole.numpy().tobytes()) + 701
    content[at] ^= 0x20
    (tmp_path / "x.pth").write_bytes(content)
    assert f"data/{i}' in it is not as it was written" in refused(tmp_path / "x.pth").what


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_run_of_zeros_in_a_zip_is_refused(tmp_path, share):
    content = write_zip(tmp_path / "x.pth")
    at = int(share * len(content))
    content[at : at + 64] = bytes(64)
    (tmp_path / "x.pth").write_bytes(content)
    refused(tmp_path / "x.pth")


def test_a_zip_written_without_checksums_is_read(tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        path = write(tmp_path / "x.pth", {"model": TENSORS})
    finally:
        torch.serialization.set_crc32_options(True)
    assert torch.equal(read_checkpoint(path).tensors["a.weight"], TENSORS["a.weight"])
