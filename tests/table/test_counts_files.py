import numpy as np
import pytest
from simulated_study import Simulated, add_run, scans_analysis

from remamber.errors import ExitCode, UserError
from remamber.record.store import Store
from remamber.table.counts import CountsFile, ExpressionCounts, require_same_expressions


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
    same = ExpressionCounts(key, np.array([1, 2]), np.array([3, 4]))
    other = ExpressionCounts(key + 1, np.array([1, 2]), np.array([3, 4]))
    require_same_expressions([same, same], ["a", "b"])
    with pytest.raises(UserError, match="same expressions"):
        require_same_expressions([same, other], ["a", "b"])
