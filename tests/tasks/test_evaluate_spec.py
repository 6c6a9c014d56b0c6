"""What can be evaluated, and by which protocols: refused before anything is scored."""

import json

import pytest
import torch

from remamber.errors import ExitCode, UserError
from remamber.models._evaluable import find_evaluable
from remamber.plan.protocols import DEFAULT, PROTOCOLS
from remamber.plan.spec import EvaluateSpec, RunSpec, WeightsSpec


def test_a_backbone_and_a_folder_without_weights_cannot_be_evaluated(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"x")
    with pytest.raises(UserError, match="no weights in the run") as caught:
        find_evaluable(tmp_path / "run")
    assert caught.value.exit_code == ExitCode.MISSING
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no weights in the folder"):
        find_evaluable(tmp_path / "empty")
    torch.save({"model": {"layers.0.weight": torch.zeros(3)}}, tmp_path / "part.pth")
    with pytest.raises(UserError, match="no whole model") as caught:
        find_evaluable(tmp_path / "part.pth")
    assert caught.value.exit_code == ExitCode.DAMAGED
    with pytest.raises(UserError, match="cannot read the checkpoint"):
        find_evaluable(tmp_path / "nothing.pth")


def test_one_protocol_hashes_as_it_did_and_old_records_are_read():
    spec = RunSpec()
    content = json.loads(spec.canonical())
    assert content["evaluate"] == {
        "batch": 64,
        "protocol": DEFAULT,
        "shuffled_text": False,
    }
    assert "weights" not in content
    old = EvaluateSpec.model_validate({"protocol": DEFAULT, "batch": 64, "shuffled_text": False})
    assert old == spec.evaluate
    both = RunSpec(evaluate=EvaluateSpec(protocols=(DEFAULT, "lavt")))
    other = RunSpec(evaluate=EvaluateSpec(protocols=("lavt", DEFAULT)))
    assert len({spec.digest, both.digest, other.digest}) == 3
    assert EvaluateSpec.model_validate({"protocols": "lavt"}).protocols == ("lavt",)


@pytest.mark.parametrize("names", [(), ("lavta",), ("lavt", "lavt")])
def test_unknown_doubled_or_no_protocols_are_refused(names):
    with pytest.raises(ValueError, match=r"protocol|at least 1"):
        EvaluateSpec(protocols=names)


def test_weights_are_part_of_the_runs_identity():
    specs = [
        RunSpec(task="evaluate", weights=WeightsSpec(holds="model", sha256=c * 64)) for c in "ab"
    ]
    assert specs[0].run_id != specs[1].run_id
    assert "waaaaaaaa" in specs[0].run_id
    assert len(PROTOCOLS) == 8
