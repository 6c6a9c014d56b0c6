"""The sentences under the tables of a distribution report, and where its numbers come from."""

from remamber.record.schema import WEIGHTS_RUN, Record
from remamber.report import format as fmt
from remamber.report.document import Section
from remamber.report.provenance import each, machine_facts
from remamber.table.distribution import DistributionResults
from remamber.table.distribution_layout import GROUPS

_POINT = {
    "channel": (
        "A point is a channel of one expression's features, as a vector over the positions. The"
        " text is the same at every position, so each of its channels is a number times the same"
        " vector: before any scan it lies on one line by construction"
    ),
    "position": (
        "A point is a position of one expression's features, as a vector over the channels. The"
        " text is the same at every position, so before any scan an expression's is one point"
    ),
}
_NORM = (
    "All parts of the cube leave one LayerNorm over channels. Read by channel, the centroids of the"
    " groups therefore nearly coincide before the scans, so that centroids and hyperplane say"
    " little there, whatever the shapes; nearest neighbours see shapes too"
)


def distribution_notes(results: DistributionResults) -> tuple[str, ...]:
    """All notes that apply, most needed first."""
    wish = results.wish
    found = [
        _sample(results),
        f"{_POINT[wish.point]}.",
        _groups(results),
        "Text on a line: the share of its variance along its own first axis, 100 for a line; text"
        " on axis 1: along the first axis of all groups together. Own neighbours: of a point's ten"
        " nearest on other images, the share of its own group, 50 where the two are mixed, 100"
        " where they are apart. Hyperplane: balanced accuracy of a ridge classifier,"
        " cross-validated by image, 50 by chance, less where the images it was fitted to mislead"
        " it. Centroids: their distance over the root mean square distance from the own centroid;"
        " equal groups come out near"
        f" {fmt.ratio((2 / wish.points) ** 0.5)}, not 0. Similarity to before: linear CKA of the"
        " mean features over positions with those of the place before.",
        _NORM + "." if wish.point == "channel" and _has(results, "cube") else "",
        "Intervals are 95 %, a bootstrap over images with the probe, its folds and the neighbours"
        " kept and the axes turned anew; changes are paired by image. Untrained is the same model"
        " before its first step, on the same expressions.",
        "The axes of a picture are "
        + ("those of all its places together" if wish.basis == "joint" else "each panel's own")
        + ", each drawn to fit; signs are fixed by the largest loading, and mean nothing.",
        *_lacking(results),
    ]
    return tuple(note for note in found if note)


def distribution_provenance(results: DistributionResults) -> tuple[Section, ...]:
    """Command, runs, weights and machine."""
    records = results.records
    command = results.runs.command or each(records, lambda r: r.command)
    weights = {
        variant.label: each([look.record for _, look in variant.looks], _weights)
        for variant in results.variants
        if variant.looks
    }
    data = {
        "data": each(records, lambda r: str(r.data.get("name", ""))),
        "fingerprint": each(records, lambda r: str(r.data.get("fingerprint", ""))),
        "image size": each(records, lambda r: f"{r.spec.data.image_size} px"),
        "seed": each(records, lambda r: str(r.spec.seed)),
    }
    sections = (
        Section(title="Command", lines=(("command", command),)),
        Section(title="Runs", lines=tuple((r.run_id, _run(r)) for r in records)),
        Section(title="Weights", lines=tuple(weights.items())),
        Section(title="Data", lines=tuple((k, v) for k, v in data.items() if v)),
        Section(title="Machine and software", lines=_lines(machine_facts(records))),
    )
    return tuple(section for section in sections if section.lines)


def distribution_condition(results: DistributionResults) -> str:
    """Data, sample, reading, seeds and device in one line."""
    records, wish = results.records, results.wish
    if not records:
        return "no run has finished"
    parts = [
        each(records, lambda r: r.spec.data.name),
        wish.split,
        _expressions(results),
        each(records, lambda r: f"{r.spec.data.image_size} px"),
        f"a point is a {wish.point}",
        f"at most {fmt.count(wish.points)} points a group",
        f"{wish.basis} basis",
        each(records, lambda r: f"seed {r.spec.seed}"),
        each(records, lambda r: r.environment.device),
        each(records, lambda r: f"{r.environment.scan_backend} scan"),
    ]
    return " · ".join(part for part in parts if part)


def _expressions(results: DistributionResults) -> str:
    split = results.wish.split
    return each(
        results.records,
        lambda r: (
            f"{fmt.count(int(r.data.get(f'{split} expressions', 0)))} expressions on"
            f" {fmt.count(int(r.data.get(f'{split} images', 0)))} images"
        ),
    )


def _sample(results: DistributionResults) -> str:
    if not results.records:
        return ""
    return (
        f"Read were {_expressions(results)} of {results.wish.split}, evenly spaced; of every group"
        f" at most {fmt.count(results.wish.points)} points are kept, as many of each expression as"
        " can be, drawn from the seed: the numbers are of the points that the pictures show."
    )


def _groups(results: DistributionResults) -> str:
    """What the groups are, and where they are not what they seem."""
    known = dict.fromkeys(g for look in results.looks for t in look.taps for g in look.groups(t))
    what = {
        "image": "the picture's features",
        "text": "the pooled expression at every position (of in-context conditioning its tokens)",
        "local": "what each position has of the words",
        "fused": "features in which both are mixed",
    }
    parts = [f"{GROUPS[name]}: {what[name]}" for name in GROUPS if name in known]
    text = f"{'; '.join(parts)}." if parts else ""
    by_source = any(look.by_source(tap) for look in results.looks for tap in look.taps)
    if by_source:
        text += (
            " The spatial scan maps all groups to one, so after it no channel is of one group any"
            " more. Shown are its inner channels before the output projection, each under the group"
            " that gives most of what its input projection reads, by energy: a choice of this"
            " report, and no channel there is of one group alone."
        )
    return text


def _lacking(results: DistributionResults) -> list[str]:
    """What a run could not show, and which runs there are not."""
    said: dict[str, list[str]] = {}
    for variant in results.variants:
        for name, look in variant.looks:
            label = f"{variant.label}, {name}"
            for warning in look.record.warnings:
                said.setdefault(warning, []).append(label)
    found = [f"{fmt.listed(labels)}: {warning}." for warning, labels in said.items()]
    found += [f"The run {run_id} failed ({status})." for run_id, status in results.failed.items()]
    if results.unrecorded:
        missing = fmt.listed(list(results.unrecorded))
        found.append(f"{len(results.unrecorded)} runs have no record yet: {missing}.")
    return found


def _has(results: DistributionResults, place: str) -> bool:
    return any(place in look.places for look in results.looks)


def _run(record: Record) -> str:
    wish = record.spec.distribution
    state = "untrained" if wish is not None and not wish.trained else "trained"
    made = f"spec {record.digest[:16]}, {state}, {record.status}"
    return f"{made}, {fmt.seconds(record.wall_s)}, finished {record.finished}"


def _weights(record: Record) -> str:
    weights = record.spec.weights
    digest = f"sha256 {weights.sha256[:16]}" if weights is not None else ""
    run = record.data.get(WEIGHTS_RUN)
    return f"{digest} of run {run}" if run else digest


def _lines(facts: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in facts.items() if value)
