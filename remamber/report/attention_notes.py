"""The sentences under the tables of a report of maps, and where its numbers come from."""

from remamber.record.schema import WEIGHTS_RUN, Record
from remamber.report import format as fmt
from remamber.report.document import Section
from remamber.report.provenance import each, machine_facts
from remamber.table.attention import AttentionResults
from remamber.table.resample import DRAWS

_MAPS = (
    "A model's map is the mean over an expression's real tokens, start and end included and padding"
    " left out. The Twister's is its local interaction (Eq. 5), plain dot products of positions and"
    " tokens, of whatever sign. Attention's, mean over the heads, is a share: over the tokens those"
    " of a position add up to one, so that their mean says nothing; each token's map is therefore"
    " divided by its sum over the positions first. Layers of one stage are averaged."
)
_SCORES = (
    "Energy: the map's smallest value is taken as zero, then the share of it inside the target; a"
    " dot product has no zero of its own, and attention is treated alike. Among objects: the"
    " target's share of the energy inside all annotated objects of the image, of expressions whose"
    " image has others: above chance it finds the one that is meant, not just things. Pointing: the"
    " target's share of the cell where the map is largest. Rank: how likely it is that a pixel of"
    " the target has a larger value than one outside, 50 by chance."
)
_GRID = (
    "A map is compared on its own grid, as if spread over the image without smoothing, and a coarse"
    " cell cannot lie inside a small target: see what the grid allows. A score below chance is no"
    " proof of blindness: what follows a map may turn its sign."
)


def attention_notes(results: AttentionResults) -> tuple[str, ...]:
    """All notes that apply, most needed first."""
    found = [
        _sample(results),
        _MAPS,
        _SCORES,
        _GRID,
        _intervals(results),
        _pictures(results),
        *(f"Run {run_id} is not shown: {how}." for run_id, how in results.failed.items()),
        _unrecorded(results),
        *dict.fromkeys(f"Warning of a run: {w}" for r in results.records for w in r.warnings),
    ]
    return tuple(note for note in found if note)


def attention_condition(results: AttentionResults) -> str:
    """Data, sample, size, seeds and device in one line."""
    records = results.records
    parts = [
        each(records, lambda r: r.spec.data.name),
        results.first.wish.split,
        _expressions(results),
        each(records, lambda r: f"{r.spec.data.image_size} px"),
        each(records, lambda r: f"seed {r.spec.seed}"),
        each(records, lambda r: r.environment.device),
        each(records, _scan),
    ]
    return " · ".join(part for part in parts if part)


def attention_provenance(results: AttentionResults) -> tuple[Section, ...]:
    """Command, runs, weights, data and machine."""
    records = results.records
    weights = {
        variant.label: each([maps.record for _, maps in variant.both], _weights)
        for variant in results.variants
    }
    data = {
        "data": each(records, lambda r: str(r.data.get("name", ""))),
        "fingerprint": each(records, lambda r: str(r.data.get("fingerprint", ""))),
        "image size": each(records, lambda r: f"{r.spec.data.image_size} px"),
    }
    sections = {
        "Command": {"command": results.runs.command or each(records, lambda r: r.command)},
        "Runs": {r.run_id: _run(r) for r in records},
        "Weights": weights,
        "Data": data,
        "Machine and software": machine_facts(records),
    }
    return tuple(
        Section(title=title, lines=tuple((k, v) for k, v in lines.items() if v))
        for title, lines in sections.items()
    )


def _scan(record: Record) -> str:
    backend = record.environment.scan_backend
    return "" if backend == "none" else f"{backend} scan"


def _run(record: Record) -> str:
    return f"spec {record.digest[:16]}, {record.status}, {fmt.seconds(record.wall_s)}"


def _weights(record: Record) -> str:
    weights, trained = record.spec.weights, record.data.get(WEIGHTS_RUN)
    digest = f"sha256 {weights.sha256[:16]}" if weights is not None else ""
    return ", ".join(filter(None, (f"run {trained}" if trained else "", digest)))


def _expressions(results: AttentionResults) -> str:
    split = results.first.wish.split
    return each(
        results.records,
        lambda r: (
            f"{fmt.count(int(r.data.get(f'{split} expressions', 0)))} expressions on"
            f" {fmt.count(int(r.data.get(f'{split} images', 0)))} images"
        ),
    )


def _sample(results: AttentionResults) -> str:
    limit = results.first.wish.limit
    whole = "the whole split" if limit is None else "evenly spaced over the split"
    untrained = any(name == "untrained" for v in results.variants for name, _ in v.both)
    control = (
        " Untrained is the same model before its first step, on the same expressions."
        if untrained
        else ""
    )
    return (
        f"Measured on {_expressions(results)} of {results.first.wish.split}, {whole}; the pictures"
        f" are a few of them and prove nothing.{control}"
    )


def _intervals(results: AttentionResults) -> str:
    if results.first.images < 2:
        return "All expressions are of one image, so there are no intervals."
    return (
        f"Intervals are 95 %, a bootstrap over images ({fmt.count(DRAWS)} resamples), without"
        " correction for their number; differences are paired by image. They do not include what"
        " another seed would change."
    )


def _pictures(results: AttentionResults) -> str:
    if not results.first.shown:
        return ""
    wish = results.first.wish
    rule = (
        "The pictured sentences were named on the command line."
        if wish.shown
        else "Pictured by rule, by no model and by no hand: expressions evenly spaced by the share"
        " of the image that their target covers, no image twice."
    )
    return (
        f"{rule} A row has one colour scale: 0 is the smallest value of a map, 100 % what a map"
        " that is the same everywhere has, and the end is exceeded by 2 % of the maps' area. Under"
        " each map is its energy inside the target; the list above a row chooses the word."
    )


def _unrecorded(results: AttentionResults) -> str:
    missing = results.unrecorded
    if not missing:
        return ""
    total = len(results.runs.run_ids)
    return f"{len(missing)} of {total} runs have no record yet: {fmt.listed(list(missing))}."
