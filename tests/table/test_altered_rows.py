"""What is said of altered expressions over the seeds of a row."""

import pytest
from simulated_study import simulated_study

from remamber.table.alterations import share_of


def test_a_share_is_the_mean_over_the_rows_seeds(tmp_path):
    study = simulated_study(tmp_path, skill={"channel": 0.4}, seeds=(0, 1), bounds=False)
    records = study.store.records()
    alone = [share_of([record], "mIoU", "val") for record in records]
    assert len(set(alone)) == 2
    assert share_of(records, "mIoU", "val") == pytest.approx(sum(alone) / 2)


def test_what_was_not_measured_has_no_share(tmp_path):
    study = simulated_study(tmp_path, skill={"channel": 0.4}, bounds=False)
    assert share_of(study.store.records(), "changed_masks", "val") is None
