"""Everything a study's records say: comparisons by split, bounds, controls, order, power."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from remamber.plan.question import Analysis
from remamber.plan.study import StudyRuns
from remamber.record.schema import NEEDS_BY, Record
from remamber.table.compare import Comparison, RowCounts, compare
from remamber.table.control import TextControl, text_control
from remamber.table.counts import CountsFile, one_protocol
from remamber.table.order import LEAST_ROWS, OrderAgreement, order_agreement
from remamber.table.published import (
    Published,
    is_same_dataset,
    paper_name,
    published_dataset,
    published_of,
)
from remamber.table.resample import generator_for
from remamber.table.scored_rows import counts_files, rows_on
from remamber.table.significance import (
    NO_SPREAD,
    SeedInterval,
    detectable_difference,
    seed_interval,
)
from remamber.table.slices import Sliced, slice_rows
from remamber.table.source import ReadOnce, RecordSource, Selection, datasets_of, select
from remamber.table.tidy import tidy


@dataclass(frozen=True, kw_only=True)
class Results:
    """What a report is written from; nothing in here is formatted.

    Attributes:
        dataset: the data set's name in the paper, where the study has several; else empty.
        by_split: comparisons of the rows that were scored on each split.
        bounds: (split, bound, metric) -> a fraction; floors and ceilings of the data.
        published: the paper's values, empty where its table is about another data set.
        synthetic: whether the data set is generated.
        orders: agreement with the paper's order of rows, synthetic data only.
        control: the text control of the best row, None if it was not run.
        slices: the same comparisons within slices of each split, as far as records know them.
    """

    analysis: Analysis
    runs: StudyRuns
    selection: Selection
    frame: pd.DataFrame
    by_split: dict[str, Comparison]
    bounds: dict[tuple[str, str, str], float]
    published: Published
    synthetic: bool
    orders: tuple[OrderAgreement, ...]
    control: TextControl | None
    dataset: str = ""
    slices: Mapping[str, tuple[Sliced, ...]] = field(default_factory=dict)

    @property
    def lead(self) -> Comparison | None:
        """The comparison on the lead split, None if no row was scored on it."""
        return self.by_split.get(self.analysis.table.lead[0])

    @property
    def lead_metric(self) -> int:
        """Index of the lead metric in every comparison."""
        return metrics_of(self.analysis).index(self.analysis.table.lead[1])

    @property
    def records(self) -> tuple[Record, ...]:
        """All training records of the study, those that failed too."""
        return self.selection.records

    @property
    def detectable(self) -> float | None:
        """Smallest difference to the best row in the lead column found with 80 % power."""
        return self.detectable_in(*self.analysis.table.lead)

    def detectable_in(self, split: str, metric: str) -> float | None:
        """The same of any column, None where fewer than two rows or images are in it.

        Rows that are the best's equals on every image do not tell how rows vary.
        """
        comparison = self.by_split.get(split)
        if comparison is None or len(comparison.rows) < 2 or comparison.images < 2:
            return None
        m = comparison.metrics.index(metric)
        errors = comparison.standard_error[:, m]
        differing = errors[errors > NO_SPREAD]
        return detectable_difference(float(np.median(differing))) if len(differing) else None

    def seed_differences(self) -> dict[str, SeedInterval]:
        """Paired t-intervals over seeds of the lead column's differences to the best row."""
        if self.lead is None:
            return {}
        best = self.lead.rows[self.lead.best[self.lead_metric]]
        found = {}
        for row in self.lead.rows:
            of_row, of_best = self.lead.by_seed[row], self.lead.by_seed[best]
            common = sorted(of_row.keys() & of_best.keys())
            differences = [float((of_row[s] - of_best[s])[self.lead_metric]) for s in common]
            interval = seed_interval(differences)
            if row != best and interval is not None:
                found[row] = interval
        return found


def metrics_of(analysis: Analysis) -> tuple[str, ...]:
    """The table's metrics; the lead metric is among them even if no column shows it."""
    return tuple(dict.fromkeys((*analysis.table.metrics, analysis.table.lead[1])))


def build_all(analysis: Analysis, runs: StudyRuns, source: RecordSource) -> tuple[Results, ...]:
    """The results on every data set of the study: rows are compared within one.

    Raises:
        UserError: see ``build``.
    """
    once = ReadOnce(source)
    names = datasets_of(runs, once)
    if len(names) < 2:
        return (build(analysis, runs, once),)
    return tuple(build(analysis, runs, once, dataset=name) for name in names)


def build(
    analysis: Analysis, runs: StudyRuns, source: RecordSource, *, dataset: str | None = None
) -> Results:
    """Compute everything that a report of the study says about one data set.

    Args:
        analysis: what to ask of the records.
        runs: which runs belong to the study.
        source: where records and counts are.
        dataset: which of several; None where there is one.

    Raises:
        UserError: damaged counts, rows scored on different expressions or by different
            protocols, malformed published CSV.
    """
    selection = select(analysis, runs, source, dataset=dataset)
    one_protocol(selection.records)
    analysis = _with_splits(analysis, selection)
    files = counts_files(selection, source)
    rows = {s: found for s in analysis.table.splits if (found := rows_on(selection, files, s))}
    metrics = metrics_of(analysis)
    by_split = {s: compare(rows[s], metrics, generator=generator_for(s)) for s in rows}
    names = {record.spec.data.name for record in selection.records}
    synthetic = any(name.startswith("synth-") for name in names)
    about = published_dataset(analysis, names)
    published = published_of(analysis, about)
    same = bool(names) and all(is_same_dataset(about, name) for name in names)
    return Results(
        analysis=analysis,
        runs=runs,
        selection=selection,
        frame=tidy(selection),
        by_split=by_split,
        bounds=_bounds(selection.bounds),
        published=published if same and not synthetic else {},
        synthetic=synthetic,
        orders=_orders(analysis, by_split, published) if synthetic else (),
        control=text_control(analysis, selection, by_split=by_split, files=files),
        dataset=paper_name(dataset) if dataset is not None else "",
        slices={s: _sliced(selection, files, s, rows=rows[s], metrics=metrics) for s in rows},
    )


def _with_splits(analysis: Analysis, selection: Selection) -> Analysis:
    """The splits of the runs in the place of the view's, where the view does not know them all."""
    view = analysis.table
    scored = dict.fromkeys(s for r in selection.records for s in r.spec.data.splits)
    if set(scored) <= set(view.splits):
        return analysis
    splits = (
        *(s for s in view.splits if s in scored),
        *(s for s in scored if s not in view.splits),
    )
    lead = (view.lead[0] if view.lead[0] in splits else splits[0], view.lead[1])
    return analysis.model_copy(
        update={"table": view.model_copy(update={"splits": splits, "lead": lead})}
    )


def _sliced(
    selection: Selection,
    files: Mapping[str, CountsFile],
    split: str,
    *,
    rows: Sequence[RowCounts],
    metrics: Sequence[str],
) -> tuple[Sliced, ...]:
    ok = (record.run_id for variant in selection.variants for record in variant.ok)
    return slice_rows(
        rows,
        [files[i].ordered(split) for i in ok if i in files and files[i].has(split)],
        metrics,
        generator=generator_for(split),
        needs_by=_needs_by(selection.records),
    )


def _needs_by(records: Sequence[Record]) -> str:
    """What said what expressions need; empty for records of before it was kept."""
    said = (str(record.data[NEEDS_BY]) for record in records if NEEDS_BY in record.data)
    return next(said, "")


def _bounds(record: Record | None) -> dict[tuple[str, str, str], float]:
    if record is None or record.status != "ok":
        return {}
    return {
        (m.where["split"], m.where["bound"], m.metric): m.value
        for m in record.measurements
        if "split" in m.where and "bound" in m.where
    }


def _orders(
    analysis: Analysis, by_split: dict[str, Comparison], published: Published
) -> tuple[OrderAgreement, ...]:
    lead_split, lead_metric = analysis.table.lead
    cells = [(split, metric) for split in by_split for metric in analysis.table.metrics]
    lead = [
        (split, metric) for split, metric in cells if (split, metric) == (lead_split, lead_metric)
    ]
    found = []
    for over, columns in (
        (f"{lead_split} {lead_metric}", lead),
        ("the mean of all columns", cells),
    ):
        agreement = _order_over(columns, by_split, published, over)
        if agreement is not None:
            found.append(agreement)
    return tuple(found)


def _order_over(
    columns: list[tuple[str, str]],
    by_split: dict[str, Comparison],
    published: Published,
    over: str,
) -> OrderAgreement | None:
    columns = [(s, m) for s, m in columns if any(k[:2] == (s, m) for k in published)]
    rows = [
        row
        for row in dict.fromkeys(row for s, _ in columns for row in by_split[s].rows)
        if all((s, m, row) in published and row in by_split[s].rows for s, m in columns)
    ]
    if len(rows) < LEAST_ROWS:
        return None
    value, draws = [], []
    for split, metric in columns:
        comparison = by_split[split]
        places = [comparison.rows.index(row) for row in rows]
        m = comparison.metrics.index(metric)
        value.append(comparison.value[places, m])
        draws.append(comparison.draws[places, m])
    paper = [float(np.mean([published[s, m, row] for s, m in columns])) for row in rows]
    return order_agreement(paper, np.mean(value, axis=0), np.mean(draws, axis=0), over)
