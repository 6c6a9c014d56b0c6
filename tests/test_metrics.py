import json

import numpy as np
import pytest
from golden import golden_path

from remamber.metrics import METRICS, iou, measure

INTERSECTION = np.array([50, 1, 0])
UNION = np.array([100, 10, 0])


def test_mean_and_overall_iou_by_hand_and_an_empty_union_counts_zero():
    assert measure("mIoU", INTERSECTION, UNION) == pytest.approx((0.5 + 0.1 + 0.0) / 3)
    assert measure("oIoU", INTERSECTION, UNION) == pytest.approx(51 / 110)


def test_precision_is_strict_and_exact_at_the_threshold():
    assert measure("Pr@50", INTERSECTION, UNION) == 0.0
    assert measure("Pr@50", np.array([51]), np.array([100])) == 1.0
    # 0.7 is not a binary fraction: 7/10 must not count as above 70 %.
    assert measure("Pr@70", np.array([7]), np.array([10])) == 0.0


def test_no_expressions_give_zero_and_not_a_warning():
    empty = np.zeros(0, dtype=np.int64)
    assert all(measure(name, empty, empty) == 0.0 for name in METRICS)


def test_metrics_agree_with_the_released_evaluation():
    reference = json.loads(golden_path("eval_metric.json").read_text())
    rows = np.array(reference["per sentence [inter, union, iou]"])
    intersection, union = rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64)
    np.testing.assert_allclose(iou(intersection, union), rows[:, 2], rtol=1e-6)
    returned = reference["engine.evaluate returned"]
    assert measure("mIoU", intersection, union) == pytest.approx(returned["iou"], rel=1e-6)
    assert measure("oIoU", intersection, union) == pytest.approx(returned["oiou"], rel=1e-6)
