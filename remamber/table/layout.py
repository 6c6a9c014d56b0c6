"""The tables of a report: results, differences to the best row, cost, floors and ceilings."""

from remamber.metrics import METRICS
from remamber.table.compare import Comparison
from remamber.table.model import Cell, Column, Row, Table
from remamber.table.results import Results
from remamber.table.source import Variant
from remamber.table.tidy import median

FLOOR = "predict-all"
BOUNDS = ("predict-all", "whole-image", "mean-mask", "stride-4", "stride-8", "stride-16")
"""Known bounds, floors first, in the order in which a table shows them."""
_GUESSES = (
    "Floors read no expression. All objects: every annotated object of the image, outlined without"
    " error; mean mask: where targets of the training split are most often. Ceilings: the target"
    " itself, averaged over blocks as wide as the stride and interpolated back."
)


def results_table(results: Results) -> Table:
    """Every row by every split and metric."""
    view = results.analysis.table
    keys = [(split, metric) for split in view.splits for metric in view.metrics]
    return Table(
        name="results",
        title=results.analysis.title,
        head=head(results),
        columns=tuple(
            Column(
                group=split,
                label=metric,
                unit="fraction",
                higher_is_better=METRICS[metric].higher_is_better,
            )
            for split, metric in keys
        ),
        rows=tuple(
            Row(key=v.key, label=v.label, cells=tuple(_scored(results, v, *k) for k in keys))
            for v in results.selection.variants
        ),
    )


def differences_table(results: Results) -> Table:
    """The lead metric of every row minus that of the best row, by split."""
    metric = results.analysis.table.lead[1]
    splits = tuple(results.by_split)
    return Table(
        name="differences",
        title=f"{metric}: difference to the best row of the split",
        head=head(results),
        columns=tuple(Column(group=split, label=metric, unit="points") for split in splits),
        rows=tuple(
            Row(
                key=v.key,
                label=v.label,
                cells=tuple(_difference(results, v, split) for split in splits),
            )
            for v in results.selection.variants
        ),
    )


def cost_table(results: Results) -> Table | None:
    """Parameters, time and memory of every row, medians over its seeds; None if nothing trained."""
    if results.records and not any(r.spec.train for r in results.records):
        return None
    columns = (
        (Column(group="Parameters", label="total", unit="parameters"), "parameters", "total"),
        (Column(group="Parameters", label="fusion", unit="parameters"), "parameters", "fusion"),
        (Column(group="Training", label="step", unit="seconds"), "step_s", None),
        (Column(group="Training", label="in scans", unit="share"), "scan_share", None),
        (Column(group="Training", label="steps", unit="count"), "steps", None),
        (Column(group="Training", label="total", unit="seconds"), "train_s", None),
        (Column(group="Peak", label=_memory_kind(results), unit="bytes"), "peak_bytes", None),
    )
    seeds = Column(group="", label="seeds", unit="text")
    return Table(
        name="cost",
        title="Cost, as measured in these runs",
        head=head(results),
        columns=(*(column for column, _, _ in columns), seeds),
        rows=tuple(
            Row(
                key=v.key,
                label=v.label,
                cells=(*(_cost(results, v, m, part) for _, m, part in columns), _seeds(v)),
            )
            for v in results.selection.variants
        ),
    )


def bounds_table(results: Results) -> Table | None:
    """What the data alone allows: floors without text and ceilings of coarse masks."""
    if not results.bounds:
        return None
    found = {bound for _, bound, _ in results.bounds}
    bounds = [b for b in BOUNDS if b in found] + sorted(found - set(BOUNDS))
    splits = [s for s in results.analysis.table.splits if any(k[0] == s for k in results.bounds)]
    metrics = list(dict.fromkeys(metric for _, _, metric in results.bounds))
    keys = [(split, metric) for split in splits for metric in metrics]
    return Table(
        name="bounds",
        title="Floors and ceilings of this data",
        head="Prediction",
        columns=tuple(Column(group=s, label=m, unit="fraction") for s, m in keys),
        rows=tuple(
            Row(key=b, label=_guess(b), cells=tuple(_bound(results, s, b, m) for s, m in keys))
            for b in bounds
        ),
        note=_GUESSES,
    )


def _guess(name: str) -> str:
    """What a bound predicts, in words."""
    if name.startswith("stride-"):
        return f"target at {name.replace('-', ' ')}"
    return {FLOOR: "all objects"}.get(name, name.replace("-", " "))


def rows_below_floor(results: Results) -> list[str]:
    """Rows whose lead metric does not reach predicting all objects without reading the text."""
    split, metric = results.analysis.table.lead
    floor = results.bounds.get((split, FLOOR, metric))
    if floor is None or results.lead is None:
        return []
    values = results.lead.value[:, results.lead_metric]
    return [row for row, value in zip(results.lead.rows, values, strict=True) if value < floor]


def head(results: Results) -> str:
    """Heading of the rows' names: the last word of the key that makes rows."""
    key = results.analysis.table.rows.rpartition(".")[2]
    return {"scan_order": "Scan ordering", "name": "Variant", "row": "Model"}.get(
        key, key.replace("_", " ").capitalize()
    )


def _scored(results: Results, variant: Variant, split: str, metric: str) -> Cell:
    comparison = results.by_split.get(split)
    published = results.published.get((split, metric, variant.label))
    if comparison is None or variant.label not in comparison.rows:
        return _no_value(variant, f"{split} not scored", published=published)
    row, m = comparison.rows.index(variant.label), comparison.metrics.index(metric)
    low, high = _ends(comparison, row, m, of_difference=False)
    return Cell(
        value=float(comparison.value[row, m]),
        low=low,
        high=high,
        n=comparison.expressions,
        best=len(comparison.rows) > 1 and comparison.is_best(row, m),
        dagger=comparison.is_tied(row, m),
        published=published,
    )


def _difference(results: Results, variant: Variant, split: str) -> Cell:
    comparison = results.by_split[split]
    if variant.label not in comparison.rows:
        return _no_value(variant, f"{split} not scored")
    row, m = comparison.rows.index(variant.label), results.lead_metric
    if comparison.is_best(row, m):
        return Cell(value=0.0, n=comparison.expressions, best=True)
    low, high = _ends(comparison, row, m, of_difference=True)
    return Cell(
        value=float(comparison.difference[row, m]),
        low=low,
        high=high,
        n=comparison.expressions,
        dagger=comparison.is_tied(row, m),
    )


def _ends(
    comparison: Comparison, row: int, metric: int, *, of_difference: bool
) -> tuple[float | None, float | None]:
    interval = comparison.difference_interval if of_difference else comparison.interval
    if interval is None:
        return None, None
    return float(interval.low[row, metric]), float(interval.high[row, metric])


def _no_value(variant: Variant, reason: str, *, published: float | None = None) -> Cell:
    if variant.status == "ok":
        return Cell(status="not-measured", reason=reason, published=published)
    return Cell(status=variant.status, published=published)


def _cost(results: Results, variant: Variant, metric: str, part: str | None) -> Cell:
    value = median(results.frame, variant.label, metric, part=part)
    return _no_value(variant, "not measured") if value is None else Cell(value=value)


def _seeds(variant: Variant) -> Cell:
    if variant.status != "ok":
        return _no_value(variant, "")
    tried = len(variant.ok) + len(variant.failed)
    of = "" if not variant.failed else f" of {tried}"
    return Cell(text=f"{len(variant.ok)}{of}")


def _bound(results: Results, split: str, bound: str, metric: str) -> Cell:
    value = results.bounds.get((split, bound, metric))
    return (
        Cell(status="not-measured", reason="not measured") if value is None else Cell(value=value)
    )


def _memory_kind(results: Results) -> str:
    frame = results.frame
    kinds = list(frame.loc[frame["metric"] == "peak_bytes", "part"].dropna().unique())
    return str(kinds[0]) if len(kinds) == 1 else "memory"
