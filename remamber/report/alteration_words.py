"""Sentences on what an alteration left as it was, or did not touch."""

from remamber.report import format as fmt
from remamber.table.alterations import share_of
from remamber.table.results import Results


def unmoved(results: Results) -> str:
    """Which alterations changed no mask of the lead split, empty if none was altered so."""
    split = results.analysis.table.lead[0]
    found, altered = [], 0
    for variant in results.selection.variants:
        moved = share_of(variant.ok, "changed_masks", split)
        if moved is None or not any(r.spec.evaluate.alterations() for r in variant.ok):
            continue
        altered += 1
        if moved == 0:
            found.append(variant.label)
    if not altered:
        return ""
    if not found:
        return f"Every alteration changes masks of {split}."
    return f"{fmt.listed(found)}: not one mask of {split} differs in a pixel."


def untouched_note(results: Results) -> str:
    """That a row holds expressions which its alteration does not touch, empty if none does."""
    split = results.analysis.table.lead[0]
    shares = [r.data.get(f"{split} altered") for v in results.selection.variants for r in v.ok]
    if not any(isinstance(share, float) and share < 1 for share in shares):
        return ""
    return (
        "An expression that an alteration does not touch stays in its row as it is: the table of"
        " alterations says how many were altered, and the slices show those of one need apart."
    )
