import pytest
import torch
from released import TINY, released_state, vmamba_state

from remamber.errors import ExitCode, UserError
from remamber.models import ModelInputs, build_model, from_pretrained
from remamber.models._release_keys import released_key
from remamber.models._weights import convert_weights
from remamber.plan.spec import ModelSpec, StartSpec

TEXTS = ["the red ball"]


@pytest.fixture
def root(tmp_path):
    (tmp_path / "weights").mkdir()
    return tmp_path


def built(root, name=None):
    start = None if name is None else StartSpec(name=name)
    return build_model(ModelSpec(start=start), ModelInputs(TEXTS, root=root))


@pytest.mark.parametrize("converted", [False, True])
def test_the_backbone_starts_from_the_file_and_the_rest_as_without(root, converted):
    state, path = vmamba_state(four_axes=True), root / "weights" / "x.pth"
    torch.save({"model": state}, path)
    if converted:
        convert_weights(path, root / "weights" / "x.safetensors")
    plain = built(root).state_dict()
    started = built(root, "x.safetensors" if converted else "x.pth").state_dict()
    filled = 0
    for key, value in started.items():
        name = (released_key(key) or "").removeprefix("backbone.")
        if key.startswith("encoder.") and name in state:
            filled += 1
            assert torch.equal(value, state[name].reshape(value.shape)), key
        else:
            assert torch.equal(value, plain[key]), key
    assert filled == len(state) - 4


def test_weights_of_another_size_are_refused(root):
    size = TINY._replace(dims=(64, 128, 256, 512), depths=(2, 2, 4, 2))
    torch.save({"model": vmamba_state(size=size)}, root / "weights" / "x.pth")
    with pytest.raises(UserError, match="do not fit the backbone of this size") as caught:
        built(root, "x.pth")
    assert caught.value.exit_code == ExitCode.DAMAGED
    assert any("widths 64-128-256-512" in line for line in caught.value.where)


def test_a_whole_model_is_no_start(root):
    torch.save({"model": released_state()}, root / "weights" / "x.pth")
    with pytest.raises(UserError, match="no backbone to start from"):
        built(root, "x.pth")


def test_a_saved_model_does_not_need_the_file_it_started_from(root):
    path = root / "weights" / "x.pth"
    torch.save({"model": vmamba_state()}, path)
    model = built(root, "x.pth")
    model.save_pretrained(root / "saved")
    path.unlink()
    again = from_pretrained(root / "saved")
    assert again.spec == model.spec
    key = "encoder.patch_embed.0.weight"
    assert torch.equal(again.state_dict()[key], model.state_dict()[key])
