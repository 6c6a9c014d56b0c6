"""The order of the cube's parts: what it may change, and what it may not."""

from itertools import permutations

import pytest
import torch
from fusion_cases import C, build, inputs, shape_of

from remamber.plan.spec import FusionSpec, ModelSpec, RunSpec
from remamber.registry import FUSIONS

ORDERS = ["-".join(parts) for parts in permutations(("image", "global", "local"))]


def twister(cube, order="channel-spatial", **more):
    spec = FusionSpec(name="twister", cube=cube, scan_order=order, depth=2)
    return FUSIONS.get("twister")(shape_of("twister", spec=spec, **more)).eval()


def run(fusion, **more):
    with torch.no_grad():
        return fusion(*inputs(**more))


def test_the_released_order_keeps_its_hash_and_every_other_has_its_own():
    specs = [RunSpec(model=ModelSpec(fusion=FusionSpec(cube=cube))) for cube in ORDERS]
    assert specs[0] == RunSpec()
    assert len({spec.digest for spec in specs}) == len(ORDERS)
    assert len({spec.run_id for spec in specs}) == len(ORDERS)


@pytest.mark.parametrize("order", ["spatial", "spatial-channel"])
@pytest.mark.parametrize("cube", ORDERS[1:])
def test_where_no_scan_reads_the_cubes_channels_in_turn_their_order_changes_nothing(cube, order):
    """So every part starts with the same weights, wherever in the cube it stands."""
    torch.testing.assert_close(run(twister(cube, order)), run(twister(ORDERS[0], order)))


@pytest.mark.parametrize("order", ["channel", "parallel", "channel-spatial"])
def test_where_the_channel_scan_reads_the_cube_every_order_gives_something_else(order):
    found = [run(twister(cube, order)) for cube in ORDERS]
    for i, one in enumerate(found):
        for other in found[:i]:
            assert (one - other).abs().max() > 1e-4


def test_all_orders_hold_the_same_weights_under_the_same_names():
    states = {cube: twister(cube).state_dict() for cube in ORDERS}
    released = states[ORDERS[0]]
    for state in states.values():
        assert state.keys() == released.keys()
        for name, value in state.items():
            assert torch.equal(value.flatten().sort()[0], released[name].flatten().sort()[0])


@pytest.mark.parametrize("cube", [*ORDERS, "image-global", "image-local"])
def test_the_scans_result_is_added_to_the_image_wherever_it_stands(cube):
    fusion, given = twister(cube), inputs()
    for layer in fusion.layers:
        layer.order = lambda cube, **scans: torch.full_like(cube[:, :C], 3.0)
    with torch.no_grad():
        torch.testing.assert_close(fusion(*given), given[0] + 2 * 3.0)


@pytest.mark.parametrize("cube", [*ORDERS, "image-global", "image-local"])
def test_the_parts_stand_in_the_cube_in_the_order_of_its_name(cube):
    fusion, seen = twister(cube), []
    fusion.layers[0].register_forward_pre_hook(lambda _, given: seen.extend(given[0]))
    image, text, mask, pooled = inputs()
    with torch.no_grad():
        fusion(image, text, mask, pooled)
        found = {
            "image": image,
            "global": fusion.global_interaction and fusion.global_interaction(image, pooled),
            "local": fusion.local_interaction and fusion.local_interaction(image, text, mask),
        }
    for part, tensor in zip(cube.split("-"), seen, strict=True):
        assert torch.equal(found[part], tensor)


def test_the_released_order_is_built_as_it_was():
    plain = build("twister", depth=2).state_dict()
    for name, value in twister(ORDERS[0]).state_dict().items():
        assert torch.equal(value, plain[name])
