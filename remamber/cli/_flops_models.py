"""From the words of ``flops`` to the models that it counts."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple, get_args

from remamber.errors import UserError
from remamber.plan.spec import FusionSpec, ModelSpec, RunSpec
from remamber.plan.speed import LARGEST, MULTIPLE, SMALLEST
from remamber.plan.strict_toml import Layer, parse_override, validate
from remamber.registry import FUSIONS, MODELS, SCAN_ORDERS, unknown

ALL = "all"
_TEXTS = {"remamber": "clip", "lavt": "bert"}
"""Of the published models, which are of the size ``base``."""


class Words(NamedTuple):
    """Options that choose models, as they were typed; nothing is an option's default."""

    every: bool = False
    model: Sequence[str] | None = None
    size: Sequence[str] | None = None
    fusion: Sequence[str] | None = None
    scan_order: Sequence[str] | None = None
    cube: Sequence[str] | None = None
    decoder: Sequence[str] | None = None
    text: str | None = None
    overrides: Sequence[str] = ()

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Words":
        """Those of the command's options that choose models, by its argument names."""
        same = {name: options[name] for name in cls._fields if name != "overrides"}
        return cls(**same, overrides=tuple(options["set_"] or ()))


class _Option(NamedTuple):
    """An option: its noun in messages, all that it can be, and what it is unless given."""

    noun: str
    known: Sequence[str]
    usual: Sequence[str]


def chosen_models(words: Words) -> list[ModelSpec]:
    """Every combination of what was chosen, each model once.

    Raises:
        UserError: an unknown name or key, the nearest is named, or a bad value.
    """
    layers = [("--set", parse_override(text)) for text in words.overrides]
    contents = (_content(*found, text=words.text) for found in product(*_values(words)))
    return list(dict.fromkeys(_model(content, layers) for content in contents))


def parse_sides(text: str) -> list[int]:
    """``256,512`` as numbers, each once.

    Raises:
        UserError: anything but multiples of 32 in the bounds.
    """
    sides = []
    for word in text.split(","):
        try:
            side = int(word)
        except ValueError:
            side = 0
        if not SMALLEST <= side <= LARGEST or side % MULTIPLE:
            raise _bad_side(word.strip(), side)
        sides.append(side)
    return list(dict.fromkeys(sides))


def _bad_side(word: str, side: int) -> UserError:
    near = min(max(round(side / MULTIPLE) * MULTIPLE, SMALLEST), LARGEST)
    return UserError(
        f"--res {word or 'of nothing'}: expected multiples of {MULTIPLE} from {SMALLEST} to"
        f" {LARGEST:,}",
        where=[f"the coarsest of a model's maps has a {MULTIPLE}th of the image's side"],
        fix=[f"--res {near if side > 0 else 256}"],
        slug="bad_resolution",
    )


def _values(words: Words) -> Iterator[Sequence[str]]:
    """What each option of the models may be, in the order of ``_content``'s arguments."""
    known = {
        "model": _Option("model", MODELS.names(), MODELS.names()),
        "size": _Option("size", _literals(ModelSpec, "size"), ["base"]),
        "fusion": _Option("fusion variant", FUSIONS.names(), ["twister"]),
        "scan_order": _Option("scan ordering", SCAN_ORDERS.names(), ["channel-spatial"]),
        "cube": _Option("cube", _literals(FusionSpec, "cube"), ["image-global-local"]),
        "decoder": _Option("decoder", _literals(ModelSpec, "decoder"), ["conv"]),
    }
    for name, option in known.items():
        given = getattr(words, name)
        if not given:
            yield _telling(name, option.known) if words.every else option.usual
        else:
            yield [value for text in given for value in _named(text, option)]


def _telling(name: str, known: Sequence[str]) -> Sequence[str]:
    """Of all that an option can be, what may differ in its cost: of cubes, one order of parts."""
    if name != "cube":
        return known
    return list({frozenset(cube.split("-")): cube for cube in reversed(known)}.values())[::-1]


def _named(text: str, option: _Option) -> Sequence[str]:
    names = [word.strip() for word in text.split(",")]
    for name in names:
        if name not in (*option.known, ALL):
            raise unknown(option.noun, name, option.known)
    return option.known if ALL in names else names


def _literals(model: type[ModelSpec | FusionSpec], field: str) -> Sequence[str]:
    return get_args(model.model_fields[field].annotation)


def _content(
    name: str, size: str, fusion: str, order: str, cube: str, decoder: str, *, text: str | None
) -> dict[str, Any]:
    twister = {"scan_order": order, "cube": cube} if fusion == "twister" else {}
    published = _TEXTS.get(name, "clip") if size == "base" else "word"
    return {
        "name": name,
        "size": size,
        "decoder": decoder,
        "fusion": {"name": fusion, **twister},
        "text": {"name": text or published},
    }


def _model(content: dict[str, Any], overrides: Sequence[Layer]) -> ModelSpec:
    layers = [("the command line", {"model": content}), *overrides]
    spec = validate(RunSpec, layers)
    MODELS.require(spec.model.name)
    FUSIONS.require(spec.model.fusion.name)
    return spec.model
