"""The sentences under a results table: marks, seeds, power, controls, order, failures."""

from remamber.record.schema import SIDE_BY_SIDE, Record
from remamber.report import format as fmt
from remamber.report.alteration_words import untouched_note
from remamber.table.layout import FLOOR, rows_below_floor
from remamber.table.resample import DRAWS
from remamber.table.results import Results
from remamber.table.slice_rules import SLICINGS
from remamber.table.source import Variant

CEILING = "stride-4"
_POWER_METRICS = ("mIoU", "oIoU")


def notes(results: Results) -> tuple[str, ...]:
    """All notes that apply, most needed first."""
    found = [
        _marks(results),
        _seeds(results),
        _side_by_side(results),
        _power(results),
        _floor(results),
        _ceiling(results),
        _control(results),
        untouched_note(results),
        _order(results),
        _paper(results),
        _slices(results),
        *_failures(results),
        _unrecorded(results),
        *_unequal(results),
        *_warnings(results),
    ]
    return tuple(note for note in found if note)


def _marks(results: Results) -> str:
    if results.lead is None:
        return ""
    return (
        "Bold (* in plain text): best of its column. †: cannot be told from the best at 5 %"
        " (paired t-test over images; Holm over all pairs of rows of a column, since which row is"
        f" best is seen in the same data). ±: half the 95 % interval over images, from"
        f" {fmt.count(DRAWS)} resamples."
    )


def _seeds(results: Results) -> str:
    counts = sorted({len(v.ok) for v in results.selection.variants if v.ok})
    if not counts:
        return ""
    if counts[-1] == 1 and results.lead is not None and len(results.lead.rows) > 1:
        return ""  # the verdict says it
    if counts[-1] == 1:
        return "1 seed: training variance not included; another seed may change the order."
    intervals = results.seed_differences()
    said = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    text = f"{said} seeds a row; values are means over seeds, ± is over images only."
    if not intervals or results.lead is None:
        return text
    best = results.lead.rows[results.lead.best[results.lead_metric]]
    parts = [
        f"{row} {fmt.points(i.mean)} {fmt.interval(i.low, i.high)}" for row, i in intervals.items()
    ]
    column = " ".join(results.analysis.table.lead)
    return f"{text} Over seeds (paired t-interval), {column} minus {best}: {fmt.listed(parts)}."


def _side_by_side(results: Results) -> str:
    records = [r for v in results.selection.variants for r in v.ok if r.spec.train is not None]
    most = max((int(r.environment.details.get(SIDE_BY_SIDE, "1")) for r in records), default=1)
    if most == 1:
        return ""
    return (
        f"Step times were taken with up to {most} runs side by side on one machine: they compare"
        " rows roughly and are no measurement of speed."
    )


def _power(results: Results) -> str:
    metrics = list(dict.fromkeys((results.analysis.table.lead[1], *_POWER_METRICS)))
    parts = []
    for split, comparison in results.by_split.items():
        found = [
            f"{metric} {fmt.percent(least)}"
            for metric in metrics
            if metric in comparison.metrics
            and (least := results.detectable_in(split, metric)) is not None
        ]
        if found:
            sample = (
                f"{fmt.count(comparison.expressions)} expressions on"
                f" {fmt.count(comparison.images)} images"
            )
            parts.append(f"{split} ({sample}) {', '.join(found)}")
    if not parts:
        return ""
    return (
        f"Differences that this table can detect, in points: {'; '.join(parts)} (80 % power at"
        " 5 %, from the median paired standard error, before Holm). What a smaller one needs:"
        " remamber-bench power."
    )


def _floor(results: Results) -> str:
    split, metric = results.analysis.table.lead
    floor = results.bounds.get((split, FLOOR, metric))
    if floor is None or results.lead is None:
        return ""
    reached = f"{fmt.percent(floor)} {split} {metric}"
    said = f"Predicting all objects without reading the text reaches {reached}"
    below = rows_below_floor(results)
    if not below:
        return f"{said}; every scored row is above it."
    verb = "is" if len(below) == 1 else "are"
    return f"{said}; {fmt.listed(below)} {verb} below it."


def _ceiling(results: Results) -> str:
    split, metric = results.analysis.table.lead
    ceiling = results.bounds.get((split, CEILING, metric))
    if ceiling is None:
        return ""
    return (
        "For reference, the target itself averaged over 4 x 4 blocks, the stride of the finest"
        f" features, and interpolated back reaches {fmt.percent(ceiling)} {split} {metric}."
    )


def _control(results: Results) -> str:
    control = results.control
    if control is None:
        return ""
    column = " ".join(results.analysis.table.lead)
    return (
        f"Text control: with expressions shuffled among images the best row, {control.row}, goes"
        f" from {fmt.percent(control.value)} to {fmt.percent(control.shuffled)} {column} (ratio"
        f" {fmt.ratio(control.ratio)} [{fmt.ratio(control.low)}, {fmt.ratio(control.high)}])."
    )


def _order(results: Results) -> str:
    if not results.orders:
        return ""
    parts = [
        f"{fmt.ratio(o.tau)} [{fmt.ratio(o.low)}, {fmt.ratio(o.high)}] for {o.over}"
        for o in results.orders
    ]
    first = results.orders[0]
    chance = ""
    if first.chance is not None:
        chance = (
            f"; {fmt.share(first.chance)} of all orders of {fmt.number_word(first.rows)} rows agree"
            f" at least as well as that for {first.over}"
        )
    return (
        f"Order of the rows against {results.analysis.paper} of the paper, Kendall's tau:"
        f" {fmt.listed(parts)} (1 is the same order, −1 the reverse{chance})."
    )


def _paper(results: Results) -> str:
    if results.published:
        return (
            f"In brackets: {results.analysis.paper} of the paper and ours minus the paper's. The"
            " paper's setting is the full-size model at its full schedule; compare with the"
            " condition line before reading anything into a difference."
        )
    if results.synthetic or results.analysis.published is None or not results.records:
        return ""
    return (
        f"{results.analysis.paper} of the paper is about {results.analysis.published_dataset},"
        " another data set, so its values are not shown."
    )


def _slices(results: Results) -> str:
    """How marks in slices are meant, and why some tables of slices are not there."""
    found = results.slices.get(results.analysis.table.lead[0])
    if found is None:
        return ""
    names = {slicing.name: slicing.title for slicing in SLICINGS}
    known = {sliced.slicing.name for sliced in found}
    parts = [
        f"by {sliced.slicing.title}: all expressions are in the slice '{sliced.slices[0].label}'"
        for sliced in found
        if not sliced.divides
    ]
    if missing := [title for name, title in names.items() if name not in known]:
        parts.append(f"by {fmt.listed(missing)}: not recorded in these runs")
    marks = (
        "Marks in the tables of slices are corrected within a column, as here: of many slices, a"
        " few set rows apart by chance."
    )
    said = [marks if any(sliced.divides for sliced in found) else ""]
    said.append(f"Not sliced {'; '.join(parts)}." if parts else "")
    return " ".join(filter(None, said))


def _failures(results: Results) -> list[str]:
    return [
        f"{_name(variant, record)} {_end(record)}"
        for variant in results.selection.variants
        for record in variant.failed
    ]


def _name(variant: Variant, record: Record) -> str:
    return f"{variant.label}, seed {record.spec.seed},"


def _end(record: Record) -> str:
    said = "ran out of memory" if record.status == "oom" else "failed"
    lines = [line.strip() for line in (record.error or "").splitlines() if line.strip()]
    return f"{said}: {lines[-1]}" if lines else f"{said}."


def _unrecorded(results: Results) -> str:
    missing = results.selection.unrecorded
    if not missing:
        return ""
    total = len(results.runs.run_ids)
    return (
        f"{len(missing)} of {total} planned runs have no record yet: {fmt.listed(list(missing))}."
    )


def _rows_are_sizes(results: Results) -> bool:
    return results.analysis.table.rows == "data.image_size"


def _unequal(results: Results) -> list[str]:
    """Warn of rows that were not trained under one condition."""
    ok = [record for v in results.selection.variants for record in v.ok]
    named: dict[str, set[object]] = {
        "data fingerprint": {r.data.get("fingerprint") or r.spec.data.fingerprint for r in ok},
        "image size": {r.spec.data.image_size for r in ok if not _rows_are_sizes(results)},
        "model size": {r.spec.model.size for r in ok},
        "training length, batch or optimiser": {r.spec.train for r in ok},
        "device": {r.environment.device for r in ok},
        "scan implementation": {b for r in ok if (b := r.environment.scan_backend) != "none"},
    }
    cautions = [
        f"Caution: the rows differ in {name}, so their differences are not due to the row alone."
        for name, values in named.items()
        if len(values) > 1
    ]
    if len({(r.environment.commit, r.environment.packages.get("remamber-bench")) for r in ok}) > 1:
        cautions.append(
            "Caution: the rows were trained by different versions of the code (see the commits"
            " below); a difference may be the code's."
        )
    return cautions


def _warnings(results: Results) -> list[str]:
    found = dict.fromkeys(w for record in results.records for w in record.warnings)
    return [f"Warning of a run: {warning}" for warning in found]
