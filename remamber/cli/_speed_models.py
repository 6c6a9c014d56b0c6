"""From the command line to the models and image sizes that are timed."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from remamber.errors import UserError
from remamber.plan.planned import PlannedRun, with_options
from remamber.plan.spec import FusionSpec, ModelSpec, RunSpec
from remamber.plan.speed import LARGEST, MULTIPLE, SMALLEST
from remamber.plan.strict_toml import validate
from remamber.registry import FUSIONS, MODELS, SCAN_ORDERS, unknown

DECODERS = ("conv", "mamba")
SIZES = ("tiny", "small", "base")
_STEPS = 4
"""Parts into which a sweep divides its range, as far as they are multiples of 32."""


def chosen_models(options: Mapping[str, Any], usual: Sequence[ModelSpec]) -> tuple[ModelSpec, ...]:
    """The models that the command line names, else the study's.

    Args:
        options: by the command's argument names: model, against, fusion, scan_order, decoder,
            size.
        usual: the study's models.

    Raises:
        UserError: a name that is not known; the nearest is named.
    """
    size = options["size"]
    if size is not None and size not in SIZES:
        raise unknown("size", size, SIZES)
    parts = {name: tuple(options[name] or ()) for name in ("fusion", "scan_order", "decoder")}
    rivals = tuple(options["against"] or ())
    named = tuple(options["model"] or ())
    if not named and not rivals and not any(parts.values()):
        chosen = [m.model_copy(update={"size": size or m.size}) for m in usual]
    else:
        wanted = size or usual[0].size
        chosen = [
            model
            for name in (*(named or ("remamber",)), *rivals)
            for model in _variants(name, wanted, parts)
        ]
    runs = [PlannedRun(RunSpec(model=model), "") for model in dict.fromkeys(chosen)]
    return tuple(run.spec.model for run in with_options(runs))


def chosen_sizes(res: str | None, sweep: str | None) -> tuple[int, ...] | None:
    """The image sizes that the command line names, ascending; None if it names none.

    Raises:
        UserError: not a size that the models take; the nearest that they do is named.
    """
    texts = res.split(",") if res is not None else []
    sizes = {_size(text, "--res") for text in texts}
    if sweep is not None:
        sizes |= set(_sweep(sweep))
    return tuple(sorted(sizes)) or None


def _variants(name: str, size: str, parts: Mapping[str, Sequence[str]]) -> list[ModelSpec]:
    """A model in every combination of the parts that it reads."""
    MODELS.require_usable(name)
    usual = FusionSpec()
    found = []
    for fusion, order, decoder in product(
        parts["fusion"] or (usual.name,),
        parts["scan_order"] or (usual.scan_order,),
        parts["decoder"] or DECODERS[:1],
    ):
        FUSIONS.require_usable(fusion)
        SCAN_ORDERS.require(order)
        if decoder not in DECODERS:
            raise unknown("decoder", decoder, DECODERS)
        # An order is the Twister's: other variants would only be named twice.
        own = {"scan_order": order} if fusion == usual.name else {}
        content = {
            "name": name,
            "size": size,
            "decoder": decoder,
            "fusion": {"name": fusion, **own},
        }
        found.append(validate(ModelSpec, [("the command line", content)]))
    return list(dict.fromkeys(found))


def _sweep(text: str) -> list[int]:
    first, dash, last = text.partition("-")
    if not dash:
        raise UserError(
            f"--sweep {text}: expected two sizes such as 256-1024",
            fix=["--sweep 256-1024"],
            slug="bad_sweep",
        )
    low, high = _size(first, "--sweep"), _size(last, "--sweep")
    if low >= high:
        raise UserError(
            f"--sweep {text}: the first size must be the smaller one",
            fix=[f"--sweep {high}-{low}" if low > high else f"--res {low}"],
            slug="bad_sweep",
        )
    steps = [low + (high - low) * i / _STEPS for i in range(_STEPS + 1)]
    return sorted({round(step / MULTIPLE) * MULTIPLE for step in steps})


def _size(text: str, option: str) -> int:
    try:
        size = int(text)
    except ValueError:
        size = 0
    if not SMALLEST <= size <= LARGEST or size % MULTIPLE:
        near = min(max(SMALLEST, round(size / MULTIPLE) * MULTIPLE), LARGEST)
        raise UserError(
            f"{option} {text}: expected a multiple of {MULTIPLE} from {SMALLEST} to {LARGEST}"
            " pixels, the coarsest stride of the models",
            fix=[f"--res {near if size else 256}"],
            slug="bad_resolution",
        )
    return size
