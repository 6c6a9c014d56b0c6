import numpy as np
import pytest
from simulated_study import Simulated, add_run, scans_analysis

from remamber.errors import ExitCode, UserError
from remamber.metrics import measure
from remamber.plan.protocols import DEFAULT
from remamber.plan.spec import EvaluateSpec
from remamber.record.store import Store
from remamber.table.counts import (
    CountsFile,
    ExpressionCounts,
    one_protocol,
    require_same_expressions,
)
from remamber.table.evaluated import scored_splits
from remamber.table.resample import image_sums, metric_values
from remamber.table.results import build


@pytest.fixture
def stored(tmp_path):
    study = Simulated(Store(tmp_path), scans_analysis())
    record = add_run(study, "channel", skill=0.4, images=5)
    return record, study.store.counts_path(record)


def test_counts_are_ordered_by_their_ids(stored):
    record, path = stored
    counts = CountsFile(record, path).of("val")
    assert counts.key.tolist() == sorted(counts.key.tolist())
    assert (counts.intersection <= counts.union).all()


def test_a_split_that_was_not_scored_is_not_there(stored):
    counts = CountsFile(*stored)
    assert counts.has("testA")
    assert not counts.has("testC")
    with pytest.raises(UserError, match="lack testC"):
        counts.of("testC")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", None])
def test_damaged_counts_are_named_with_the_way_out(stored, content):
    record, path = stored
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(UserError, match=record.run_id) as refused:
        CountsFile(record, path)
    assert refused.value.exit_code == ExitCode.DAMAGED
    assert str(path.parent) in refused.value.fix[0]


def test_counts_of_another_run_are_refused(stored):
    record, path = stored
    np.savez(path, **{"val/intersection": np.zeros(3, dtype=np.int64)})
    with pytest.raises(UserError, match="checksum"):
        CountsFile(record, path)


def test_the_order_in_a_file_does_not_matter_but_the_ids_do():
    key = np.array([[1, 1, 1], [2, 2, 2]])
    same = ExpressionCounts(key, np.array([1, 2]), np.array([3, 4]), np.array([3, 4]))
    other = same._replace(key=key + 1)
    require_same_expressions([same, same], ["a", "b"])
    with pytest.raises(UserError, match="same expressions"):
        require_same_expressions([same, other], ["a", "b"])


def scored_by(record, *protocols):
    """The record as if it had been scored by those protocols; its hash is another."""
    evaluate = record.spec.evaluate.model_copy(update={"protocols": protocols})
    spec = record.spec.model_copy(update={"evaluate": evaluate})
    named = {"spec": spec, "run_id": spec.run_id, "digest": spec.digest}
    return record.model_copy(update=named)


@pytest.fixture
def two_protocols(stored, tmp_path):
    """A record by two protocols, with different counts of the same expressions for each."""
    record, path = stored
    with np.load(path) as arrays:
        content = dict(arrays)
    for split in ("val", "testA", "testB"):
        own = {place: array for place, array in content.items() if place.startswith(f"{split}/")}
        for place, array in own.items():
            content[f"{split}@lavt/{place.removeprefix(f'{split}/')}"] = array
        content[f"{split}@lavt/intersection"] = content[f"{split}/intersection"] // 2
    np.savez(path, **content)
    return scored_by(record, DEFAULT, "lavt").model_copy(update={"counts_sha256": None}), path


def test_the_counts_of_each_protocol_are_found_under_its_name(two_protocols):
    counts = CountsFile(*two_protocols)
    first, lavt = counts.of("val"), counts.of("val", "lavt")
    assert (first.protocol, lavt.protocol) == (DEFAULT, "lavt")
    np.testing.assert_array_equal(lavt.intersection, first.intersection // 2)
    assert counts.of("val", DEFAULT).intersection.tolist() == first.intersection.tolist()
    assert not counts.has("val", "cris")
    with pytest.raises(UserError, match="lack val@cris"):
        counts.of("val", "cris")
    assert set(counts.columns("val", "lavt")) == set(counts.columns("val"))


def test_an_evaluations_scores_are_the_metrics_of_its_counts_by_each_protocol(two_protocols):
    record, path = two_protocols
    counts = CountsFile(record, path)
    splits = scored_splits(record, counts)
    assert [(s.protocol.name, s.split) for s in splits] == [
        (protocol, split) for protocol in (DEFAULT, "lavt") for split in ("val", "testA", "testB")
    ]
    for scored in splits:
        own = counts.of(scored.split, scored.protocol.name)
        assert scored.expressions == len(own.key)
        assert [score.metric for score in scored.scores] == list(scored.protocol.metrics)
        for score in scored.scores:
            value = measure(
                score.metric,
                own.intersection,
                own.union,
                target=own.target,
                protocol=scored.protocol.name,
            )
            assert score.value == pytest.approx(value)
            assert score.low <= score.value <= score.high
    again = scored_splits(record, CountsFile(record, path))
    assert again == splits


def test_the_protocol_of_the_counts_decides_what_exactly_one_half_is():
    key = np.array([[1, 1, 1]])
    half = ExpressionCounts(key, np.array([50]), np.array([100]), np.array([80]))
    for protocol, value in ((DEFAULT, 0.0), ("lavt", 1.0)):
        sums = image_sums([half._replace(protocol=protocol)], ["Pr@50"])
        assert metric_values(sums)[0, 0] == value


def test_rows_scored_by_different_protocols_are_refused_in_one_sentence(tmp_path, stored):
    record, _ = stored
    other = scored_by(record, "lavt", DEFAULT)
    assert one_protocol([record, record]).name == DEFAULT
    assert one_protocol([]) is None
    with pytest.raises(UserError, match="scored by different protocols") as refused:
        one_protocol([record, other])
    assert refused.value.exit_code == ExitCode.USAGE
    assert any("lavt" in line for line in refused.value.where)
    key = np.array([[1, 1, 1]])
    counts = ExpressionCounts(key, np.array([1]), np.array([3]), np.array([3]))
    with pytest.raises(UserError, match="scored by different protocols"):
        require_same_expressions([counts, counts._replace(protocol="cris")], ["a", "b"])


def test_a_study_whose_rows_have_different_protocols_has_no_table(tmp_path):
    study = Simulated(Store(tmp_path), scans_analysis())
    add_run(study, "channel", skill=0.4, images=5)
    record = add_run(study, "spatial", skill=0.5, images=5)
    counts = study.store.counts_path(record).read_bytes()
    other = scored_by(record, "lavt")
    study.store.write_record(other, counts=counts)
    study.run_ids[1] = other.run_id
    with pytest.raises(UserError, match="do not belong in one table"):
        build(study.analysis, study.runs, study.store)
    assert EvaluateSpec(protocols=("lavt",)) != EvaluateSpec()
