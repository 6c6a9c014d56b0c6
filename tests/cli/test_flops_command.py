import json

import pytest

from remamber.cli import _flops
from remamber.cli._flops_models import Words, chosen_models
from remamber.record.store import Store
from remamber.tasks import _flops_operators
from remamber.tasks._flops_counts import count_costs

TINY = ("flops", "--size", "tiny", "--model", "remamber")


def rows(bench, *arguments):
    said = bench(*TINY, "--json", *arguments)
    assert said.status == 0, said.err
    return json.loads(said.out)["rows"]


def test_the_table_has_a_line_for_every_model_and_resolution(bench):
    said = bench("flops", "--size", "tiny", "--res", "64,96")
    lines = [line for line in said.out.splitlines() if line.startswith(("lavt", "remamber"))]
    assert said.status == 0
    assert [line.split()[:2] for line in lines] == [["lavt", "tiny"]] * 2 + [
        ["remamber", "tiny"]
    ] * 2
    assert "params M" in said.out


def test_the_document_has_the_counts_and_their_convention(bench):
    said = bench(*TINY, "--res", "64", "--json", "--by", "operator")
    document = json.loads(said.out)
    (row,) = document["rows"]
    total = row["total"]
    assert "7bldn" in document["convention"]
    assert row["image_size"] == 64
    assert sum(cost["flops"] for cost in row["parts"].values()) == total["flops"]
    assert sum(cost["paper"] for cost in row["by_operator"].values()) == total["paper"]
    assert row["unknown_operators"] == {}
    assert total["macs"] < total["paper"] < total["flops"]


def test_all_orderings_are_one_word_and_each_model_stands_once(bench):
    found = rows(bench, "--res", "64", "--scan-order", "all", "--fusion", "twister,attention")
    names = [row["model"] for row in found]
    assert len(names) == len(set(names)) == 6
    assert len({row["total"]["flops"] for row in found}) == 6


def test_orders_of_one_cubes_parts_are_one_line_of_all_and_can_be_named():
    cubes = {spec.fusion.cube for spec in chosen_models(Words(every=True))}
    assert cubes == {"image-global-local", "image-global", "image-local"}
    (named,) = chosen_models(Words(cube=["local-image-global"], model=["remamber"]))
    assert named.fusion.cube == "local-image-global"


def test_the_text_encoder_costs_the_same_at_every_resolution(bench):
    small, large = rows(bench, "--res", "64,128")
    assert small["parts"]["text"] == large["parts"]["text"]
    assert small["parts"]["backbone"]["flops"] < large["parts"]["backbone"]["flops"]


@pytest.mark.parametrize("by", ["part", "module", "operator"])
def test_a_breakdown_stands_below_the_table(bench, by):
    said = bench(*TINY, "--res", "64", "--by", by)
    assert {"part": "backbone", "module": "encoder.blocks", "operator": "selective scan"}[by] in (
        said.out
    )


def test_any_key_of_the_model_can_be_set(bench):
    (row,) = rows(bench, "--res", "64", "--set", "model.backbone=swin")
    assert row["spec"]["backbone"] == "swin"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--res", "250"), "--res 256"),
        (("--res", "0"), "multiples of 32"),
        (("--res", "1000000"), "--res 8192"),
        (("--res", "-64"), "multiples of 32"),
        (("--res", "256,,512"), "of nothing"),
        (("--res", "big"), "--res big"),
        (("--model", "remember"), "did you mean 'remamber'?"),
        (("--fusion", "twistr"), "did you mean 'twister'?"),
        (("--scan-order", "chanel"), "did you mean 'channel'?"),
        (("--size", "huge"), "tiny, small, base"),
        (("--by", "modul"), "did you mean 'module'?"),
        (("--text", "brt"), "'word', 'clip' or 'bert'"),
        (("--set", "model.backbon=swin"), "did you mean 'model.backbone'?"),
        (("--set", "model.name=lvat"), "did you mean 'lavt'?"),
    ],
)
def test_bad_input_is_one_sentence_and_a_fix(bench, arguments, named):
    said = bench("flops", *arguments)
    assert said.status == 2
    assert said.out == ""
    assert named in said.err
    assert "Traceback" not in said.err


def test_an_unknown_operator_is_listed_and_refused_when_strict(bench, monkeypatch):
    known = _flops_operators.FREE
    monkeypatch.setattr(_flops_operators, "FREE", known - {"aten.gelu"})
    lenient = bench(*TINY, "--res", "64")
    assert lenient.status == 0
    assert "aten.gelu" in lenient.err
    strict = bench(*TINY, "--res", "64", "--strict")
    assert strict.status == 1
    assert "aten.gelu" in strict.err
    assert strict.out == ""


def test_saved_counts_are_records_that_are_reused(bench, tmp_path):
    store = tmp_path / "kept"
    arguments = (*TINY, "--res", "64,96", "--save", "--store", str(store))
    assert bench(*arguments).status == 0
    records = list(Store(store).records())
    assert {r.spec.data.image_size for r in records} == {64, 96}
    times = {r.run_id: r.finished for r in records}
    (counts,) = count_costs(records[0].spec.model, [records[0].spec.data.image_size])
    total = next(
        m.value
        for m in records[0].measurements
        if m.metric == "flops" and m.where == {"part": "total"}
    )
    assert total == counts.total().flops
    assert bench(*arguments).status == 0
    assert {r.run_id: r.finished for r in Store(store).records()} == times


@pytest.mark.slow
def test_models_of_several_sizes_are_counted_side_by_side(bench, monkeypatch):
    monkeypatch.setattr(_flops, "_MANY", 2)
    monkeypatch.setattr(_flops, "usable_cores", lambda: 2)
    said = bench("flops", "--model", "remamber", "--size", "tiny,small", "--res", "32", "--json")
    found = json.loads(said.out)["rows"]
    assert [row["spec"]["size"] for row in found] == ["tiny", "small"]
    assert "counted 2 of 2 models" in said.err
    assert rows(bench, "--res", "32") == found[:1]
