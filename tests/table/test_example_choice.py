"""Which expressions are pictured: by rule, the same every time, one an image, never by hand."""

import numpy as np
import pytest
from simulated_study import ENVIRONMENT, packed

from remamber.errors import UserError
from remamber.plan.look import MasksSpec
from remamber.plan.spec import RunSpec
from remamber.record.schema import Record
from remamber.table.counts import CountsFile
from remamber.table.example_choice import RowCounts, choose_examples, rule_words


def row(folder, label, ious, *, needs=None, images=None, seed=0, sentences=None):
    """A row whose expressions have these IoUs, in percent of 100 pixels."""
    n = len(ious)
    fields = {
        "image_id": np.arange(n) if images is None else np.array(images),
        "ref_id": 10 + np.arange(n),
        "sent_id": 100 + np.arange(n) if sentences is None else np.array(sentences),
        "intersection": np.array(ious),
        "union": np.full(n, 100),
        "target": np.full(n, 100),
        "needs": np.zeros(n, dtype=np.int64) if needs is None else np.array(needs),
    }
    path = folder / f"{label}-{seed}.npz"
    path.write_bytes(packed({"val": fields}))
    spec = RunSpec.model_validate({"train": {"steps": 1}, "seed": seed})
    record = Record(
        run_id=spec.run_id,
        digest=spec.digest,
        spec=spec,
        status="ok",
        command="",
        started="",
        finished="",
        wall_s=0,
        environment=ENVIRONMENT,
    )
    return RowCounts(label, (CountsFile(record, path),))


def chosen(spec, rule):
    return [example.ref_id - 10 for example in spec.items if example.rule == rule]


def test_each_rule_takes_what_it_says_by_the_reference(tmp_path):
    ious = [5, 90, 50, 70, 20, 99, 60, 40, 10, 30, 80]
    other = [5, 90, 50, 0, 20, 99, 60, 40, 10, 30, 95]
    rows = [row(tmp_path, "one", ious), row(tmp_path, "other", other)]
    spec = choose_examples(MasksSpec(count=2, reference="one"), rows)
    assert chosen(spec, "best") == [5, 1]
    assert chosen(spec, "median") == [2, 6]
    assert chosen(spec, "worst") == [0, 8]
    assert chosen(spec, "disagreement") == [3, 10]
    assert (spec.candidates, spec.rows, spec.reference) == (11, ("one", "other"), "one")


def test_the_median_is_no_mean_and_disagreement_is_between_the_ends(tmp_path):
    skewed = row(tmp_path, "one", [10, 11, 12, 30, 99])
    assert chosen(choose_examples(MasksSpec(count=1, rules=("median",)), [skewed]), "median") == [2]
    # The first spreads more, one of three far off; the second lies further apart at its ends.
    ious = {"one": [0, 0], "two": [0, 31], "three": [60, 62], "four": [60, 31]}
    rows = [row(tmp_path, label, values) for label, values in ious.items()]
    spec = choose_examples(MasksSpec(count=1, rules=("disagreement",)), rows)
    assert chosen(spec, "disagreement") == [1]


def test_the_first_row_is_the_reference_where_none_of_that_name_is_there(tmp_path):
    rows = [row(tmp_path, "one", [10, 20, 30]), row(tmp_path, "two", [30, 20, 10])]
    spec = choose_examples(MasksSpec(count=1, rules=("best",), reference="three"), rows)
    assert spec.reference == "one"
    assert chosen(spec, "best") == [2]


def test_no_image_is_shown_twice_and_the_rules_choose_by_turns(tmp_path):
    rows = [row(tmp_path, "one", [90, 80, 70, 60, 50, 40], images=[1, 1, 1, 2, 2, 3])]
    spec = choose_examples(MasksSpec(count=2), rows)
    assert [chosen(spec, rule) for rule in ("best", "median", "worst")] == [[0], [3], [5]]
    assert len(spec.items) == 3


def test_ties_go_to_the_lowest_ids_whatever_the_order_of_scoring(tmp_path):
    ids = [3, 1, 2, 0]
    rows = [row(tmp_path, "one", [50] * 4, images=ids)]
    spec = choose_examples(MasksSpec(count=4, rules=("best",)), rows)
    assert [ids[place] for place in chosen(spec, "best")] == [0, 1, 2, 3]


def test_one_row_shows_no_disagreement(tmp_path):
    spec = choose_examples(MasksSpec(count=1), [row(tmp_path, "one", [1, 2, 3, 4, 5])])
    assert {example.rule for example in spec.items} == {"best", "median", "worst"}


def test_a_row_of_two_seeds_counts_with_the_mean_of_its_ious(tmp_path):
    first, second = row(tmp_path, "one", [90, 60, 10]), row(tmp_path, "one", [0, 60, 10], seed=1)
    both = RowCounts("one", (*first.runs, *second.runs))
    assert chosen(choose_examples(MasksSpec(count=1, rules=("best",)), [both]), "best") == [1]
    assert chosen(choose_examples(MasksSpec(count=1, rules=("best",)), [first]), "best") == [0]


def test_a_condition_leaves_out_all_other_expressions(tmp_path):
    rows = [row(tmp_path, "one", [90, 80, 70, 60], needs=[1, 8, 10, 4])]

    def best(*keep):
        wish = MasksSpec(count=4, rules=("best",), keep=keep)
        return chosen(choose_examples(wish, rows), "best")

    assert best("needs=location") == [1, 2]
    assert best(" needs = LOC ", "intersection<80") == [2]
    assert best("intersection>=70", "intersection<90") == [1, 2]
    assert choose_examples(MasksSpec(keep=("needs=noun",)), rows).candidates == 1


@pytest.mark.parametrize(
    ("condition", "what"),
    [
        ("needs", "no condition"),
        ("colour=3", "unknown slice or column 'colour'"),
        ("needs=wings", "names no slice"),
        ("needs=no", "names no slice"),
        ("needs>noun", "names no slice"),
        ("target=large", "whole number"),
        ("target>1000", "none of the 3 expressions"),
        ("length=10+", "do not know length"),
    ],
)
def test_a_condition_that_cannot_be_fulfilled_is_one_clear_error(tmp_path, condition, what):
    rows = [row(tmp_path, "one", [1, 2, 3], needs=[1, 1, 2])]
    with pytest.raises(UserError, match=what) as caught:
        choose_examples(MasksSpec(keep=(condition,)), rows)
    assert caught.value.fix


def test_needs_that_nobody_noted_are_said_so(tmp_path):
    with pytest.raises(UserError, match="do not know what the expression needs"):
        choose_examples(MasksSpec(keep=("needs=noun",)), [row(tmp_path, "one", [1, 2])])


def test_rows_of_other_expressions_or_splits_are_refused(tmp_path):
    rows = [row(tmp_path, "one", [1, 2]), row(tmp_path, "two", [1, 2], sentences=[7, 8])]
    with pytest.raises(UserError, match="same expressions"):
        choose_examples(MasksSpec(), rows)
    with pytest.raises(UserError, match="did not score the split 'testA'"):
        choose_examples(MasksSpec(split="testA"), rows[:1])


def test_the_printed_rule_says_everything_that_decided(tmp_path):
    rows = [row(tmp_path, "one", [1, 2, 3], needs=[8, 8, 1])]
    spec = choose_examples(MasksSpec(count=3, rules=("best",), keep=("needs=location",)), rows)
    words = rule_words(spec, {"one": "The One"})
    for said in ("2 expressions of val", "needs=location", "3 each", "highest IoU of The One"):
        assert said in words
    assert "Hand-picked: no" in words
