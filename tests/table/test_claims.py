import numpy as np
import pytest
from scipy import stats
from simulated_speed import speed_record, speed_spec
from simulated_study import ORDERS, SKILL, SPLITS, add_run, simulated_study, spec_of

from remamber.errors import UserError
from remamber.plan.claims import CLAIMS
from remamber.plan.spec import RunSpec
from remamber.record.store import Store
from remamber.table.all_claims import check_claims
from remamber.table.claims import OVERALL, accuracy_findings
from remamber.table.claims_published import published_margins
from remamber.table.claims_speed import cost_findings
from remamber.table.counts import CountsFile
from remamber.table.image_difference import image_difference
from remamber.table.resample import image_sums
from remamber.table.significance import holm

BY_NAME = {claim.name: claim for claim in CLAIMS}
FAR = dict(zip(ORDERS, (0.20, 0.30, 0.40, 0.40, 0.50), strict=True))
"""Skills in the order that C2 and C3 claim, far apart."""


def findings(name, study):
    return accuracy_findings(BY_NAME[name], study.store.records(), study.store)


def test_a_claim_is_confirmed_where_every_difference_is_settled(tmp_path):
    (finding,) = findings("C3", simulated_study(tmp_path, skill=FAR))
    assert finding.verdict == "confirmed"
    assert finding.count("holds") == len(finding.evidence) == 4
    assert {e.metric for e in finding.evidence} == {OVERALL}


def test_one_difference_the_other_way_contradicts(tmp_path):
    skill = {**FAR, "spatial": 0.6}
    (finding,) = findings("C3", simulated_study(tmp_path, skill=skill))
    assert finding.verdict == "contradicted"
    assert [e.lower for e in finding.evidence if e.standing == "fails"] == ["spatial"]


def test_equal_rows_leave_it_undecided(tmp_path):
    skill = {**FAR, "parallel": FAR["channel-spatial"]}
    (finding,) = findings("C3", simulated_study(tmp_path, skill=skill))
    assert finding.verdict == "undecided"


def test_a_missing_row_leaves_it_undecided_and_is_named(tmp_path):
    skill = {k: v for k, v in FAR.items() if k != "parallel"}
    (finding,) = findings("C3", simulated_study(tmp_path, skill=skill))
    assert (finding.verdict, finding.missing) == ("undecided", ("parallel",))


def test_seeds_that_disagree_leave_it_undecided(tmp_path):
    study = simulated_study(tmp_path, skill=FAR, seeds=(0,))
    for order in FAR:
        add_run(study, order, skill=0.60 - FAR[order], seed=1)
    (finding,) = findings("C3", study)
    assert finding.seeds == 2
    assert finding.verdict == "undecided"


def test_conditions_are_kept_apart(tmp_path):
    study = simulated_study(tmp_path, skill=FAR)
    for order in FAR:
        add_run(study, order, skill=0.45, data="synth-refcoco+")
    found = {f.dataset: f.verdict for f in findings("C3", study)}
    assert found["synth-refcoco"] == "confirmed"
    assert found["synth-refcoco+"] == "undecided"


def altered(study, record, change):
    """The record again, of a spec that differs in one key."""
    spec = RunSpec.model_validate(with_changes(record.spec.model_dump(), change))
    again = record.model_copy(update={"spec": spec, "run_id": spec.run_id, "digest": spec.digest})
    study.store.write_record(again, counts=study.store.counts_path(record).read_bytes())


def with_changes(content, change):
    (key, value), *_ = change.items()
    return {**content, key: with_changes(content[key], value) if isinstance(value, dict) else value}


def test_another_resolution_is_another_condition(tmp_path):
    study = simulated_study(tmp_path, skill=FAR)
    for record in study.store.records():
        if record.spec.task == "train":
            altered(study, record, {"data": {"image_size": 480}})
    sizes = [{r.spec.data.image_size for r in f.records} for f in findings("C3", study)]
    assert len(sizes) == 2 and all(len(size) == 1 for size in sizes)


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"backbone": "swin"}},
        {"model": {"scan_directions": "two"}},
        {"model": {"fusion": {"spatial_scan": "ssd"}}},
    ],
)
def test_what_the_paper_does_not_describe_says_nothing_of_its_claims(tmp_path, change):
    study = simulated_study(tmp_path, skill=FAR)
    for record in study.store.records():
        if record.spec.task == "train":
            altered(study, record, change)
    (finding,) = findings("C3", study)
    assert {r.spec.model for r in finding.records} == {spec_of(order).model for order in FAR}


def test_the_error_of_the_mean_is_that_of_independent_splits(tmp_path):
    study = simulated_study(tmp_path)
    (finding,) = findings("C3", study)
    evidence = finding.evidence[-1]
    own = {r.spec.model.fusion.scan_order: r for r in finding.records}
    errors = []
    for split in SPLITS:
        files = [
            CountsFile(own[order], study.store.counts_path(own[order]))
            for order in (evidence.higher, evidence.lower)
        ]
        sums = [image_sums([f.of(split)], ("mIoU", "oIoU", "Pr@50", "Pr@70")) for f in files]
        errors.append(image_difference(*sums, together=True).standard_error[0])
    error = np.sqrt(np.sum(np.square(errors))) / len(SPLITS)
    half = stats.t.ppf(0.975, 59) * error
    assert evidence.high - evidence.low == pytest.approx(2 * half)
    alone = 2 * stats.t.sf(abs(evidence.difference) / error, 59)
    assert alone <= evidence.p <= 4 * alone


def test_failed_runs_are_no_records_of_a_claim(tmp_path):
    study = simulated_study(tmp_path, skill={"channel": 0.3})
    add_run(study, "channel-spatial", skill=0.5, status="oom", error="no room")
    assert findings("C3", study) == []


def test_the_mean_of_all_columns_is_that_of_the_columns(tmp_path):
    (finding,) = findings("C3", simulated_study(tmp_path))
    for evidence in finding.evidence:
        own = [
            e.difference
            for e in finding.columns
            if (e.higher, e.lower) == (evidence.higher, evidence.lower)
        ]
        assert len(own) == 12
        assert evidence.difference == pytest.approx(np.mean(own))
        assert evidence.low < evidence.difference < evidence.high


def test_seeds_that_disagree_on_a_difference_against_it_leave_it_undecided_too(tmp_path):
    study = simulated_study(tmp_path, skill={"channel": 0.60, "channel-spatial": 0.40})
    assert findings("C3", study)[0].verdict == "contradicted"
    add_run(study, "channel", skill=0.40, seed=1)
    add_run(study, "channel-spatial", skill=0.42, seed=1)
    (finding,) = findings("C3", study)
    (evidence,) = finding.evidence
    assert evidence.difference < 0 and evidence.p < 0.05
    assert evidence.seeds.low < 0 < evidence.seeds.high
    assert finding.verdict == "undecided"


def test_holm_counts_all_differences_that_decide(tmp_path):
    (finding,) = findings("C3", simulated_study(tmp_path))
    alone = []
    for order in ORDERS[:-1]:
        skill = {name: SKILL[name] for name in (order, "channel-spatial")}
        (pair,) = findings("C3", simulated_study(tmp_path / order, skill=skill))
        alone.append(pair.evidence[0].p)
    assert [e.p for e in finding.evidence] == pytest.approx(holm(alone))
    assert [e.p for e in finding.evidence] != pytest.approx(alone)


def test_one_image_decides_nothing(tmp_path):
    (finding,) = findings("C3", simulated_study(tmp_path, skill=FAR, images=1))
    assert finding.verdict == "undecided"
    for evidence in (*finding.evidence, *finding.columns):
        assert (evidence.p, evidence.low <= 0 <= evidence.high) == (1.0, True)


def test_generated_data_confirm_nothing_of_the_paper(tmp_path):
    study = simulated_study(tmp_path, skill=FAR)
    checked = {c.claim.name: c for c in check_claims(study.store)}
    assert checked["C3"].findings[0].verdict == "confirmed"
    assert not checked["C3"].is_confirmed
    assert checked["C1"].findings == ()


def test_real_data_confirm(tmp_path):
    study = simulated_study(tmp_path, skill=FAR, data="refcoco")
    checked = {c.claim.name: c for c in check_claims(study.store)}
    assert checked["C3"].is_confirmed
    assert not checked["C1"].is_confirmed


def cost(tmp_path, *records):
    store = Store(tmp_path)
    for record in records:
        store.write_record(record)
    return cost_findings(BY_NAME["C5"], store.records(), store)


def test_costs_are_confirmed_by_size_on_one_machine(tmp_path):
    (finding,) = cost(tmp_path, *(speed_record(speed_spec(size)) for size in (512, 256, 1024)))
    assert [e.image_size for e in finding.evidence] == [256, 512, 1024]
    assert [e.time for e in finding.evidence][:2] == ["faster", "faster"]
    assert finding.evidence[0].memory == pytest.approx((400 + 65.536) / (400 + 3 * 65.536))
    assert finding.evidence[2].lost == "rival"
    assert finding.verdict == "confirmed"


def test_a_subject_that_is_no_faster_contradicts(tmp_path):
    record = speed_record(speed_spec(256))
    swapped = {
        name: tuple((r, 2.0 * s if "lavt" not in name else s / 2) for r, s in curve)
        for name, curve in record.curves.items()
    }
    (finding,) = cost(tmp_path, record.model_copy(update={"curves": swapped}))
    assert finding.evidence[0].time == "slower"
    assert finding.verdict == "contradicted"


def test_machines_are_kept_apart(tmp_path):
    other = speed_spec(256, machine="another")
    assert len(cost(tmp_path, speed_record(speed_spec(256)), speed_record(other))) == 2


def test_the_papers_margins_by_hand():
    margins = {(m.higher, m.lower): m for m in published_margins(BY_NAME["C3"])}
    close = margins["Channel-Spatial", "Spatial-Channel"]
    assert (close.ahead, len(close.margins), close.resolved) == (7, 12, 0)
    assert close.mean == pytest.approx(0.0011, abs=5e-5)
    # 0.821 of 10,834 on 1,500 images: the variance times 1 + 6.22 x 0.2, two rows at r = 0.7.
    error = (0.821 * 0.179 / 10_834 * (1 + (10_834 / 1_500 - 1) * 0.2) * 0.6) ** 0.5
    assert close.detectable["val"] == pytest.approx(2.80158 * error, rel=1e-4)
    assert margins["Channel-Spatial", "Channel only"].resolved == 3


def test_tables_without_a_data_set_are_of_the_inferred_one_alone():
    assert {m.dataset for m in published_margins(BY_NAME["C4"])} == {"RefCOCO"}
    assert {m.dataset for m in published_margins(BY_NAME["C1"])} == {"RefCOCO", "RefCOCO+", "G-Ref"}


def test_rows_of_other_expressions_are_refused(tmp_path):
    study = simulated_study(tmp_path, skill={"channel": 0.3})
    add_run(study, "channel-spatial", skill=0.5, images=59)
    with pytest.raises(UserError, match="same expressions"):
        findings("C3", study)


def test_claims_name_rows_that_their_study_has():
    for claim in CLAIMS:
        if claim.pairs:
            assert all(margin.margins for margin in published_margins(claim))
    assert set(ORDERS) == set(BY_NAME["C2"].rows) == set(BY_NAME["C3"].rows)
