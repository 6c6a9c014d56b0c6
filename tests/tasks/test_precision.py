"""Half precision: gradients are unscaled before they are used, and the scale is remembered."""

from types import SimpleNamespace

import torch
from tiny_run import tiny_spec

from remamber.datasets import DataPlace
from remamber.tasks import TaskContext
from remamber.tasks._bench import precision_of, set_up, train_step
from remamber.tasks._checkpoint import Checkpoints, Progress


def bench_of(root):
    spec = tiny_spec(root)
    train = spec.train.model_copy(update={"clip_norm": 0.1})
    context = TaskContext(root, DataPlace(root=root), lambda event: None, lambda: False)
    return set_up(spec.model_copy(update={"train": train}), context)


def with_scaler(bench, *, scale):
    """The bench as on a GPU under fp16, but for the precision itself, which a CPU has not."""
    scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    accelerator = SimpleNamespace(
        device=bench.accelerator.device,
        autocast=bench.accelerator.autocast,
        backward=lambda loss: torch.autograd.backward(scaler.scale(loss)),
        scaler=scaler,
    )
    return bench._replace(accelerator=accelerator)


def weights(bench):
    return {name: p.detach().clone() for name, p in bench.model.named_parameters()}


def test_a_scaled_loss_makes_the_same_step_as_a_plain_one(tmp_path):
    plain = bench_of(tmp_path)
    scaled = with_scaler(bench_of(tmp_path), scale=2.0**16)
    before = weights(plain)
    for bench in (plain, scaled):
        train_step(bench, bench.batches.at(0))
    after = weights(scaled)
    assert any(not torch.equal(before[name], after[name]) for name in before)
    for name, expected in weights(plain).items():
        torch.testing.assert_close(after[name], expected, rtol=1e-4, atol=1e-6)


def test_an_infinite_gradient_costs_a_step_and_not_the_weights(tmp_path):
    bench = with_scaler(bench_of(tmp_path), scale=3e38)
    before = weights(bench)
    train_step(bench, bench.batches.at(0))
    for name, weight in weights(bench).items():
        assert torch.equal(weight, before[name])
    assert bench.accelerator.scaler.get_scale() < 3e38


def test_the_scale_of_the_loss_survives_a_stop(tmp_path):
    bench = with_scaler(bench_of(tmp_path), scale=1024.0)
    train_step(bench, bench.batches.at(0))
    saved = bench.accelerator.scaler
    Checkpoints(tmp_path, "a", scaler=saved).save(bench.model, bench.optimiser, Progress(step=1))
    fresh = torch.amp.GradScaler("cpu")
    progress, warnings = Checkpoints(tmp_path, "a", scaler=fresh).restore(
        bench.model, bench.optimiser
    )
    assert (progress.step, warnings) == (1, [])
    assert fresh.state_dict() == saved.state_dict()


def test_a_cpu_computes_in_fp32_whatever_is_asked(tmp_path):
    bench = bench_of(tmp_path)
    asked = bench.train.model_copy(update={"precision": "fp16"})
    assert precision_of(bench._replace(train=asked)) == "fp32"
