"""The tables of a page of claims: the verdicts, the evidence of each, the paper's own margins."""

from collections.abc import Mapping, Sequence

from remamber.plan.claims import Claim
from remamber.plan.question import load_analysis
from remamber.plan.study import studies_folder
from remamber.report import format as fmt
from remamber.table.all_claims import AnyFinding, CheckedClaim
from remamber.table.claims import OVERALL, Evidence, Finding
from remamber.table.claims_published import JUDGED, PublishedMargin
from remamber.table.claims_speed import CostEvidence, CostFinding
from remamber.table.model import Cell, Column, Row, Table

PUBLISHED_CHAPTER = "What the paper's own tables can decide"
NOT_CHECKED = "not checked"


def verdicts_table(checked: Sequence[CheckedClaim]) -> Table:
    """A row a claim and condition."""
    columns = (
        Column(group="", label="verdict", unit="text"),
        Column(group="differences that", label="hold", unit="count"),
        Column(group="differences that", label="are against it", unit="count"),
        Column(group="differences that", label="are open", unit="count"),
        Column(group="", label="seeds", unit="count"),
        Column(group="", label="condition", unit="text"),
    )
    return Table(
        name="claims",
        title="The claims and these records",
        head="Claim, and where",
        columns=columns,
        rows=tuple(row for c in checked for row in _verdict_rows(c)),
        lead=("verdict",),
    )


def evidence_tables(checked: Sequence[CheckedClaim]) -> tuple[Table, ...]:
    """A table a finding: what decided it."""
    return tuple(
        _cost_table(c, finding, name=f"{c.claim.name.lower()}-{number}")
        if isinstance(finding, CostFinding)
        else _accuracy_table(c, finding, name=f"{c.claim.name.lower()}-{number}")
        for c in checked
        for number, finding in enumerate(c.findings, start=1)
    )


def published_table(checked: Sequence[CheckedClaim]) -> Table:
    """A row a pair of a claim and data set of the paper."""
    columns = (
        Column(group="", label="ahead in columns", unit="text"),
        Column(group="", label="mean margin", unit="points"),
        Column(group="", label=f"{JUDGED} margins by split", unit="text"),
        Column(group="", label="detectable, estimated", unit="text"),
        Column(group="", label="margins that can be told", unit="text"),
    )
    return Table(
        name="published",
        title="Margins in the paper, and what its splits can detect",
        head="Difference",
        columns=columns,
        rows=tuple(_margin_row(margin) for c in checked for margin in c.margins),
        chapter=PUBLISHED_CHAPTER,
    )


def heading(claim: Claim) -> str:
    """The claim in one line."""
    return f"{claim.name}: {claim.text} ({claim.paper})"


def where_of(finding: AnyFinding) -> str:
    """The data set or the machine."""
    if isinstance(finding, CostFinding):
        return finding.machine
    data = finding.records[0].spec.data
    return " ".join(filter(None, (data.name, data.preset)))


def place_of(finding: AnyFinding) -> str:
    """Where a finding was made, in few words."""
    return f"{where_of(finding)}, {_condition(finding)}"


def labels_of(claim: Claim) -> Mapping[str, str]:
    """The paper's names of the rows that a claim is about."""
    if not claim.pairs:
        return {}
    return load_analysis(studies_folder("analysis") / f"{claim.study}.toml").table.labels


def pair_label(evidence: Evidence, labels: Mapping[str, str]) -> str:
    """``Mamba Twister − Attention``."""
    higher, lower = (labels.get(v, v) for v in (evidence.higher, evidence.lower))
    return f"{higher} − {lower}"


def _condition(finding: AnyFinding) -> str:
    if isinstance(finding, CostFinding):
        return finding.condition
    spec = finding.records[0].spec
    length = []
    if spec.train is not None:
        steps, epochs = spec.train.steps, spec.train.epochs
        length = [f"{fmt.count(steps)} steps" if steps else f"{epochs} epochs"]
    return ", ".join([f"{spec.data.image_size} px", f"{spec.model.size} model", *length])


def _verdict_rows(checked: CheckedClaim) -> list[Row]:
    name = checked.claim.name
    if not checked.findings:
        nothing = Cell(status="not-run")
        cells = (Cell(text=NOT_CHECKED), *[nothing] * 5)
        return [Row(key=name, label=f"{name}, no records", cells=cells)]
    return [
        Row(
            key=f"{name}-{number}",
            label=f"{name} on {where_of(finding)}",
            cells=(
                Cell(text=finding.verdict),
                *(Cell(value=finding.count(s)) for s in ("holds", "fails", "open")),
                Cell(value=finding.seeds) if isinstance(finding, Finding) else _no_seeds(),
                Cell(text=_condition(finding)),
            ),
        )
        for number, finding in enumerate(checked.findings, start=1)
    ]


def _no_seeds() -> Cell:
    return Cell(status="not-measured", reason="times")


def _accuracy_table(checked: CheckedClaim, finding: Finding, *, name: str) -> Table:
    labels = labels_of(checked.claim)
    decides = [*finding.evidence] if finding.claim.overall else []
    shown = [*decides, *finding.columns]
    places = list(dict.fromkeys((e.split, e.metric) for e in shown))
    pairs = list(dict.fromkeys((e.higher, e.lower) for e in shown))
    at = {(e.higher, e.lower, e.split, e.metric): e for e in shown}
    return Table(
        name=name,
        title=f"{place_of(finding)}: {finding.verdict}",
        head="Difference",
        columns=tuple(Column(group=s, label=m, unit="points") for s, m in places),
        rows=tuple(
            Row(
                key=f"{higher}-{lower}",
                label=pair_label(at[higher, lower, *places[0]], labels),
                cells=tuple(_difference(at[higher, lower, *place]) for place in places),
            )
            for higher, lower in pairs
        ),
        chapter=heading(checked.claim),
        lead=(OVERALL,) if finding.claim.overall else _first_columns(places),
        note=_note(finding, labels),
    )


def _first_columns(places: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(f"{split} {metric}".strip() for split, metric in places[:2])


def _difference(evidence: Evidence) -> Cell:
    return Cell(
        value=evidence.difference,
        low=evidence.low,
        high=evidence.high,
        dagger=evidence.standing == "open",
    )


def _note(finding: Finding, labels: Mapping[str, str]) -> str:
    decides = f"What decides is the {OVERALL}. " if finding.claim.overall else ""
    missing = ""
    if finding.missing:
        names = ", ".join(labels.get(value, value) for value in finding.missing)
        missing = f" Rows without a record: {names}."
    of = len(finding.evidence)
    return (
        f"{decides}†: not settled at 5 %, Holm over {of} differences (the"
        f" intervals are of one each){_seeds(finding, labels)}."
        f"{missing}"
    )


def _seeds(finding: Finding, labels: Mapping[str, str]) -> str:
    if finding.seeds < 2:
        return "; 1 seed: training variance not included"
    spans = [
        f"{pair_label(e, labels)} {fmt.points(e.seeds.mean)}"
        f" {fmt.interval(e.seeds.low, e.seeds.high)}"
        for e in finding.evidence
        if e.seeds is not None and (finding.claim.overall or e == finding.evidence[0])
    ]
    return f"; over {finding.seeds} seeds (paired t) {', '.join(spans)}"


def _cost_table(checked: CheckedClaim, finding: CostFinding, *, name: str) -> Table:
    columns = (
        Column(group="", label="time of LAVT's", unit="ratio"),
        Column(group="", label="verdict on time", unit="text"),
        Column(group="", label="memory of LAVT's", unit="ratio"),
        Column(group="", label="verdict on memory", unit="text"),
    )
    return Table(
        name=name,
        title=f"{place_of(finding)}: {finding.verdict}",
        head="Image",
        columns=columns,
        rows=tuple(
            Row(key=str(e.image_size), label=f"{e.image_size} px", cells=_cost_cells(e))
            for e in finding.evidence
        ),
        chapter=heading(checked.claim),
        note=f"Holm over {len(finding.evidence)} image sizes for times.",
    )


def _cost_cells(evidence: CostEvidence) -> tuple[Cell, ...]:
    ratio = evidence.ratio
    time = Cell(status="oom" if evidence.lost else "not-measured")
    if ratio is not None:
        time = Cell(value=ratio.value, low=ratio.low, high=ratio.high, n=ratio.rounds)
    memory = Cell(status="oom" if evidence.lost else "not-measured")
    if evidence.memory is not None:
        memory = Cell(value=evidence.memory)
    less = {"holds": "less", "fails": "not less", "open": "not known"}
    return (
        time,
        Cell(text=evidence.time or "not timed"),
        memory,
        Cell(text=less[evidence.is_smaller]),
    )


def _margin_row(margin: PublishedMargin) -> Row:
    margins = [margin.margins[split, JUDGED] for split in margin.detectable]
    return Row(
        key=f"{margin.claim.name}-{margin.dataset}-{margin.higher}-{margin.lower}",
        label=f"{margin.claim.name} {margin.dataset}: {margin.higher} − {margin.lower}",
        cells=(
            Cell(text=f"{margin.ahead} of {len(margin.margins)}"),
            Cell(value=margin.mean),
            Cell(text=", ".join(map(fmt.points, margins))),
            Cell(text=", ".join(map(fmt.percent, margin.detectable.values()))),
            Cell(text=f"{margin.resolved} of {len(margin.detectable)}"),
        ),
    )
