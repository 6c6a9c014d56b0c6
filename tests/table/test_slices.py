"""Slices divide a split: every expression once, and together they are the whole."""

import numpy as np
import pytest

from remamber.errors import UserError
from remamber.metrics import METRICS, PixelCounts, measure
from remamber.plan.protocols import find_protocol
from remamber.record.schema import BY_PROGRAM, BY_WORDS
from remamber.table.compare import RowCounts, compare
from remamber.table.counts import ExpressionCounts
from remamber.table.resample import generator_for, resampled_images
from remamber.table.slice_rules import NOT_KNOWN, SLICINGS, merged
from remamber.table.slices import FEW_IMAGES, slice_rows

NAMES = ("mIoU", "oIoU", "Pr@50", "Pr@70")
DRAWS = 400


def expressions(seed, *, n=900, images=120):
    rng = np.random.default_rng(seed)
    image = np.sort(rng.integers(0, images, n))
    target = np.where(rng.random(n) < 0.1, 0, rng.integers(1, 3000, n))
    union = target + rng.integers(1, 800, n)
    key = np.stack([image, np.arange(n), np.arange(n)], axis=1)
    columns = {
        "target": target,
        "needs": rng.integers(0, 16, n),
        "words": rng.integers(0, 14, n),
        "image_pixels": np.full(n, 4096),
        "same_class": rng.integers(-1, 5, n),
        "truncated": rng.integers(-1, 2, n),
        "centre_distance": np.where(target == 0, -1, rng.integers(0, 1001, n)),
    }
    intersections = [np.minimum((rng.random(n) * union).astype(int), target) for _ in range(3)]
    rows = [
        RowCounts(
            label=f"row {i}",
            seeds=(0,),
            counts=(ExpressionCounts(key, intersection, union, target),),
        )
        for i, intersection in enumerate(intersections)
    ]
    return rows, columns


def sliced(rows, columns, **more):
    more = {"generator": generator_for("val"), "draws": DRAWS, **more}
    return {s.slicing.name: s for s in slice_rows(rows, [columns] * len(rows), NAMES, **more)}


@pytest.mark.parametrize("seed", range(5))
def test_slices_have_every_expression_exactly_once(seed):
    rows, columns = expressions(seed)
    found = sliced(rows, columns)
    assert list(found) == [s.name for s in SLICINGS]
    for slicing in SLICINGS:
        places = slicing.places(columns)
        assert places.max() < len(slicing.labels)
        slices = found[slicing.name].slices
        assert sum(part.expressions for part in slices) == len(places)
        labels = (*slicing.labels, NOT_KNOWN)
        for part in slices:
            index = labels.index(part.label)
            held = places < 0 if part.label == NOT_KNOWN else places == index
            assert part.expressions == held.sum()
            assert part.images == len(np.unique(rows[0].counts[0].image[held]))


@pytest.mark.parametrize("seed", range(5))
def test_the_whole_is_the_sum_over_its_slices_and_no_mean_of_means(seed):
    rows, columns = expressions(seed)
    counts = rows[0].counts[0]
    protocol = find_protocol(counts.protocol)
    for by in sliced(rows, columns).values():
        places = by.slicing.places(columns)
        for m, name in enumerate(NAMES):
            above, below = METRICS[name].terms(counts, protocol)
            tops = bottoms = 0.0
            for part in by.slices:
                place = -1 if part.label == NOT_KNOWN else by.slicing.labels.index(part.label)
                held = places < 0 if place < 0 else places == place
                value = part.comparison.value[0, m]
                pixels = PixelCounts(*(array[held] for array in counts[1:4]))
                assert value == pytest.approx(measure(name, *pixels[:2], target=pixels.target))
                tops += value * below[held].sum()
                bottoms += below[held].sum()
            whole = measure(name, counts.intersection, counts.union, target=counts.target)
            assert tops / bottoms == pytest.approx(whole)
            assert above.sum() == pytest.approx(tops)


def test_a_slice_that_is_the_whole_split_has_the_numbers_of_the_main_table():
    rows, columns = expressions(1)
    columns["words"] = np.full(len(columns["words"]), 4)
    main = compare(rows, NAMES, generator=generator_for("val"), draws=DRAWS)
    by_length = sliced(rows, columns)["length"]
    assert not by_length.divides
    (only,) = by_length.slices
    assert only.label == "3-5 words"
    for name in ("value", "difference", "p", "best"):
        np.testing.assert_array_equal(getattr(only.comparison, name), getattr(main, name))
    for mine, theirs in zip(only.comparison.interval, main.interval, strict=True):
        np.testing.assert_allclose(mine, theirs)


def test_an_interval_of_a_slice_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    images, truth, held = 150, 0.6, 0
    for trial in range(120):
        n = images * 2
        union = np.full(n, 1000)
        level = np.repeat(rng.normal(truth, 0.15, images), 2)
        intersection = (1000 * np.clip(level + rng.normal(0, 0.05, n), 0, 1)).astype(int)
        key = np.stack([np.arange(n) // 2, np.arange(n), np.arange(n)], axis=1)
        counts = ExpressionCounts(key, intersection, union, union)
        rows = [RowCounts(label="a", seeds=(0,), counts=(counts,))]
        words = np.where(rng.random(n) < 0.5, 1, 8)
        generator = np.random.default_rng(trial)
        found = sliced(rows, {"words": words}, generator=generator)["length"].slices[0].comparison
        held += bool(found.interval.low[0, 0] <= truth <= found.interval.high[0, 0])
    assert 0.88 <= held / 120 <= 1.0


@pytest.mark.parametrize(
    ("needs", "label"),
    [
        (1, "noun"),
        (1 | 2, "attribute"),
        (1 | 2 | 8, "location"),
        (2 | 8 | 4, "relation"),
        (0, "nothing alone"),
    ],
)
def test_an_expression_is_where_the_hardest_that_it_needs_is(needs, label):
    by_need = SLICINGS[0]
    places = by_need.places({"needs": np.array([needs, 1])})
    assert by_need.labels[places[0]] == label


def test_needs_read_from_words_are_not_said_to_be_needed():
    rows, columns = expressions(2)
    stated, read = (sliced(rows, columns, needs_by=by)["needs"] for by in (BY_PROGRAM, BY_WORDS))
    assert "needs" in stated.slicing.title
    assert "mentions" in read.slicing.title and "rule on words" in read.slicing.rule
    assert [s.expressions for s in stated.slices] == [s.expressions for s in read.slices]


def test_cocos_borders_hold_at_any_size():
    area = next(s for s in SLICINGS if s.name == "area")
    for scale in (1, 4, 100):
        target = scale * np.array([0, 1023, 1025, 9215, 9217, 30719, 30721])
        pixels = np.full(7, scale * 640 * 480)
        places = area.places({"target": target, "image_pixels": pixels})
        assert places.tolist() == [0, 1, 2, 2, 3, 3, 4]


@pytest.mark.parametrize(
    ("name", "column", "values", "labels"),
    [
        ("length", "words", (0, 2, 3, 5, 6, 9, 10, 40), "aabbccdd"),
        ("distractors", "same_class", (0, 1, 2, 9), "abcc"),
        ("truncation", "truncated", (0, 1), "ab"),
        ("centre", "centre_distance", (0, 333, 334, 666, 667, 1000), "aabbcc"),
    ],
)
def test_the_borders_of_a_slice_are_those_of_its_name(name, column, values, labels):
    slicing = next(s for s in SLICINGS if s.name == name)
    places = slicing.places({column: np.array([*values, -1])})
    assert "".join("abcde"[place] for place in places[:-1]) == labels
    assert places[-1] < 0


def test_a_target_on_a_border_of_area_is_of_the_larger():
    area = next(s for s in SLICINGS if s.name == "area")
    places = area.places(
        {"target": np.array([1024, 9216, 30720, 5]), "image_pixels": np.array([307200] * 3 + [0])}
    )
    assert places.tolist() == [2, 3, 4, -1]


def test_a_slice_has_the_resamples_of_the_main_table():
    rows, columns = expressions(8, n=600, images=60)
    counts = rows[0].counts[0]
    images, place = np.unique(counts.image, return_inverse=True)
    late = place >= 20
    columns["words"] = np.where(late, 8, 1)
    times = resampled_images(len(images), draws=DRAWS, generator=generator_for("val"))
    weights = times[:, place] * late
    values = weights @ counts.intersection / (weights @ counts.union)
    found = sliced(rows, columns)["length"].slices[1].comparison.interval
    ends = [found.low[0, NAMES.index("oIoU")], found.high[0, NAMES.index("oIoU")]]
    np.testing.assert_allclose(ends, np.percentile(values, [2.5, 97.5]))


def test_records_of_before_the_columns_are_sliced_by_what_they_know():
    rows, columns = expressions(3)
    old = {"target": columns["target"], "needs": columns["needs"]}
    assert list(sliced(rows, old)) == ["needs"]
    assert sliced(rows, {"target": old["target"]}) == {}
    without = {**old, "needs": np.zeros_like(old["needs"])}
    assert sliced(rows, without) == {}


def test_what_one_row_knows_holds_for_all_and_a_cut_by_any_tokenizer_counts():
    new = {"words": np.array([3, 4]), "truncated": np.array([0, 1]), "needs": np.array([2, 4])}
    old = {"words": np.array([-1, -1]), "truncated": np.array([1, -1]), "needs": np.array([0, 0])}
    known = merged([old, new, {}])
    assert known["words"].tolist() == [3, 4]
    assert known["truncated"].tolist() == [1, 1]
    assert known["needs"].tolist() == [2, 4]


def test_a_slice_on_few_images_is_thin():
    rows, columns = expressions(4, n=200, images=60)
    first = np.unique(rows[0].counts[0].image)
    for images, is_thin in ((FEW_IMAGES - 1, True), (FEW_IMAGES, False)):
        columns["words"] = np.where(rows[0].counts[0].image < first[images], 1, 8)
        few = sliced(rows, columns)["length"].slices[0]
        assert (few.images, few.is_thin) == (images, is_thin)


def test_a_metric_that_a_slice_does_not_define_is_no_number():
    rows, columns = expressions(5)
    found = slice_rows(
        rows, [columns] * 3, ("N-acc", "mIoU"), generator=generator_for("val"), draws=DRAWS
    )
    by_area = next(s for s in found if s.slicing.name == "area")
    none, *others = by_area.slices
    assert none.label == "no target"
    assert not np.isnan(none.comparison.value).any()
    assert all(np.isnan(part.comparison.value[:, 0]).all() for part in others)
    assert not any(np.isnan(part.comparison.value[:, 1]).any() for part in others)


def test_rows_of_other_expressions_are_refused():
    rows, columns = expressions(6)
    others, _ = expressions(7)
    with pytest.raises(UserError, match="did not score the same expressions"):
        sliced([rows[0], others[0]], columns)
