"""What the counts say of an expression besides pixels, by hand and against the data set."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic_recipes import small_recipe

from remamber.datasets import DataPlace, Expression, Referent
from remamber.datasets._refer_layout import open_refer
from remamber.datasets.synthetic import provide
from remamber.models._text_word import WordTokenizer
from remamber.plan.protocols import DEFAULT, PROTOCOLS
from remamber.plan.spec import DataSpec
from remamber.record.schema import BY_PROGRAM, BY_WORDS
from remamber.tasks._expression_facts import (
    NEEDS,
    ExpressionFacts,
    centre_distance,
    cut_short,
    needs_by,
)
from remamber.tasks._protocol_masks import Targets
from remamber.tasks._scoring import FIELDS, NOT_RECORDED, Scorer, items_of, joined
from remamber.tasks._unfinished import Scored, Unfinished

DATA = DataSpec(name="synth-refcoco", image_size=64, splits=("val",))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = provide(small_recipe(), DataPlace(cache=tmp_path_factory.mktemp("data")))
    return open_refer(folder, DATA, folder="refcoco", split_by="unc", name="synth-refcoco")


class Blind(torch.nn.Module):
    """A segmenter that finds nothing, with a tokenizer of four words."""

    def __init__(self, refs):
        super().__init__()
        texts = [e.text for ref in refs for e in ref.expressions]
        self.tokenizer = WordTokenizer(texts, length=4 + 2)

    def forward(self, image, ids, mask):
        return torch.full((len(image), 1, 64, 64), -9.0)


def scored(dataset, refs, *, protocols=(DEFAULT,)):
    scorer = Scorer(
        dataset,
        refs,
        targets=Targets({"union": dataset, "eq1": dataset}, own_rule="union"),
        protocols=[PROTOCOLS[name] for name in protocols],
        size=64,
        batch=8,
        device=torch.device("cpu"),
    )
    return scorer.score(Blind(refs), items_of(refs), on_batch=lambda done: None)


def test_the_centre_of_a_target_is_measured_from_the_middle_to_a_corner():
    whole = np.ones((48, 64), dtype=bool)
    assert centre_distance(whole) == 0
    corner = np.zeros((300, 400), dtype=bool)
    corner[:1, :1] = True
    assert centre_distance(corner) == round(1000 * (1 - np.hypot(0.5, 0.5) / 250))
    side = np.zeros((300, 400), dtype=bool)
    side[:, 300] = True
    assert centre_distance(side) == round(1000 * 100.5 / 250)
    assert centre_distance(np.zeros((9, 9), dtype=bool)) == -1


def test_only_the_texts_that_lost_their_end_are_said_to_be_cut():
    tokenizer = WordTokenizer(["a b c d e"], length=5)
    texts = ["a b c", "a b c d", "a", "a b c d e"]
    for chosen in (texts, texts[:1], texts[1::2]):
        cut = cut_short(tokenizer, chosen, tokenizer(chosen))
        assert cut == [len(text.split()) > 3 for text in chosen]


def test_every_column_says_what_the_data_set_says(dataset):
    refs = dataset.refs("val")
    counts = scored(dataset, refs)[DEFAULT]
    assert set(counts) == set(FIELDS)
    items = items_of(refs)
    for i, (_, ref, expression, text) in enumerate(items):
        assert counts["words"][i] == len(text.split())
        assert counts["truncated"][i] == (len(text.split()) > 4)
        assert counts["needs"][i] == sum(NEEDS[need] for need in expression.needs)
        assert counts["image_pixels"][i] == 64 * 64
        assert counts["centre_distance"][i] == centre_distance(dataset.mask(ref))
        assert counts["same_class"][i] == dataset.same_class(ref) >= 1
    assert 0 < counts["truncated"].sum() < len(items)


def test_an_areas_share_is_taken_at_the_size_at_which_a_protocol_compares(dataset):
    refs = dataset.refs("val")[:6]
    counts = scored(dataset, refs, protocols=(DEFAULT, "lavt"))
    assert set(counts["lavt"]["image_pixels"]) == {480 * 480}
    shares = [counts[name]["target"] / counts[name]["image_pixels"] for name in (DEFAULT, "lavt")]
    np.testing.assert_allclose(*shares, rtol=0.05)


def test_words_are_read_only_where_no_expression_says_what_it_needs(dataset):
    refs = dataset.refs("val")
    silent = [
        replace(ref, expressions=tuple(replace(e, needs=()) for e in ref.expressions))
        for ref in refs
    ]
    assert (needs_by(refs), needs_by(silent)) == (BY_PROGRAM, BY_WORDS)
    mask = np.ones((4, 4), dtype=bool)
    said = Expression(1, "man in red shirt on left")
    ref = Referent(1, refs[0].image_id, refs[0].ann_ids, "", "val", (said,))
    facts = ExpressionFacts(dataset, [ref]).of(ref, said, mask)
    assert facts.needs == NEEDS["noun"] + NEEDS["attr"] + NEEDS["location"]
    assert facts.words == 6
    stated = ExpressionFacts(dataset, refs).of(ref, said, mask)
    assert stated.needs == 0


def test_a_data_set_that_knows_no_classes_says_so():
    class Plain:
        name = "plain"

    ref = Referent(1, 1, (1,), "", "val", (Expression(1, "left"),))
    facts = ExpressionFacts(Plain(), [ref]).of(ref, ref.expressions[0], np.ones((4, 4), dtype=bool))
    assert facts.same_class == -1


def test_counts_of_before_the_columns_go_on_as_not_recorded(dataset, tmp_path):
    refs = dataset.refs("val")[:4]
    new = scored(dataset, refs)
    before = ("image_id", "ref_id", "sent_id", "intersection", "union", "predicted", "target")
    old = {DEFAULT: {name: new[DEFAULT][name] for name in (*before, "needs")}}
    unfinished = Unfinished(tmp_path, "digest")
    unfinished.save({"val": Scored(3, old)})
    restored, warnings = unfinished.restore()
    assert (restored["val"].items, warnings) == (3, [])
    assert set(restored["val"].counts[DEFAULT]) == set(FIELDS)
    both = joined([restored["val"].counts, new])[DEFAULT]
    n = len(new[DEFAULT]["target"])
    assert both["words"].tolist() == [NOT_RECORDED] * n + new[DEFAULT]["words"].tolist()
    assert both["needs"].tolist() == [*new[DEFAULT]["needs"]] * 2
