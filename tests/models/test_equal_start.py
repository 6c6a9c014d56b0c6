"""Fusion variants are compared on equal terms: what they share starts equal, for one seed."""

import itertools

import pytest

from remamber.models import ModelInputs, build_model
from remamber.plan.spec import FusionSpec, ModelSpec
from remamber.registry import FUSIONS

TEXTS = ["the red ball on the left", "blue cone", "man with a hat"]


def tensors(name, *, seed=0):
    spec = ModelSpec(fusion=FusionSpec(name=name, depth=1))
    return build_model(spec, ModelInputs(TEXTS, seed=seed)).state_dict()


@pytest.fixture(scope="module")
def starts():
    return {name: tensors(name) for name in FUSIONS.names()}


def outside(state):
    return {k: v for k, v in state.items() if not k.startswith("encoder.fusions.")}


def test_everything_but_the_fusion_starts_equal(starts):
    twister = outside(starts["twister"])
    parts = {key.split(".")[0] for key in twister}
    assert parts == {"text", "encoder", "decoder"}
    for name, state in starts.items():
        other = outside(state)
        assert set(other) == set(twister), name
        unequal = [key for key, value in other.items() if not value.equal(twister[key])]
        assert unequal == [], name


def test_parts_of_fusions_with_the_same_name_and_shape_start_equal(starts):
    shared = 0
    for (one, a), (two, b) in itertools.combinations(starts.items(), 2):
        for key in a.keys() & b.keys():
            if a[key].shape == b[key].shape:
                assert a[key].equal(b[key]), f"{key} of {one} and {two}"
                shared += key.startswith("encoder.fusions.")
    assert shared > 0


def test_another_seed_starts_elsewhere(starts):
    other = tensors("in-context", seed=1)
    weights = [k for k in other if k.endswith("in_proj.weight")]
    assert weights and all(not other[k].equal(starts["in-context"][k]) for k in weights)
