"""The study of a ``speed`` command: its groups, bound to this machine and this code."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from remamber.cli._kernels import device_of
from remamber.cli._speed_models import chosen_models, chosen_sizes
from remamber.cli._study import Study, load_study
from remamber.errors import UserError
from remamber.plan.spec import RunSpec, SpeedSpec
from remamber.plan.strict_toml import merge, parse_override, validate
from remamber.plan.study import QUICK, Choices
from remamber.record.environment import usable_cores
from remamber.record.timing_key import machine_key, speed_code_key

STUDY = "resolution"
_ORIGIN = "the command line"
_PLAIN = ("mode", "scope", "dtype", "batch")
"""Options that set the field of the same name."""
_LENGTH = ("rounds", "budget_s", "warm_s", "warm_cap_s")
"""What makes times more certain and leaves what is timed as it is."""
_FLAGS = ("find_batch", "channels_last", "compile", "cuda_graph", "memory", "allow_shared")


def speed_study(options: Mapping[str, Any], *, threads: int | None) -> Study:
    """The groups that the command line asks for; without a word, the study ``resolution``.

    Args:
        options: by the command's argument names.
        threads: compute threads; all cores if None.

    Raises:
        UserError: an unknown name, a size that no model takes, settings that exclude each other,
            or CUDA where there is none.
    """
    overrides: dict[str, Any] = {}
    for text in options["set_"] or ():
        overrides = merge(overrides, parse_override(text))
    if options["scan_backend"] is not None:
        overrides = merge(overrides, {"scan_backend": options["scan_backend"]})
    choices = Choices(profile=options["profile"] or QUICK, overrides=overrides)
    study = load_study(options["study"] or STUDY, choices)
    if any(spec.speed is None for spec in study.specs):
        raise UserError(
            f"study '{study.name}' is not about speed",
            fix=[f"remamber-bench ablate {study.name}", f"remamber-bench speed --study {STUDY}"],
            slug="not_a_speed_study",
        )
    device, accelerator = device_of(options["device"])
    stamp = {
        "device": device,
        "threads": threads or usable_cores(),
        "machine": machine_key(accelerator),
        "code": speed_code_key(),
    }
    specs = [_stamped(spec, options, stamp) for spec in _sized(study.specs, options)]
    # A group that has all sizes one after the other, so that a model that ran out of memory is
    # not tried on a larger image.
    specs = sorted(
        dict.fromkeys(specs), key=lambda s: (_first(specs, s), settings_of(s).image_size)
    )
    return replace(study, specs=tuple(specs), rows=tuple(row_of(spec, specs) for spec in specs))


def settings_of(spec: RunSpec) -> SpeedSpec:
    """A run's speed section."""
    return spec.speed or SpeedSpec()


def chain_of(spec: RunSpec) -> tuple[object, ...]:
    """What runs have in common that differ in their image size alone."""
    s = settings_of(spec)
    return s.model_copy(update={"image_size": 256, "skipped": ()}), spec.seed, spec.scan_backend


def row_of(spec: RunSpec, specs: Sequence[RunSpec]) -> str:
    """``512 px``, and the words of its condition that not all groups share."""
    s = settings_of(spec)
    shared = set.intersection(*(set(settings_of(other).condition()) for other in specs))
    return ", ".join([f"{s.image_size} px", *(w for w in s.condition() if w not in shared)])


def report_stem(study: Study) -> str:
    """Name of the report's files: the study's, unless the command line changed what is timed."""
    own = load_study(str(study.name), Choices(profile=study.choices.profile)).specs
    profile = study.choices.profile
    usual = profile == next(iter(study.experiment.profiles))
    words = [] if usual else [profile]
    if [_asked(s) for s in study.specs] != [_asked(s) for s in own]:
        first = settings_of(study.specs[0])
        sizes = dict.fromkeys(str(settings_of(s).image_size) for s in study.specs)
        base = settings_of(own[0])
        changed = [str(getattr(first, n)) for n in _PLAIN if getattr(first, n) != getattr(base, n)]
        words += [*dict.fromkeys(m.size for m in first.models), *sizes, *changed]
    return "-".join([study.name, *words])


def _asked(spec: RunSpec) -> SpeedSpec:
    """A group without what is filled in, and without how long it is measured."""
    s = settings_of(spec)
    models = tuple(
        m.model_copy(update={"fusion": m.fusion.model_copy(update={"options": {}})})
        for m in s.models
    )
    filled = {"threads": None, "machine": "", "code": "", "device": "cpu", "models": models}
    usual = SpeedSpec()
    length = {name: getattr(usual, name) for name in _LENGTH}
    return s.model_copy(update={**filled, **length})


def _first(specs: Sequence[RunSpec], spec: RunSpec) -> int:
    return [chain_of(other) for other in specs].index(chain_of(spec))


def _sized(specs: Sequence[RunSpec], options: Mapping[str, Any]) -> list[RunSpec]:
    """The study's groups, or its first one at the sizes that the command line names."""
    sizes = chosen_sizes(options["res"], options["sweep"])
    if sizes is None:
        return list(specs)
    first = settings_of(specs[0])
    return [
        specs[0].model_copy(update={"speed": first.model_copy(update={"image_size": size})})
        for size in sizes
    ]


def _stamped(spec: RunSpec, options: Mapping[str, Any], stamp: Mapping[str, Any]) -> RunSpec:
    settings = settings_of(spec)
    models = chosen_models(options, settings.models)
    content = settings.model_dump(exclude={"models"})
    content |= {name: options[name] for name in _PLAIN if options[name] is not None}
    content |= {name: options[name] for name in _FLAGS if options[name] is not None}
    content |= {**stamp, "models": [m.model_dump() for m in models]}
    return spec.model_copy(update={"speed": validate(SpeedSpec, [(_ORIGIN, content)])})
