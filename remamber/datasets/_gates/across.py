"""Images that the training split of one real data set shares with the tests of another."""

from collections.abc import Iterator

from remamber.datasets import DataPlace, ReferringDataset, open_dataset
from remamber.datasets._gates.findings import Finding
from remamber.errors import UserError
from remamber.plan.spec import DataSpec

FAMILY = ("refcoco", "refcoco+", "refcocog")


def shared_across(place: DataPlace, spec: DataSpec) -> Iterator[Finding]:
    """Compare RefCOCO, RefCOCO+ and RefCOCOg as far as they are under the data root.

    Args:
        place: where they are.
        spec: names the data set under test; nothing is said of others among themselves.
    """
    if spec.name not in FAMILY or place.root is None:
        return
    images = {}
    for name in FAMILY:
        asked = spec if name == spec.name else DataSpec(name=name)
        try:
            images[name] = _images(open_dataset(asked, place))
        except UserError:
            yield Finding("note", f"{name} is not under this data root: not compared with it")
    for name in images:
        if name != spec.name:
            yield from _compared(spec.name, images[spec.name], name, images[name])
            yield from _compared(name, images[name], spec.name, images[spec.name])


def _images(dataset: ReferringDataset) -> dict[str, set[int]]:
    return {s: {ref.image_id for ref in dataset.refs(s)} for s in dataset.splits()}


def _compared(
    name: str, splits: dict[str, set[int]], other: str, others: dict[str, set[int]]
) -> Iterator[Finding]:
    train = splits.get("train", set())
    shared = {s: len(train & ids) for s, ids in others.items() if s != "train" and train & ids}
    if shared:
        listed = ", ".join(f"{count:,} of {split}" for split, count in shared.items())
        yield Finding(
            "note",
            f"{name} train holds images of {other}: {listed}",
            fix=f"do not score {other} with a model trained on {name} as well",
        )
