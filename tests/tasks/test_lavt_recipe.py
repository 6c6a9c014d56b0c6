"""LAVT's loss, schedule and parameter groups, for any model, and its run like any other's."""

import math
import re
import tomllib

import pytest
import torch
from text_folders import FOLDER, WRITE
from tiny_run import request, tiny_spec
from torch.nn import functional as F

import remamber.models.lavt as module
from remamber.errors import ExitCode
from remamber.models import ModelInputs, build_model
from remamber.plan.spec import ModelSpec, RunSpec, TextSpec, TrainSpec
from remamber.record.store import Store
from remamber.runner import Interruption, Request, execute
from remamber.tasks._loss import LOSSES, dice_loss
from remamber.tasks._optimiser import Length, learning_rate, make_optimiser

STEPS = 6


def recipe(**more):
    """The one that the model's docstring gives."""
    text = re.search(r"    \[train\]\n(?:    .*\n)+", module.__doc__)
    assert text is not None
    stated = tomllib.loads("\n".join(line.strip() for line in text[0].splitlines()))["train"]
    return TrainSpec.model_validate(stated | more)


def some_logits():
    return 4 * torch.randn(3, 1, 8, 8), (torch.rand(3, 1, 8, 8) > 0.7).float()


def test_the_loss_is_weighted_cross_entropy_of_two_classes():
    logits, target = some_logits()
    classes = torch.randn(3, 1, 8, 8) + torch.cat([-logits / 2, logits / 2], dim=1)
    expected = F.cross_entropy(classes, target[:, 0].long(), weight=torch.tensor([0.9, 1.1]))
    torch.testing.assert_close(LOSSES["lavt"](logits, target), expected)


def test_the_second_loss_weighs_target_and_background_alike():
    logits, target = some_logits()
    loss = LOSSES["lavt-dice"](logits, target)
    torch.testing.assert_close(loss, LOSSES["lavt-dice"](-logits, 1 - target))
    torch.testing.assert_close(2 * loss, dice_loss(logits, target) + dice_loss(-logits, 1 - target))
    assert LOSSES["lavt-dice"](100 * (2 * target - 1), target) < 1e-3


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_float32_and_finite_under_half_precision_and_without_a_target(name):
    logits = (300 * torch.randn(2, 1, 8, 8)).bfloat16().requires_grad_()
    loss = LOSSES[name](logits, torch.zeros(2, 1, 8, 8))
    loss.backward()
    assert loss.dtype is torch.float32 and torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


def test_the_poly_schedule_falls_by_the_power_09_to_nothing():
    spec, length = recipe(), Length(steps=1000, steps_per_epoch=25)
    rates = [learning_rate(5e-5, spec=spec, length=length, step=s) for s in range(1000)]
    assert rates[0] == 5e-5
    assert rates[500] == pytest.approx(5e-5 * 0.5**0.9)
    assert rates[-1] == pytest.approx(5e-5 * 0.001**0.9)


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    WRITE["bert"](tmp_path / FOLDER["bert"])
    spec = ModelSpec(name="lavt", text=TextSpec(name="bert", length=8))
    return build_model(spec, ModelInputs((), root=tmp_path))


def held(optimiser):
    return [p for group in optimiser.param_groups for p in group["params"]]


def test_norms_and_position_biases_of_the_image_encoder_do_not_decay(model):
    optimiser = make_optimiser(model, recipe(text_layers=None))
    spared = {id(p) for g in optimiser.param_groups if not g["weight_decay"] for p in g["params"]}
    for name, parameter in model.named_parameters():
        image = name.startswith("encoder.")
        free = image and ("norm" in name or "relative_position_bias_table" in name)
        assert (id(parameter) in spared) == free, name
    assert {g["weight_decay"] for g in optimiser.param_groups} == {0.0, 1e-2}
    assert {g["lr"] for g in optimiser.param_groups} == {5e-5}
    assert len(held(optimiser)) == len(list(model.parameters()))


def test_only_the_first_layers_of_the_text_encoder_are_trained(model):
    optimiser = make_optimiser(model, recipe(text_layers=1))
    trained = {id(p) for p in held(optimiser)}
    for name, parameter in model.named_parameters():
        wanted = not name.startswith("text.") or ".layer.0." in name
        assert (id(parameter) in trained, parameter.requires_grad) == (wanted, wanted), name
    before = {name: value.clone() for name, value in model.state_dict().items()}
    tokens = model.tokenizer(["the red ball", "man"])
    model.train()(torch.randn(2, 3, 32, 32), tokens.ids, tokens.mask).square().sum().backward()
    optimiser.step()
    moved = {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}
    assert any(".layer.0." in key for key in moved)
    assert not any(".layer.1." in key or "embeddings" in key for key in moved)


@pytest.mark.parametrize("name", ["lavt", "remamber"])
def test_a_run_by_the_recipe_trains_stops_resumes_and_is_recorded(name, tmp_path):
    root = tmp_path / "data"
    spec = tiny_spec(root, steps=STEPS)
    train = recipe(epochs=None, steps=STEPS, batch=4, lr=1e-3, lr_pretrained=1e-3, text_layers=1)
    spec = RunSpec.model_validate(
        spec.model_copy(update={"model": ModelSpec(name=name), "train": train}).model_dump()
    )
    whole = executed(spec, tmp_path / "whole", root)
    interruption = Interruption()

    def stop(event):
        if event.kind == "step" and event.done == 2:
            interruption.ask()

    asked = Request.model_validate_json(request(spec, tmp_path / "parts", root))
    assert execute(asked, stop, interruption) is ExitCode.INTERRUPTED
    parts = executed(spec, tmp_path / "parts", root)
    assert parts.curves["loss"] == whole.curves["loss"] and len(whole.curves["loss"]) == STEPS
    assert all(math.isfinite(loss) for _, loss in whole.curves["loss"])
    assert (whole.environment.scan_backend == "none") == (name == "lavt")
    scores = {r.metric: r.value for r in whole.measurements if r.where == {"split": "val"}}
    assert scores == {r.metric: r.value for r in parts.measurements if r.where == {"split": "val"}}
    assert 0 <= scores["mIoU"] <= 1


def executed(spec, store, root):
    asked = Request.model_validate_json(request(spec, store, root))
    assert execute(asked, lambda event: None, Interruption()) is ExitCode.DONE
    record = Store(store).find(spec)
    assert record is not None and record.status == "ok"
    return record
