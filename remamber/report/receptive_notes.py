"""The sentences under the tables of a report of receptive fields."""

from remamber.report import format as fmt
from remamber.table.receptive import EVEN_HALF, EVEN_MOST, ReceptiveResults


def receptive_notes(results: ReceptiveResults) -> tuple[str, ...]:
    """How to read the numbers, then what is missing."""
    warnings = (w for record in results.records for w in record.warnings)
    failed = [record.run_id for record in results.failed]
    found = [
        "A field is the square of the gradient of a map's middle positions (two by two) by the"
        " image's pixels, summed over channels, scaled to 1 for each image and averaged over"
        f" {_images(results)} images; intervals are 95 %, by bootstrap over images, and differences"
        " are of the same images.",
        "For comparison: a field that is even over the image holds half within"
        f" {fmt.percent(EVEN_HALF)} % of the side and 90 % within {fmt.percent(EVEN_MOST)} %.",
        "The last table is of the energy beyond two cells around the middle: its share above the"
        " middle and left of it (a field without direction has 50 %), its share nearer the"
        " horizontal than the vertical axis, and how many times as much lies in the middle's own"
        " rows and columns as at the same distances on average (a cross has more than 1).",
        "A convolution of stride two with padding looks half a cell up and left: compare with the"
        " initial weights before a share above 50 % is read as the scans' direction.",
        f"Failed: {fmt.listed(failed)}." if failed else "",
        _unrecorded(results),
        *dict.fromkeys(f"Warning of a run: {warning}." for warning in warnings),
    ]
    return tuple(note for note in found if note)


def _images(results: ReceptiveResults) -> str:
    return "; ".join(dict.fromkeys(fmt.count(row.images) for row in results.rows)) or "no"


def _unrecorded(results: ReceptiveResults) -> str:
    missing = results.unrecorded
    if not missing:
        return ""
    total = len(results.runs.run_ids)
    return f"{len(missing)} of {total} runs have no record yet: {fmt.listed(list(missing))}."
