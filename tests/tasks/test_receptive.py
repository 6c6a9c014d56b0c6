"""Receptive fields of models: where gradients are by construction, and of what runs leave."""

import numpy as np
import pytest
import torch
from evaluation_run import asked, run
from tiny_run import tiny_spec
from torch import nn

from remamber.errors import ExitCode, UserError
from remamber.models import ModelInputs, build_model
from remamber.models._evaluable import find_evaluable
from remamber.plan.look import ReceptiveSpec
from remamber.plan.spec import ModelSpec, RunSpec
from remamber.record.store import Store
from remamber.runner import Interruption, execute
from remamber.table.arrays import read_arrays
from remamber.table.receptive import REGIONS as AS_READ
from remamber.tasks._gradient_energy import REGIONS
from remamber.tasks.receptive import LOGITS, middles

TEXTS = ["the red ball", "blue cone"]


class Pooling(nn.Module):
    """An encoder whose maps are means of the image's cells: what they see is known."""

    def forward(self, image, text):
        return [nn.functional.avg_pool2d(image, stride) for stride in (4, 8, 16, 32)]


class Reading(nn.Module):
    """Logits that are the mean of the image's colours at each pixel."""

    def __init__(self):
        super().__init__()
        model = build_model(ModelSpec(), ModelInputs(TEXTS))
        self.tokenizer, self.text, self.spec = model.tokenizer, model.text, model.spec
        self.encoder = Pooling()

    def encode_text(self, ids, mask):
        return self.text(ids, mask)

    def segment(self, image, text):
        self.encoder(image, text)
        return image.mean(1, keepdim=True)


def found_in(model, side=64):
    image = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    return {middle.name: middle for middle in middles(model, image, TEXTS, seed=0)}


def test_a_map_of_cells_means_sees_its_four_middle_cells_evenly():
    found = found_in(Reading().eval(), side=128)
    for i, stride in enumerate((4, 8, 16, 32), start=1):
        energy = found[f"stage {i}"].energy
        middle = slice(64 - stride, 64 + stride)
        inside = energy[:, middle, middle]
        assert found[f"stage {i}"].block == 2 * stride
        torch.testing.assert_close(inside, torch.full_like(inside, 3 * stride**-4.0))
        assert energy.sum() == pytest.approx(float(inside.sum()))


def test_logits_of_a_pixel_see_that_pixel():
    energy = found_in(Reading().eval())[LOGITS].energy
    assert energy[:, 31:33, 31:33].sum() == pytest.approx(float(energy.sum()))
    torch.testing.assert_close(energy[:, 31:33, 31:33], torch.full((2, 2, 2), 3 / 9.0))


def test_of_a_map_with_an_odd_side_the_one_middle_position_is_looked_at():
    found = found_in(Reading().eval(), side=96)["stage 4"]
    assert found.block == found.cell == 32
    assert found.energy[:, 32:64, 32:64].sum() == pytest.approx(float(found.energy.sum()))


def test_the_signs_squared_sum_is_the_sum_of_all_channels_squared_gradients():
    """In expectation: the mean over many draws of signs meets the whole Jacobian's."""
    model = build_model(ModelSpec(), ModelInputs(TEXTS)).eval().requires_grad_(False)
    image = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    drawn = [next(middles(model, image, TEXTS, seed=seed)).energy for seed in range(60)]
    tokens = model.tokenizer(TEXTS)
    with torch.no_grad():
        text = model.encode_text(tokens.ids, tokens.mask)
    pixels = image.clone().requires_grad_()
    middle = model.forward_features(pixels, text)[0][:, :, 3:5, 3:5].flatten(1)
    exact = sum(
        torch.autograd.grad(middle[:, i].sum(), pixels, retain_graph=True)[0].square().sum(1)
        for i in range(middle.shape[1])
    )
    mean = torch.stack(drawn).mean(0)
    assert mean.sum() == pytest.approx(float(exact.sum()), rel=0.05)
    assert np.corrcoef(mean.ravel(), exact.ravel())[0, 1] > 0.98


def test_a_model_without_stages_is_refused():
    model = Reading().eval()
    del model.encoder
    with pytest.raises(UserError, match="no encoder"):
        found_in(model)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root, store = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("store")
    spec = tiny_spec(root, steps=2)
    assert execute(asked(spec, store, root), lambda event: None, Interruption()) is ExitCode.DONE
    return spec, root, find_evaluable(Store(store).folder(spec))


def measured(weights, store, **receptive):
    spec, root, found = weights
    spec = RunSpec(
        task="receptive",
        model=found.model,
        data=spec.data.model_copy(update={"image_size": 64}),
        receptive=ReceptiveSpec(samples=2, **receptive),
        weights=found.weights,
    )
    assert run(spec, found.path, store, root)[0] is ExitCode.DONE
    record = Store(store).find(spec)
    return record, read_arrays(record, Store(store).arrays_path(record))


def test_a_run_leaves_the_fields_of_stages_and_logits(trained, tmp_path):
    record, arrays = measured(trained, tmp_path)
    names = [f"stage {i}" for i in (1, 2, 3, 4)] + [LOGITS]
    assert [n.partition("/")[2] for n in arrays if n.startswith("rings/")] == names
    assert record.data["val images"] == len(arrays["image_id"]) == 2
    for name in names:
        np.testing.assert_allclose(arrays[f"rings/{name}"].sum(1), 1, rtol=1e-5)
        assert arrays[f"regions/{name}"].shape == (2, len(REGIONS))
        assert arrays[f"map/{name}"].shape == (32, 32)
        assert arrays[f"map/{name}"].sum() == pytest.approx(1, rel=1e-5)
    outside = {m.where["tap"]: m.value for m in record.measurements if "tap" in m.where}
    assert outside["stage 4"] == pytest.approx(0, abs=1e-6)
    assert 0 < outside["stage 1"] < 1


def test_the_same_run_gives_the_same_digits_and_initial_weights_others(trained, tmp_path):
    _, one = measured(trained, tmp_path / "a")
    _, again = measured(trained, tmp_path / "b")
    _, initial = measured(trained, tmp_path / "c", trained=False)
    for name in one:
        np.testing.assert_array_equal(one[name], again[name])
    assert abs(one["rings/stage 1"] - initial["rings/stage 1"]).max() > 1e-6


def test_the_report_reads_regions_as_the_task_writes_them():
    assert AS_READ == REGIONS
