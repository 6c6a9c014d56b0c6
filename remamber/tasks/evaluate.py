"""Scores weights as they are on the splits of a data set, by one or several protocols."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from accelerate import Accelerator

from remamber.datasets import ReferringDataset, open_dataset
from remamber.datasets._decode_crew import DecodeCrew, crew_for
from remamber.errors import ExitCode, UserError
from remamber.models import Segmenter
from remamber.models._evaluable import open_evaluable
from remamber.models._released_segmenter import ReleasedSegmenter
from remamber.models._text_word import WordTokenizer
from remamber.ops import resolve_backend
from remamber.plan.protocols import find_protocol
from remamber.plan.spec import RunSpec
from remamber.record.event import Event
from remamber.record.schema import NEEDS_BY, Measurement
from remamber.registry import TASKS
from remamber.tasks import Outcome, Stopped, TaskContext
from remamber.tasks._accuracy import accuracy
from remamber.tasks._alteration import Alteration, alteration, changes
from remamber.tasks._device import device_name, peak_memory
from remamber.tasks._expression_facts import needs_by
from remamber.tasks._planned_weights import planned_weights, weights_origin
from remamber.tasks._protocol_masks import Targets, open_targets
from remamber.tasks._scan_share import has_scan
from remamber.tasks._scoring import Item, Scorer, items_of, joined, packed
from remamber.tasks._unfinished import Scored, Unfinished

register = TASKS.register

_FOREIGN, _STRANGE = 0.5, 0.1
"""Shares of unknown words above which weights are not of the data's language, or warn of it."""


class _Setting(NamedTuple):
    """What is scored with what."""

    spec: RunSpec
    dataset: ReferringDataset
    altered: Alteration
    targets: Targets
    device: torch.device
    crew: DecodeCrew


@register("evaluate")
def evaluate(spec: RunSpec, context: TaskContext) -> Outcome:
    """Count intersections and unions of every split with the weights that the context names.

    Raises:
        Stopped: asked to stop; what is done is saved.
        UserError: weights or data cannot be read, are not the planned ones, or do not belong
            together.
    """
    started = time.perf_counter()
    device = Accelerator().device
    dataset = open_dataset(spec.data, context.place)
    refs = {split: dataset.refs(split) for split in spec.data.splits}
    items = {s: limited(items_of(refs[s]), spec.evaluate.limit) for s in refs}
    found = planned_weights(spec, context)
    model = open_evaluable(found, root=context.place.root, backend=spec.scan_backend).to(device)
    altered = alteration(spec, model, items)
    read, warnings = _text_facts(model, altered.items)
    protocols = [find_protocol(name) for name in spec.evaluate.protocols]
    targets = open_targets(spec.data, context.place, dataset=dataset, protocols=protocols)
    unfinished = Unfinished(context.folder, spec.digest)
    done, torn = unfinished.restore()
    every = [ref for of_split in refs.values() for ref in of_split]
    crew = crew_for(dataset, every, place=context.place)
    try:
        setting = _Setting(spec, dataset, altered, targets, device, crew)
        _score(setting, context, done=done, unfinished=unfinished)
    finally:
        crew.close()
    counts = {split: done[split].counts for split in spec.data.splits}
    peak, kind = peak_memory(device)
    return Outcome(
        measurements=(
            *(*accuracy(counts), *changes(counts)),
            Measurement(metric="session_s", value=time.perf_counter() - started, unit="seconds"),
            Measurement(metric="peak_bytes", value=peak, unit="bytes", where={"kind": kind}),
        ),
        counts=packed(counts),
        data={
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            **weights_origin(found),
            **read,
            **altered.facts,
        },
        device=device_name(device),
        scan_backend=resolve_backend(spec.scan_backend, device) if has_scan(model) else "none",
        warnings=(*warnings, *torn, *_quick_look(spec)),
        superseded=(unfinished.path,),
    )


def limited(items: Sequence[Item], limit: int | None) -> Sequence[Item]:
    """At most that many items, evenly spaced: a sample that is the same every time."""
    if limit is None or limit >= len(items):
        return items
    return [items[i * len(items) // limit] for i in range(limit)]


def _score(
    setting: _Setting, context: TaskContext, *, done: dict[str, Scored], unfinished: Unfinished
) -> None:
    """Add to ``done`` what is missing; saved now and then, and when asked to stop."""
    altered = setting.altered
    total = sum(map(len, altered.items.values()))
    tell = _teller(setting.spec, context, total=total)
    before = sum(scored.items for scored in done.values())
    if before:
        tell(kind="note", message=f"going on after {before:,} of {total:,} expressions")
    saved_at = time.monotonic()
    for split, items in altered.items.items():
        scorer = _scorer(setting, split)
        first, counts = done.setdefault(split, Scored(0, scorer.nothing()))
        parts = [counts]
        for group, counts in scorer.batches(altered.model, items[first:]):
            parts.append(counts)
            first += len(group)
            tell(kind="evaluate", what=split, done=_items(done, split) + first)
            stop = context.should_stop()
            due = time.monotonic() - saved_at >= context.checkpoint_s
            if stop or due or first == len(items):
                done[split] = Scored(first, joined(parts))
                parts = [done[split].counts]
                unfinished.save(done)
                saved_at = time.monotonic()
            if stop:
                raise Stopped(_items(done, ""))


def _items(done: Mapping[str, Scored], split: str) -> int:
    """Items done in the other splits."""
    return sum(scored.items for name, scored in done.items() if name != split)


def _scorer(setting: _Setting, split: str) -> Scorer:
    return Scorer(
        setting.dataset,
        setting.dataset.refs(split),
        targets=setting.targets,
        protocols=[find_protocol(name) for name in setting.spec.evaluate.protocols],
        size=setting.spec.data.image_size,
        batch=setting.spec.evaluate.batch,
        device=setting.device,
        crew=setting.crew,
        reader=setting.altered.reader,
        plain=setting.altered.plain,
    )


def _teller(spec: RunSpec, context: TaskContext, *, total: int) -> Callable[..., None]:
    def tell(**fields: object) -> None:
        context.emit(Event.model_validate({"run_id": spec.run_id, "total": total, **fields}))

    return tell


def _text_facts(
    model: Segmenter, items: Mapping[str, Sequence[Item]]
) -> tuple[dict[str, str | int | float], list[str]]:
    """What the tokenizer made of the expressions, by split, and what to warn of.

    Raises:
        UserError: most words are unknown to it: the weights are of another vocabulary.
    """
    facts: dict[str, str | int | float] = {
        "vocabulary": model.tokenizer.size,
        NEEDS_BY: needs_by(item.ref for chosen in items.values() for item in chosen),
    }
    warnings = []
    if isinstance(model, ReleasedSegmenter) and not model.own_tower:
        warnings.append(
            "the checkpoint has no text tower: CLIP's own stands in for the trained one"
        )
    for split, chosen in items.items():
        tokens = model.tokenizer([item.text for item in chosen])
        unknown = tokens.unknown / max(1, tokens.words)
        facts[f"{split} expressions"] = len(chosen)
        facts[f"{split} truncated"] = tokens.truncated / max(1, len(chosen))
        facts[f"{split} unknown words"] = unknown
        if unknown > _FOREIGN:
            raise _other_vocabulary(model, split, unknown)
        if unknown > _STRANGE:
            warnings.append(f"the weights do not know {100 * unknown:.0f} % of {split}'s words")
    return facts, warnings


def _other_vocabulary(model: Segmenter, split: str, unknown: float) -> UserError:
    tokenizer = model.tokenizer
    words = list(tokenizer.ids)[:8] if isinstance(tokenizer, WordTokenizer) else []
    return UserError(
        f"the weights do not know {100 * unknown:.0f} % of the words of {split}: they were trained"
        " on another vocabulary",
        where=[f"they know  {', '.join(words)}, ... ({tokenizer.size:,})"],
        fix=["--data NAME: the data set that the weights were trained on"],
        exit_code=ExitCode.DAMAGED,
        slug="other_vocabulary",
    )


def _quick_look(spec: RunSpec) -> tuple[str, ...]:
    limit = spec.evaluate.limit
    if limit is None:
        return ()
    return (f"a quick look: at most {limit:,} expressions of each split were scored",)
