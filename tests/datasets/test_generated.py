"""Generated data never pass for real: not opened, not converted, not listed as such."""

import json

import pytest
from small_refcoco import write_small_refcoco

from remamber.datasets import DataPlace, open_dataset
from remamber.datasets._generated import refuse_generated_source
from remamber.datasets._origins import origins
from remamber.datasets._state import state_of
from remamber.errors import ExitCode, UserError
from remamber.plan.spec import DataSpec


@pytest.fixture
def root(tmp_path):
    """A folder that could be opened as RefCOCO but for the sign of what wrote it."""
    write_small_refcoco(tmp_path)
    assert open_dataset(DataSpec(name="refcoco"), DataPlace(root=tmp_path)).refs("val")
    kept = {"style": "synth-refcoco", "fingerprint": "0" * 64}
    kept |= {"scenes": {}, "expressions": [], "knobs": {}}
    (tmp_path / "synth.json").write_text(json.dumps(kept))
    return tmp_path


@pytest.mark.parametrize("name", sorted(origins()))
def test_no_real_data_set_opens_in_a_root_of_generated_data(root, name):
    with pytest.raises(UserError, match="must not be reported") as caught:
        open_dataset(DataSpec(name=name), DataPlace(root=root))
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.slug == "generated_data"
    assert caught.value.what.endswith(f"as '{name}'")
    assert caught.value.fix[0] == "--data synth-refcoco"


def test_a_root_of_generated_data_lists_none_as_real(root):
    states = {name: state_of(origin, root).state for name, origin in origins().items()}
    assert states.pop("refcoco") == "generated"
    assert set(states.values()) == {"none"}


@pytest.mark.parametrize("place", ["", "refcoco", "refcoco/refs(unc).p", "train2014"])
def test_generated_data_are_not_converted(root, place):
    with pytest.raises(UserError, match="generated data") as caught:
        refuse_generated_source(root / place)
    assert caught.value.slug == "generated_data"


def test_data_beside_a_folder_of_generated_data_are_converted(root):
    real = write_small_refcoco(root / "real" / "root" / "of").root
    refuse_generated_source(real / "refcoco")
