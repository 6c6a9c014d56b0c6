"""What named protocols make of the same logits: against the release, by hand, where they differ."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from golden import golden, golden_path
from pycocotools import mask as coco

from remamber.metrics import PixelCounts, is_defined, measure
from remamber.plan.protocols import PROTOCOLS, Protocol
from remamber.plan.spec import DataSpec
from remamber.tasks._letterbox import letterbox_of, letterboxed, taken_back
from remamber.tasks._protocol_masks import Targets, open_targets, predicted_mask

SHAPE = (37, 50)
PROTOCOL_NAMES = list(PROTOCOLS)


def smooth(size, *, seed=0, scale=4.0):
    """Logits that change slowly, as a decoder's do."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(1, 1, 5, 5, generator=generator) * scale
    return torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic")[0, 0]


def pixels(predicted, target):
    intersection, union = predicted & target, predicted | target
    return PixelCounts(*(np.array([int(m.sum())]) for m in (intersection, union, target)))


def test_the_release_protocol_gives_the_released_evaluations_counts_and_metrics():
    data = golden("eval_metric.safetensors")
    reference = json.loads(golden_path("eval_metric.json").read_text())
    counted = []
    for i in range(3):
        target = data[f"gt{i}"].bool().numpy()
        for logits in data[f"logits{i}"][:, 0]:
            mask = predicted_mask(logits, PROTOCOLS["release"], shape=target.shape)
            counted.append(((mask & target).sum(), (mask | target).sum()))
    rows = reference["per sentence [inter, union, iou]"]
    assert counted == [(i, u) for i, u, _ in rows]
    intersection, union = np.array(counted).T
    returned = reference["engine.evaluate returned"]
    for name, value in {"mIoU": returned["iou"], "oIoU": returned["oiou"]}.items():
        assert measure(name, intersection, union, protocol="release") == pytest.approx(
            value, rel=1e-8
        )


def test_nearest_and_bilinear_resizing_count_other_pixels():
    logits = torch.tensor([[-1.0, 1.0], [-1.0, 1.0]])
    masks = {
        name: predicted_mask(logits, PROTOCOLS[name], shape=(2, 8))
        for name in ("release", "orig-bilinear-0.5")
    }
    assert masks["release"].sum() == 8
    np.testing.assert_array_equal(masks["release"][0], [0, 0, 0, 0, 1, 1, 1, 1])
    lopsided = torch.tensor([[-3.0, 1.0], [-3.0, 1.0]])
    row = predicted_mask(lopsided, PROTOCOLS["orig-bilinear-0.5"], shape=(2, 8))[0]
    # The line from -3 at 1.5 to 1 at 5.5 crosses zero at 4.5.
    np.testing.assert_array_equal(row, [0, 0, 0, 0, 0, 1, 1, 1])
    nearest = predicted_mask(lopsided, PROTOCOLS["release"], shape=(2, 8))[0]
    np.testing.assert_array_equal(nearest, [0, 0, 0, 0, 1, 1, 1, 1])


def test_cgformer_resizes_probabilities_from_corner_to_corner():
    # Crosses 0.5 near the end, where it matters most whether the corners are kept.
    logits = torch.tensor([[-8.0, 0.1], [-8.0, 0.1]])
    row = predicted_mask(logits, PROTOCOLS["cgformer"], shape=(2, 9))[0]
    low, high = (1 / (1 + math.exp(-x)) for x in (-8.0, 0.1))
    # Between two equal rows, bicubic with its edges repeated; a = -0.75.
    t = np.linspace(0, 1, 9)
    near = (1.25 * t - 2.25) * t**2 + 1
    far = ((-0.75 * (t + 1) + 3.75) * (t + 1) - 6) * (t + 1) + 3
    expected = low * (near + far) + high * (1 - near - far)
    np.testing.assert_array_equal(row, expected > 0.5)
    assert row.sum() not in (0, 9)


def test_cris_counts_pixels_from_a_probability_of_035_on():
    for probability, foreground in ((0.36, True), (0.34, False)):
        logits = torch.full((32, 32), math.log(probability / (1 - probability)))
        mask = predicted_mask(logits, PROTOCOLS["cris"], shape=(32, 32))
        assert mask.all() == foreground
        assert mask.any() == foreground
        other = predicted_mask(logits, PROTOCOLS["lavt"], shape=(32, 32))
        assert other.shape == (480, 480)
        assert not other.any()


@pytest.mark.parametrize("name", [n for n in PROTOCOL_NAMES if PROTOCOLS[n].threshold == 0.5])
def test_a_probability_of_exactly_the_threshold_is_background(name):
    assert not predicted_mask(torch.zeros(32, 32), PROTOCOLS[name], shape=(32, 32)).any()


def test_a_threshold_means_the_same_of_logits_and_of_probabilities():
    of_logits = replace(PROTOCOLS["lavt"], threshold=0.35, scored_size=None)
    logits = smooth(32)
    mask = predicted_mask(logits, of_logits, shape=(32, 32))
    np.testing.assert_array_equal(mask, torch.sigmoid(logits) > 0.35)


@pytest.mark.parametrize("shape", [(30, 60), (60, 30), (32, 32), (97, 13)])
def test_a_letterboxed_picture_is_centred_and_its_border_is_the_mean_colour(shape):
    image = np.full((*shape, 3), 200, dtype=np.uint8)
    square = letterboxed(image, 64)
    box = letterbox_of(*shape, 64)
    assert box.scale == 64 / max(shape)
    height, width = (round(side * box.scale) for side in shape)
    top, left = (64 - height) // 2, (64 - width) // 2
    inside = square[top + 2 : top + height - 4, left + 2 : left + width - 4]
    assert (inside == 200).all()
    if top > 3:
        assert (square[: top - 2] == (124, 116, 104)).all()
    if left > 3:
        assert (square[:, : left - 2] == (124, 116, 104)).all()


def test_what_is_predicted_in_the_letterbox_comes_back_to_its_pixels():
    shape, size = (40, 80), 64
    rows, columns = np.mgrid[:40, :80]
    image = np.stack([3 * columns, 6 * rows, 0 * rows + 9], axis=-1).astype(np.uint8)
    square = letterboxed(image, size).astype(np.float32)
    for plane in range(2):
        back = taken_back(torch.from_numpy(square[..., plane]), shape=shape)
        inner = np.s_[4:-4, 4:-4]
        np.testing.assert_allclose(back.numpy()[inner], image[..., plane][inner], atol=1.0)


def test_what_comes_back_is_read_bicubically():
    square = torch.zeros(8, 8)
    square[:, 4:] = 1.0
    back = taken_back(square, shape=(16, 16))[8]
    # Half-way between two pixels the four nearest weigh -3, 19, 19, -3 of 32.
    np.testing.assert_allclose(back[5:11:2], [-3 / 32, 0.5, 35 / 32], atol=1e-4)


def test_letterboxing_a_square_of_the_same_size_changes_nothing():
    image = np.random.default_rng(0).integers(0, 256, (48, 48, 3)).astype(np.uint8)
    np.testing.assert_array_equal(letterboxed(image, 48), image)
    logits = smooth(48)
    np.testing.assert_allclose(taken_back(logits, shape=(48, 48)), logits, atol=1e-4)


@pytest.mark.parametrize("name", PROTOCOL_NAMES)
def test_a_mask_has_the_size_on_which_its_protocol_compares(name):
    protocol = PROTOCOLS[name]
    mask = predicted_mask(smooth(64), protocol, shape=SHAPE)
    side = protocol.scored_size
    assert mask.shape == (SHAPE if side is None else (side, side))
    assert mask.dtype == np.bool_
    assert 0 < mask.sum() < mask.size


@pytest.mark.parametrize("name", PROTOCOL_NAMES)
def test_iou_agrees_with_pycocotools(name):
    protocol = PROTOCOLS[name]
    generator = np.random.default_rng(3)
    for seed in range(5):
        predicted = predicted_mask(smooth(64, seed=seed), protocol, shape=SHAPE)
        target = np.zeros(predicted.shape, dtype=bool)
        top, left = generator.integers(0, 15, 2)
        target[top : top + 18, left : left + 22] = True
        counted = pixels(predicted, target)
        encoded = [coco.encode(np.asfortranarray(m.astype(np.uint8))) for m in (predicted, target)]
        assert counted.target[0] == coco.area(encoded[1])
        known = coco.iou(encoded[:1], encoded[1:], [0])[0, 0]
        metric = "gIoU" if "gIoU" in protocol.metrics else "mIoU"
        found = measure(metric, *counted[:2], target=counted.target, protocol=name)
        assert found == pytest.approx(known, rel=1e-7)


class Overlapping:
    """A data set whose one target has two polygons that share a column of pixels."""

    def __init__(self, rule):
        self.rule = rule

    def mask(self, ref):
        once = np.zeros((4, 6), dtype=bool)
        once[:, :4] = True
        if self.rule == "eq1":
            once[:, 2] = False
        return once


class Ref:
    def __init__(self, ref_id):
        self.ref_id = ref_id


def test_eq1_protocols_leave_out_pixels_of_two_polygons_and_the_others_follow_the_spec():
    targets = Targets({rule: Overlapping(rule) for rule in ("union", "eq1")}, own_rule="union")
    sums = {name: targets.of(Ref(1), PROTOCOLS[name]).mean() for name in PROTOCOL_NAMES}
    eq1 = {name for name, share in sums.items() if share == pytest.approx(12 / 24, abs=0.01)}
    assert eq1 == {"release", "lavt", "cgformer", "cgformer-val"}
    assert sums["cris"] == 16 / 24
    own = Targets({rule: Overlapping(rule) for rule in ("union", "eq1")}, own_rule="eq1")
    assert own.of(Ref(1), PROTOCOLS["orig-bilinear-0.5"]).sum() == 12
    assert own.of(Ref(1), PROTOCOLS["cris"]).sum() == 16


def test_the_data_are_opened_again_only_for_another_mask_rule(monkeypatch):
    opened = []

    def open_again(spec, place):
        opened.append(spec.mask_rule)
        return Overlapping(spec.mask_rule)

    monkeypatch.setattr("remamber.tasks._protocol_masks.open_dataset", open_again)
    first = Overlapping("union")
    asked = [PROTOCOLS[name] for name in ("orig-bilinear-0.5", "lavt", "cris", "release")]
    targets = open_targets(DataSpec(), None, dataset=first, protocols=asked)
    assert opened == ["eq1"]
    assert targets.of(Ref(1), PROTOCOLS["release"]).sum() == 12


def one(intersection, union, target):
    return (np.array([intersection]), np.array([union])), np.array([target])


DIFFERENCES = [
    # An IoU of exactly one half: > says no, >= says yes.
    ("Pr@50", one(50, 100, 60), {"orig-bilinear-0.5": 0, "cris": 0, "lavt": 1}),
    ("Pr@70", one(7, 10, 7), {"release": 0, "cgformer": 0, "lavt": 1, "gres": 1}),
    # Nothing is there and nothing was predicted.
    ("mIoU", one(0, 0, 0), {"orig-bilinear-0.5": 0, "lavt": 0, "release": 0, "gres": 1}),
    ("gIoU", one(0, 0, 0), {"orig-bilinear-0.5": 1, "gres": 1}),
    ("Pr@50", one(0, 0, 0), {"lavt": 0, "orig-bilinear-0.5": 0}),
    # One millionth is added to the union, or is not.
    ("mIoU", one(1, 1, 1), {"lavt": 1, "cris": 1 / (1 + 1e-6), "release": 1 / (1 + 1e-6)}),
    # A mask for what is not there.
    ("gIoU", one(0, 9, 0), {"gres": 0}),
    ("N-acc", one(0, 9, 0), {"gres": 0}),
    ("N-acc", one(0, 0, 0), {"gres": 1}),
    ("T-acc", one(0, 9, 9), {"gres": 0}),
    ("T-acc", one(0, 12, 9), {"gres": 1}),
]


@pytest.mark.parametrize(("metric", "counted", "expected"), DIFFERENCES)
def test_where_papers_differ_the_protocol_decides(metric, counted, expected):
    (intersection, union), target = counted
    for name, value in expected.items():
        found = measure(metric, intersection, union, target=target, protocol=name)
        assert found == pytest.approx(value, rel=1e-12), name


def test_metrics_of_a_no_target_set_by_hand():
    # Targets of 10, 8, none, none, 4 pixels; predicted 10 with 6 right, none, none, 5, 4 right.
    intersection = np.array([6, 0, 0, 0, 4])
    union = np.array([14, 8, 0, 5, 4])
    target = np.array([10, 8, 0, 0, 4])
    asked = {"target": target, "protocol": "gres"}
    values = {
        name: measure(name, intersection, union, **asked) for name in PROTOCOLS["gres"].metrics
    }
    assert values["gIoU"] == pytest.approx((6 / 14 + 0 + 1 + 0 + 1) / 5)
    assert values["cIoU"] == pytest.approx(10 / 31)
    assert values["N-acc"] == pytest.approx(1 / 2)
    assert values["T-acc"] == pytest.approx(2 / 3)
    # Of the three with a target one has an IoU of 1, the others less than 0.7.
    assert values["Pr@70"] == pytest.approx(1 / 3)


def test_a_share_of_no_target_expressions_is_not_defined_where_all_have_one():
    with_target = PixelCounts(np.array([1]), np.array([2]), np.array([2]))
    assert not is_defined("N-acc", with_target, protocol="gres")
    assert is_defined("T-acc", with_target, protocol="gres")


def test_every_protocol_says_where_it_comes_from_and_names_known_metrics():
    for protocol in PROTOCOLS.values():
        assert isinstance(protocol, Protocol)
        assert protocol.source
        assert protocol.metrics
        for name in protocol.metrics:
            measure(name, *one(1, 2, 2)[0], target=np.array([2]), protocol=protocol.name)
