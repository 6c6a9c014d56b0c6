"""A released checkpoint with its text tower: from expressions to masks, and scored."""

import numpy as np
import pytest
import torch
from evaluation_run import read, run
from released import released_state
from small_refcoco import write_small_refcoco
from text_folders import write_clip

from remamber.errors import ExitCode, UserError
from remamber.models import from_release
from remamber.models._evaluable import find_evaluable, open_evaluable
from remamber.plan.spec import DataSpec, EvaluateSpec, RunSpec
from remamber.record.store import Store


@pytest.fixture
def release(tmp_path):
    """A small checkpoint as the release saves it, text tower included, and a data root."""
    from transformers import CLIPTextModel

    data = tmp_path / "root"
    write_small_refcoco(data, images=12)
    folder = write_clip(data / "clip-vit-large-patch14")
    tower = CLIPTextModel.from_pretrained(str(folder)).state_dict()
    torch.manual_seed(5)
    trained = {
        f"text_encoder.text_model.{k.removeprefix('text_model.')}": v + 0.3 * torch.randn_like(v)
        for k, v in tower.items()
        if v.is_floating_point()
    }
    path = tmp_path / "best.pth"
    torch.save({"model": released_state() | trained, "epoch": 3}, path)
    return path, data


def test_a_released_checkpoint_is_scored_with_the_text_tower_that_it_was_trained_with(
    release, tmp_path
):
    path, data = release
    found = find_evaluable(path)
    assert found.weights.holds == "released"
    assert found.model.release
    assert found.model.text.name == "clip"
    assert found.model.text.length == 7
    model = open_evaluable(found, root=data)
    state = torch.load(path, weights_only=True)["model"]
    mine = {k.removeprefix("text_model."): v for k, v in model.text.tower.state_dict().items()}
    for key, value in state.items():
        if key.startswith("text_encoder."):
            name = key.removeprefix("text_encoder.text_model.")
            torch.testing.assert_close(mine[name], value, rtol=0, atol=0)
    tokens = model.tokenizer(["the red ball", "man"])
    image = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        logits = model(image, tokens.ids, tokens.mask)
        output = model.text.tower(input_ids=tokens.ids, attention_mask=tokens.mask.long())
        alone = from_release(state)(image, output.last_hidden_state, output.pooler_output)
    torch.testing.assert_close(logits, alone)


def test_a_released_checkpoint_is_evaluated_and_so_is_its_conversion(release, tmp_path):
    from remamber.models._weights import convert_weights

    path, data = release
    convert_weights(path, tmp_path / "best.safetensors")
    counted = []
    for number, file in enumerate((path, tmp_path / "best.safetensors")):
        found = find_evaluable(file)
        spec = RunSpec(
            task="evaluate",
            model=found.model,
            data=DataSpec(name="refcoco", image_size=32, splits=("val",)),
            evaluate=EvaluateSpec(protocols=("release", "lavt"), batch=4),
            weights=found.weights,
        )
        store = tmp_path / f"store{number}"
        assert run(spec, file, store, data)[0] is ExitCode.DONE
        record, counts = read(Store(store), spec)
        counted.append(counts)
        assert {m.where["split"] for m in record.measurements if "split" in m.where} == {"val"}
    assert set(counted[0]) == set(counted[1])
    for name, values in counted[0].items():
        np.testing.assert_array_equal(values, counted[1][name])


def test_a_text_tower_of_another_size_than_clips_is_refused(release, tmp_path):
    path, data = release
    content = torch.load(path, weights_only=True)
    key = next(k for k in content["model"] if k.endswith("fc1.weight") and "text_model" in k)
    content["model"][key] = torch.zeros(5, 24)
    torch.save(content, path)
    with pytest.raises(UserError, match="does not fit CLIP's") as caught:
        open_evaluable(find_evaluable(path), root=data)
    assert caught.value.exit_code == ExitCode.DAMAGED


def test_a_released_checkpoint_without_its_tower_is_scored_with_clips_and_says_so(
    release, tmp_path
):
    path, data = release
    content = torch.load(path, weights_only=True)
    content["model"] = {k: v for k, v in content["model"].items() if "text_encoder" not in k}
    torch.save(content, path)
    found = find_evaluable(path)
    spec = RunSpec(
        task="evaluate",
        model=found.model,
        data=DataSpec(name="refcoco", image_size=32, splits=("val",)),
        weights=found.weights,
    )
    assert run(spec, path, tmp_path / "store", data)[0] is ExitCode.DONE
    record, _ = read(Store(tmp_path / "store"), spec)
    assert any("no text tower" in warning for warning in record.warnings)


def test_a_released_checkpoint_without_clips_files_is_not_offered_another_encoder(
    release, tmp_path, capsys, monkeypatch
):
    from remamber.cli import main

    path, data = release
    (data / "clip-vit-large-patch14").rename(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("remamber.plan.text_files._cached", lambda repository: None)
    status = main(["evaluate", str(path), "--data", "refcoco", "--data-root", str(data)])
    said = capsys.readouterr().err
    assert status == ExitCode.MISSING
    assert "openai/clip-vit-large-patch14" in said
    assert "--download" in said
    assert "model.text.name" not in said
