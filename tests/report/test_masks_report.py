"""The report of predicted masks: gallery, tables, notes and results, from records alone."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from simulated_study import ENVIRONMENT, ORDERS, simulated_study

from remamber.plan.look import MaskExample, MasksSpec
from remamber.plan.question import MasksAnalysis
from remamber.plan.spec import RunSpec
from remamber.plan.study import StudyRuns
from remamber.record.schema import WEIGHTS_RUN, Record
from remamber.record.store import Store
from remamber.report import render_study

LABELS = {"channel": "Channel-Scan", "spatial": "Spatial <Scan>", "lavt": "LAVT"}
RULES = ("best", "best", "worst", "disagreement")
SIDE = 24


def png() -> np.ndarray:
    stream = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), "#446688").save(stream, "PNG")
    return np.frombuffer(stream.getvalue(), dtype=np.uint8)


def arrays(row: int, counts) -> bytes:
    """What the task leaves: squares of which the row's own part is found."""
    content = {"text": np.array([f"the | cup {i}" for i in range(len(RULES))])}
    for i in range(len(RULES)):
        target = np.zeros((SIDE, SIDE), dtype=bool)
        target[4 : 8 + i, 4:12] = True
        content |= {
            f"image/{i}": png(),
            f"shape/{i}": np.array([SIDE, SIDE]),
            f"target/{i}": np.packbits(target),
            f"predicted/{i}": np.packbits(np.roll(target, row, axis=1)),
        }
    chosen = {name: column[: len(RULES)] for name, column in counts.items()}
    more = {"needs": np.array([1, 8, 1, 4]), "words": np.array([2, 2, 2, 2])}
    stream = io.BytesIO()
    np.savez(stream, **(content | chosen | more))
    return stream.getvalue()


def add_masks(store: Store, trained: Record, row: int) -> Record:
    with np.load(store.counts_path(trained)) as kept:
        counts = {n.removeprefix("val/"): kept[n] for n in kept.files if n.startswith("val/")}
    items = tuple(
        MaskExample(ref_id=int(counts["ref_id"][i]), sent_id=int(counts["sent_id"][i]), rule=rule)
        for i, rule in enumerate(RULES)
    )
    spec = RunSpec(
        task="masks",
        model=trained.spec.model,
        data=trained.spec.data,
        weights={"holds": "model", "sha256": f"{row:064x}"},
        masks=MasksSpec(
            rules=("best", "worst", "disagreement"),
            count=2,
            reference="channel",
            rows=("channel", "spatial"),
            candidates=180,
            items=items,
        ),
    )
    record = Record(
        run_id=spec.run_id,
        digest=spec.digest,
        spec=spec,
        status="ok",
        command="remamber-bench masks",
        started="2026-01-02T03:04:05+00:00",
        finished="2026-01-02T03:04:09+00:00",
        wall_s=4.0,
        environment=ENVIRONMENT,
        data={"name": "synth-refcoco", WEIGHTS_RUN: trained.run_id, "weights": "model.safetensors"},
    )
    return store.write_record(record, arrays=arrays(row, counts))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A store with two trained rows and their masks, and the runs of the invocation."""
    skill = {name: 0.4 for name in ORDERS[:2]}
    place = tmp_path_factory.mktemp("store")
    store = simulated_study(place, skill=skill, bounds=False).store
    by_order = {r.spec.model.fusion.scan_order: r for r in store.records()}
    records = {name: add_masks(store, by_order[name], i) for i, name in enumerate(skill)}
    runs = StudyRuns(
        study="masks",
        profile="quick",
        run_ids=tuple(record.run_id for record in records.values()),
        rows={record.run_id: name for name, record in records.items()},
        command="remamber-bench masks",
    )
    return store, runs


def analysis():
    return MasksAnalysis(
        title="Predicted masks",
        paper="Figs. 6 and 7",
        experiment="masks",
        question="What do they look like?",
        masks={"labels": LABELS, "beside": {"lavt": "remamber-bench ablate sota"}},
    )


@pytest.fixture(scope="module")
def rendered(study, tmp_path_factory):
    store, runs = study
    return render_study(analysis(), runs, store=store, out=tmp_path_factory.mktemp("reports"))


def test_every_format_names_every_row_and_prints_the_rule(rendered):
    page, text = rendered.paths["html"].read_text(), rendered.paths["md"].read_text()
    for content in (page, text, rendered.terminal(False, 100)):
        assert "Channel-Scan" in content
        assert "Hand-picked: no" in " ".join(content.split())
    assert "Spatial &lt;Scan&gt;" in page
    assert "the \\| cup 0" in text
    assert text.count(".png)") == 3
    assert page.count("<use ") == len(RULES) * 3


def test_the_sheets_are_pngs_beside_the_markdown(rendered):
    folder = rendered.paths["figures"]
    sheets = sorted(path.name for path in folder.iterdir())
    assert sheets == ["masks-best.png", "masks-disagreement.png", "masks-worst.png"]
    for path in folder.iterdir():
        assert path.stat().st_size < 1_500_000
        with Image.open(path) as image:
            assert image.format == "PNG"


def test_results_hold_the_ious_that_the_masks_have(rendered):
    content = json.loads(rendered.paths["json"].read_text())
    assert [example["rule"] for example in content["examples"]] == list(RULES)
    for example in content["examples"]:
        for row in example["rows"].values():
            assert row["iou"] == pytest.approx(row["intersection"] / row["union"])
    assert content["choice"]["candidates"] == 180
    assert content["agreement"]["differing"] == 0
    assert content["agreement"]["compared"] == 2 * len(RULES)


def test_notes_say_what_was_checked_what_is_missing_and_which_rules_found_fewer(rendered):
    notes = " ".join(rendered.document.notes)
    assert "all 8 masks have the intersection and union" in notes
    assert "Fewer than 2 images were left for worst 1 and disagreement 1" in notes
    assert "LAVT is not shown: remamber-bench ablate sota trains it." in notes


def test_the_verdict_is_about_the_whole_split_and_says_that_pictures_prove_nothing(rendered):
    verdict = rendered.document.verdict
    assert "highest mIoU over all of val" in verdict
    assert "prove nothing by themselves" in verdict


def test_masks_alone_are_reported_without_the_trained_runs(study, tmp_path):
    store, runs = study

    class Alone:
        """The masks' records, as another machine has them."""

        def records(self):
            return [r for r in store.records() if r.spec.task == "masks"]

        def counts_path(self, record):
            return store.counts_path(record)

        def arrays_path(self, record):
            return store.arrays_path(record)

    made = render_study(analysis(), runs, store=Alone(), out=tmp_path / "reports")
    assert "not held against them" in " ".join(made.document.notes)
    assert made.document.verdict.startswith("The 4 expressions shown")
    assert "n/a (no counts)" in made.terminal(False, 100)


def test_slices_of_the_examples_are_filters(rendered):
    page = rendered.paths["html"].read_text()
    assert "what the expression needs" in page
    assert "noun (2)" in page
    assert "length of the expression" not in page
