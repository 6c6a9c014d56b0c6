import pytest
from simulated_study import ORDERS, SKILL, Simulated, add_run, scans_analysis, simulated_study

from remamber.errors import UserError
from remamber.record.store import Store
from remamber.table.layout import cost_table, differences_table, results_table, rows_below_floor
from remamber.table.model import Cell, Column, Row, Table
from remamber.table.results import build
from remamber.table.tidy import COLUMNS


def built(study):
    return build(study.analysis, study.runs, study.store)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return simulated_study(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def results(study):
    return built(study)


def test_recomputed_metrics_equal_the_recorded_measurements(results):
    frame = results.frame[results.frame["control"].isna()]
    for split, comparison in results.by_split.items():
        for r, row in enumerate(comparison.rows):
            for m, metric in enumerate(comparison.metrics):
                place = (
                    (frame["row"] == row) & (frame["split"] == split) & (frame["metric"] == metric)
                )
                assert comparison.value[r, m] == pytest.approx(frame[place]["value"].item())


def test_the_tidy_frame_has_a_line_for_every_measurement(results):
    assert tuple(results.frame.columns) == COLUMNS
    assert len(results.frame) == sum(len(r.measurements) for r in results.records)
    assert set(results.frame["n"].dropna()) == {180}


def test_rows_stand_in_the_order_of_the_analysis(results):
    assert [v.key for v in results.selection.variants] == list(ORDERS)
    assert [v.index for v in results.selection.variants] == list(range(5))


def test_every_column_has_one_best_cell_and_the_others_may_have_daggers(results):
    table = results_table(results)
    for c in range(len(table.columns)):
        cells = [row.cells[c] for row in table.rows]
        assert sum(cell.best for cell in cells) == 1
        assert not any(cell.best and cell.dagger for cell in cells)
        best = next(cell for cell in cells if cell.best)
        assert best.value == max(cell.value for cell in cells)
        assert all(cell.low < cell.value < cell.high for cell in cells)
    channel_only = table.rows[0].cells
    assert not any(cell.dagger for cell in channel_only)


def test_differences_have_the_sign_of_row_minus_best(results):
    table = differences_table(results)
    for row in table.rows:
        for cell in row.cells:
            assert cell.best == (cell.value == 0)
            assert cell.best or cell.value < 0


def test_the_floor_names_the_rows_below_it(results):
    assert rows_below_floor(results) == ["Channel only"]


def test_the_text_control_is_about_the_best_row(results):
    control = results.control
    assert control is not None
    lead = results.lead
    assert control.row == lead.rows[lead.best[results.lead_metric]]
    assert control.low < control.ratio < control.high
    assert control.ratio == pytest.approx(control.shuffled / control.value)


def test_synthetic_data_has_orders_and_no_published_values(results):
    assert results.synthetic
    assert results.published == {}
    assert [o.rows for o in results.orders] == [5, 5]
    assert all(cell.published is None for row in results_table(results).rows for cell in row.cells)


def test_the_papers_own_data_set_has_published_values_and_no_orders(tmp_path):
    results = built(simulated_study(tmp_path, data="refcoco", images=10))
    assert not results.synthetic
    assert results.orders == ()
    assert results_table(results).rows[4].cells[0].published == pytest.approx(0.716)


def test_another_real_data_set_is_not_held_against_the_paper(tmp_path):
    results = built(simulated_study(tmp_path, data="refcoco+", images=10))
    assert results.published == {}
    assert results.orders == ()


def test_a_row_that_failed_or_never_ran_stays_in_the_table(tmp_path):
    study = simulated_study(tmp_path, skill={"parallel": 0.4, "channel": 0.3}, images=10)
    add_run(study, "spatial", skill=0.3, status="oom", error="OutOfMemoryError: no")
    add_run(study, "spatial-channel", skill=0.3, status="error", error="ValueError: bad")
    results = built(study)
    status = {row.label: row.cells[0].status for row in results_table(results).rows}
    assert status == {
        "Channel only": "ok",
        "Spatial only": "oom",
        "Parallel": "ok",
        "Spatial-Channel": "failed",
        "Channel-Spatial": "not-run",
    }
    assert [row.cells[0].status for row in cost_table(results).rows] == list(status.values())


def test_planned_runs_without_a_record_are_named(tmp_path):
    study = simulated_study(tmp_path, skill={"channel": 0.3}, images=10)
    study.run_ids.append("not-there-00000000")
    assert built(study).selection.unrecorded == ("not-there-00000000",)


def test_records_of_other_studies_are_left_out(tmp_path):
    study = simulated_study(tmp_path, skill={"channel": 0.3, "spatial": 0.4}, images=10)
    del study.run_ids[0]
    assert [r.spec.model.fusion.scan_order for r in built(study).records] == ["spatial"]


def test_no_records_give_empty_results(tmp_path):
    results = built(Simulated(Store(tmp_path), scans_analysis(), run_ids=["a"]))
    assert results.lead is None
    assert results.detectable is None
    assert {c.status for row in results_table(results).rows for c in row.cells} == {"not-run"}


def test_seed_differences_are_paired_by_seed(tmp_path):
    study = simulated_study(
        tmp_path, skill={"channel": 0.3, "parallel": 0.4}, seeds=(0, 1, 2), images=20
    )
    results = built(study)
    found = results.seed_differences()
    assert list(found) == ["Channel only"]
    values = [
        results.lead.by_seed["Channel only"][s] - results.lead.by_seed["Parallel"][s]
        for s in (0, 1, 2)
    ]
    assert found["Channel only"].mean == pytest.approx(sum(v[0] for v in values) / 3)
    assert found["Channel only"].n == 3


def test_one_failed_seed_leaves_the_row_with_the_others(tmp_path):
    study = simulated_study(tmp_path, skill=SKILL, seeds=(0, 1), images=10)
    add_run(study, "channel", skill=0.3, seed=2, status="error", error="boom")
    row = cost_table(built(study)).rows[0]
    assert row.cells[-1].text == "2 of 3"


def test_runs_on_different_expressions_are_refused(tmp_path):
    study = simulated_study(tmp_path, skill={"channel": 0.3}, images=10)
    add_run(study, "spatial", skill=0.3, images=11)
    with pytest.raises(UserError, match="same expressions"):
        built(study)


def test_a_table_refuses_a_row_of_another_length():
    column = Column(group="", label="x", unit="count")
    with pytest.raises(ValueError, match="2 cells for 1 columns"):
        Table(
            name="t",
            title="t",
            head="t",
            columns=(column,),
            rows=(Row(key="a", label="a", cells=(Cell(), Cell())),),
        )
