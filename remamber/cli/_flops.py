"""What ``flops`` does: count models one after the other, and keep the counts as records."""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, get_args

from remamber.cli._streams import Streams
from remamber.plan.model_spec import ModelSpec
from remamber.plan.planned import PlannedRun, with_options
from remamber.plan.spec import DataSpec, FlopsSpec, RunSpec
from remamber.record.environment import usable_cores
from remamber.record.event import Event
from remamber.record.timing_key import flops_code_key

if TYPE_CHECKING:
    from remamber.tasks._flops_counts import Counts

_MANY = 12
"""Models from which on those of each size are counted in a process of their own."""

_SIZES = get_args(ModelSpec.model_fields["size"].annotation)


class Row(NamedTuple):
    """A model and what it costs at one resolution."""

    model: ModelSpec
    counts: "Counts"


def count_models(specs: Sequence[ModelSpec], sides: Sequence[int], streams: Streams) -> list[Row]:
    """Count every model at every resolution.

    Raises:
        UserError: a model cannot be built as it was asked for.
    """
    # What is remembered of one size is of no use to another.
    sizes = dict.fromkeys(spec.size for spec in specs)
    groups = [[spec for spec in specs if spec.size == size] for size in sizes]
    if len(groups) == 1 or usable_cores() == 1 or len(specs) < _MANY:
        return _count(specs, sides)
    found: dict[ModelSpec, list[Row]] = {}
    context = multiprocessing.get_context("spawn")
    # One for each, also on two cores: they end together, which two of three would not.
    with ProcessPoolExecutor(len(groups), mp_context=context) as pool:
        largest_first = sorted(groups, key=lambda group: -_SIZES.index(group[0].size))
        futures = [pool.submit(_count, group, sides) for group in largest_first]
        for future in as_completed(futures):
            for row in future.result():
                found.setdefault(row.model, []).append(row)
            streams.say(f"counted {len(found)} of {len(specs)} models")
    return [row for spec in specs for row in found[spec]]


def _count(specs: Sequence[ModelSpec], sides: Sequence[int]) -> list[Row]:
    from remamber.tasks._flops_counts import count_costs
    from remamber.tasks._flops_memo import Memo

    memo = Memo()
    return [Row(spec, counts) for spec in specs for counts in count_costs(spec, sides, memo=memo)]


def save_counts(
    specs: Sequence[ModelSpec],
    sides: Sequence[int],
    store: Path,
    *,
    command: str,
    streams: Streams,
) -> None:
    """Record every count that the store does not have from the same code.

    Raises:
        UserError: the store cannot be written.
    """
    from remamber.cli._settings import require_writable
    from remamber.runner import Interruption, Request, execute

    require_writable(store, what="the store", option="--store")
    code = FlopsSpec(code=flops_code_key())
    runs = [
        PlannedRun(
            RunSpec(task="flops", model=spec, data=DataSpec(image_size=side), flops=code), ""
        )
        for spec in specs
        for side in sides
    ]

    def hear(event: Event) -> None:
        if event.kind == "failed":
            streams.insist(f"error: {event.run_id}: {event.message}")

    for run in with_options(runs):
        request = Request(spec=run.spec, store=str(store), command=command)
        execute(request, hear, Interruption())
    streams.say(f"{len(runs)} records in {store}")
