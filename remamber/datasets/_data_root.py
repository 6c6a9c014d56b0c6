"""A real data set under the user's data root: converted where it is, else as published."""

from collections.abc import Callable
from pathlib import Path

from remamber.datasets import DataPlace, ReferringDataset
from remamber.datasets._converted import find_converted, open_converted
from remamber.datasets._generated import refuse_generated
from remamber.datasets._origins import how_to_get, origins
from remamber.errors import ExitCode, UserError
from remamber.plan.spec import DataSpec

OpenPublished = Callable[[Path, str], ReferringDataset]
"""Opens the published files under (the data root, the splits' maker)."""


def open_real(
    name: str, spec: DataSpec, place: DataPlace, published: OpenPublished | None = None
) -> ReferringDataset:
    """Open a real data set; the converted layout is preferred where both are there.

    Args:
        name: of the data set, as in ``origins.toml``.
        spec: gives the splits' maker, by default the usual one, and the mask rule.
        place: gives the data root.
        published: opens the published files; None where they have to be converted first.

    Raises:
        UserError: the data root holds generated data (exit 2), none was given, or nothing is
            there (exit 3), or it is damaged (exit 6).
    """
    root, split_by = place.root, spec.split_by or origins()[name].split_by
    if root is None:
        raise UserError(
            f"data set '{name}' needs a data root and none was given",
            where=[f"looked for  a folder that holds {name}/", "found       none"],
            fix=["add --data-root DIR", *how_to_get(name)],
            exit_code=ExitCode.MISSING,
            slug="dataset_missing",
        )
    refuse_generated(root, name=name)
    converted = find_converted(root, name=name, split_by=split_by)
    if converted is not None:
        return open_converted(converted, mask_rule=spec.mask_rule)
    if published is not None:
        return published(root, split_by)
    raise UserError(
        f"data set '{name}' not found under {root.absolute()}",
        where=[f"looked for  {root.absolute()}/{name}/converted({split_by})/"],
        fix=[
            f"remamber-bench data convert DIR --to {root.absolute()} --name {name}",
            *how_to_get(name),
        ],
        exit_code=ExitCode.MISSING,
        slug="dataset_missing",
        path=str(root.absolute()),
    )
