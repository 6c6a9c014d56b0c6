"""Every variant beyond the paper trains, scores and leaves a record, like the released model."""

import math

import pytest
from tiny_run import request, tiny_spec

from remamber.errors import ExitCode
from remamber.models import from_pretrained
from remamber.plan.spec import FusionSpec, ModelSpec, RunSpec
from remamber.record.store import Store
from remamber.runner import Interruption, Request, execute
from remamber.tasks._scan_share import has_scan

STEPS = 4
VARIANTS = {
    "causal channel scan": {"fusion": {"channel_scan": "causal"}},
    "two directions": {"scan_directions": "two"},
    "one direction": {"scan_directions": "one", "decoder": "mamba"},
    "one direction, text in front": {"scan_directions": "one", "fusion": {"name": "in-context"}},
    "Mamba-2": {"fusion": {"spatial_scan": "ssd"}},
    "Swin": {"backbone": "swin"},
    "Swin, attention": {"backbone": "swin", "fusion": {"name": "attention"}},
    "LAVT": {"name": "lavt"},
}
NO_SCAN = {"LAVT"}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_trains_and_is_recorded(name, root, tmp_path):
    changes = dict(VARIANTS[name])
    fusion = FusionSpec(**{"depth": 1, **changes.pop("fusion", {})})
    spec = tiny_spec(root, steps=STEPS).model_copy(
        update={"model": ModelSpec(fusion=fusion, **changes)}
    )
    spec = RunSpec.model_validate(spec.model_dump())
    asked = Request.model_validate_json(request(spec, tmp_path, root))
    assert execute(asked, lambda event: None, Interruption()) is ExitCode.DONE
    record = Store(tmp_path).find(spec)
    assert record is not None and record.status == "ok" and record.spec == spec
    losses = [loss for _, loss in record.curves["loss"]]
    assert len(losses) == STEPS and all(map(math.isfinite, losses))
    found = {(m.metric, m.where.get("split")): m.value for m in record.measurements}
    assert all(0 <= found["mIoU", split] <= 1 for split in spec.data.splits)
    # What evaluate says without a profile is what the training's profile saw.
    trained = from_pretrained(Store(tmp_path).folder(spec))
    assert has_scan(trained) == (record.environment.scan_backend != "none")
    assert has_scan(trained) == (name not in NO_SCAN)
