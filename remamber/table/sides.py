"""The two sides of a comparison: which records a name on the command line means, and the pairs."""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from remamber.errors import ExitCode, UserError
from remamber.plan.spec import RunSpec
from remamber.record.schema import Record
from remamber.record.store import Store
from remamber.registry import unknown

Keys = dict[str, Any]

_WHEN_TIMED = frozenset({"speed.machine", "speed.code", "speed.skipped"})
"""What tells records of one measurement apart that were taken elsewhere or of other code."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """Some records that were named together.

    Attributes:
        name: as it was given.
        records: those that ended well.
        store: where their counts lie.
        filtered: dotted keys of the spec that the name chose by.
    """

    name: str
    records: tuple[Record, ...]
    store: Store
    filtered: frozenset[str] = field(default=frozenset())


class Pair(NamedTuple):
    """One variant against another, each by seed; ``keys`` tell it from the other pairs."""

    keys: Keys
    a: dict[int, Record]
    b: dict[int, Record]

    @property
    def differing(self) -> dict[str, tuple[Any, Any]]:
        """Dotted keys of the spec, the seed apart, with the two values where they differ."""
        a, b = (_keys(next(iter(side.values())).spec) for side in (self.a, self.b))
        return {
            k: (a.get(k), b.get(k)) for k in sorted(a.keys() | b.keys()) if a.get(k) != b.get(k)
        }


def find_side(text: str, store: Store) -> Side:
    """The records that a name means.

    Args:
        text: a run's id or the beginning of one; the folder of a run; a folder of records; or
            ``key=value``, several with commas, which chooses from the store by keys of the spec.
        store: for names that are no folders.

    Raises:
        UserError: nothing of that name (exit 3), or no record in it that ended well.
    """
    path = Path(text)
    if (path / "record.json").is_file():
        store = Store(path.parent)
        return _side(text, store, [r for r in store.records() if r.run_id == path.resolve().name])
    if path.is_dir() and any(path.glob("*/record.json")):
        store = Store(path)
        return _side(text, store, store.records())
    if "=" in text:
        return _filtered(text, store)
    return _side(text, store, [_one_run(text, store)])


def pairs(a: Side, b: Side) -> list[Pair]:
    """The variants of both sides, joined: what the names chose by apart, and seeds apart.

    One variant on each side is a pair whatever differs. Of several, those belong together whose
    specs are equal but for the keys that the names chose by.

    Raises:
        UserError: no variant of one side has its like on the other, or a like is not one.
    """
    chosen = a.filtered | b.filtered | _WHEN_TIMED
    of_a, of_b = (_by_variant(side, chosen) for side in (a, b))
    if len(of_a) == len(of_b) == 1:
        return [Pair({}, *(next(iter(of.values())) for of in (of_a, of_b)))]
    common = [key for key in of_a if key in of_b]
    if not common:
        raise UserError(
            f"no variant of '{a.name}' has its like in '{b.name}'",
            where=[
                f"A  {len(of_a)} variants of {len(a.records)} runs, such as {a.records[0].run_id}",
                f"B  {len(of_b)} variants of {len(b.records)} runs, such as {b.records[0].run_id}",
            ],
            fix=["name one variant on each side, such as  fusion.name=twister,data.name=refcoco"],
            slug="nothing_to_compare",
        )
    told_apart = _varying([json.loads(key) for key in common])
    return [
        Pair({k: json.loads(key).get(k) for k in told_apart}, of_a[key], of_b[key])
        for key in common
    ]


def _side(
    name: str, store: Store, records: list[Record], filtered: frozenset[str] = frozenset()
) -> Side:
    well = tuple(r for r in records if r.status == "ok")
    if not well:
        failed = [f"{r.run_id}  {r.status}" for r in records[:3]]
        raise UserError(
            f"'{name}' holds no run that ended well",
            where=failed or [f"looked in  {store.root}"],
            fix=[f"remamber-bench list runs --store {store.root}"],
            exit_code=ExitCode.MISSING,
            slug="no_record",
        )
    return Side(name=name, records=well, store=store, filtered=filtered)


def _one_run(text: str, store: Store) -> Record:
    records = {r.run_id: r for r in store.records()}
    if text in records:
        return records[text]
    starting = [run_id for run_id in records if run_id.startswith(text)]
    if len(starting) == 1:
        return records[starting[0]]
    if starting:
        raise UserError(
            f"{len(starting)} runs begin with '{text}'",
            where=starting[:5],
            fix=["name one of them, or choose by keys such as  fusion.name=twister"],
            slug="ambiguous_run",
        )
    if not records:
        raise UserError(
            f"'{text}' is neither a folder with records nor a run of the store",
            where=[f"store  {store.root}  (empty)"],
            fix=["remamber-bench ablate scans", "or add --store DIR"],
            exit_code=ExitCode.MISSING,
            slug="no_record",
        )
    raise _unknown_run(text, records, store)


def _unknown_run(text: str, known: Iterable[str], store: Store) -> UserError:
    near = difflib.get_close_matches(text, known, n=1, cutoff=0.5)
    return UserError(
        f"no run begins with '{text}'",
        where=[f"store  {store.root}"],
        fix=[
            *(f"did you mean '{name}'?" for name in near),
            f"remamber-bench list runs --store {store.root}",
        ],
        slug="unknown_run",
    )


def _filtered(text: str, store: Store) -> Side:
    # What measured the data alone has a model by default only.
    records = [r for r in store.records() if r.counts or r.curves]
    kept, full_keys = records, set()
    for part in text.split(","):
        key, _, value = (word.strip() for word in part.partition("="))
        known = {k for r in records for k in _keys(r.spec)} | {"seed"}
        fitting = [key] if key in known else sorted(k for k in known if k.endswith(f".{key}"))
        if not fitting:
            raise unknown("key", key, sorted(known), where=[f"in  {text}"])
        kept = [r for r in kept if any(_text(_seeded(r.spec).get(k)) == value for k in fitting)]
        full_keys.update(fitting)
    return _side(text, store, kept, frozenset(full_keys))


def _by_variant(side: Side, chosen: frozenset[str]) -> dict[str, dict[int, Record]]:
    variants: dict[str, dict[int, Record]] = {}
    for record in side.records:
        keys = {k: v for k, v in _keys(record.spec).items() if k not in chosen}
        by_seed = variants.setdefault(json.dumps(keys, sort_keys=True), {})
        if record.spec.seed in by_seed:
            twins = (by_seed[record.spec.seed].run_id, record.run_id)
            raise UserError(
                f"'{side.name}' means two runs of one variant and seed",
                where=list(twins),
                fix=["say more, such as  fusion.name=twister,scan_order=channel"],
                slug="ambiguous_run",
            )
        by_seed[record.spec.seed] = record
    return variants


def _varying(variants: list[Keys]) -> list[str]:
    keys = sorted({k for keys in variants for k in keys})
    return [k for k in keys if len({_text(v.get(k)) for v in variants}) > 1]


def _keys(spec: RunSpec) -> Keys:
    """Dotted keys of a spec with their values, the seed apart."""
    return {k: v for k, v in _seeded(spec).items() if k != "seed"}


def _seeded(spec: RunSpec) -> Keys:
    return dict(_flat(json.loads(spec.canonical())))


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _text(value: Any) -> str:  # noqa: ANN401 - any value of a spec
    return value if isinstance(value, str) else json.dumps(value)
