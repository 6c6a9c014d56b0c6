"""Looking inside a model: the features at its declared taps while it computes what it computes."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from remamber.fusions import Tap
from remamber.plan.tap_names import names, require_known

FUSED = "fused"
"""The group of features in which image and text are mixed."""


class ModelTap(NamedTuple):
    """A tap of one stage of a model.

    Attributes:
        name: such as ``stage 3 layer 1 after channel scan``.
        stage: from 1.
        place: the name without the stage.
        path: of the stage's fusion in the model.
        tap: what the fusion declared.
    """

    name: str
    stage: int
    place: str
    path: str
    tap: Tap


class Group(NamedTuple):
    """What belongs together at a tap.

    Attributes:
        values: channels by positions; the positions of tokens are their places in the text.
        channels: which channels belong to the group, None for all of them.
        positions: which positions hold something, None for all of them.
    """

    values: Float[Tensor, "b c l"]
    channels: Bool[Tensor, "b c"] | None = None
    positions: Bool[Tensor, "b l"] | None = None


class Features(NamedTuple):
    """The features of a batch at one tap.

    Attributes:
        groups: by name; only ``fused`` where image and text are mixed.
        sources: of inner channels, which each belong to the group that they read most of: the
            same channels by that group. Empty where nothing is so divided.
        read: by group, its share of the energy that the channels read; empty if not known.
    """

    groups: Mapping[str, Group]
    sources: Mapping[str, Group]
    read: Mapping[str, Float[Tensor, " b"]]


class Chosen(NamedTuple):
    """The taps that some phrases name, and the phrases that name none of this model."""

    taps: tuple[ModelTap, ...]
    lacking: tuple[str, ...]


def model_taps(model: nn.Module) -> tuple[ModelTap, ...]:
    """Every tap of a model, stage by stage in the order in which features pass."""
    found: list[ModelTap] = []
    stage = 0
    for path, module in model.named_modules():
        taps = getattr(module, "taps", None)
        if not isinstance(taps, Mapping):
            continue
        stage += 1
        for place, tap in taps.items():
            found.append(ModelTap(f"stage {stage} {place}", stage, place, path, tap))
    return tuple(found)


def chosen_taps(model: nn.Module, phrases: Sequence[str]) -> Chosen:
    """The taps whose names contain one of some phrases, word by word; all without a phrase.

    Raises:
        UserError: a phrase that names no tap of any model here; the nearest names are given.
    """
    taps = model_taps(model)
    if not phrases:
        return Chosen(taps, ())
    require_known(phrases, [tap.name for tap in taps])
    lacking = tuple(p for p in phrases if not any(names(p, tap.name) for tap in taps))
    return Chosen(tuple(t for t in taps if any(names(p, t.name) for p in phrases)), lacking)


@contextlib.contextmanager
def watching(
    model: nn.Module, taps: Sequence[ModelTap]
) -> Iterator[Callable[[], dict[str, Features]]]:
    """Hooks on some taps for the length of a with-block; what the model computes stays the same.

    Yields:
        A function that hands over the features of the last pass, by the taps' names, and
        forgets them.
    """
    seen: dict[str, Features] = {}
    hooks = []
    try:
        for tap in taps:
            fusion = model.get_submodule(tap.path) if tap.path else model
            hooks += _hooks(fusion.get_submodule(tap.tap.path), tap, seen)
        yield lambda: _taken(seen)
    finally:
        for hook in hooks:
            hook.remove()


def _taken(seen: dict[str, Features]) -> dict[str, Features]:
    found = dict(seen)
    seen.clear()
    return found


def _hooks(module: nn.Module, named: ModelTap, seen: dict[str, Features]) -> list[Any]:
    tap = named.tap
    if tap.reads == "inner":
        return _inner_hooks(module, named, seen)

    def look(_: nn.Module, given: tuple[Any, ...], result: object) -> None:
        inputs, outputs = _tensors(given), _tensors(result)
        mask = next((t for t in inputs if t.dtype == torch.bool), None)
        read = {"input": inputs, "both": [inputs[0], *outputs]}.get(tap.reads, outputs)
        seen[named.name] = Features(_groups(tap, read, mask), {}, {})

    return [module.register_forward_hook(look)]


def _tensors(given: object) -> list[Tensor]:
    """All tensors in what a module was given or gave, in order."""
    if isinstance(given, Tensor):
        return [given]
    if isinstance(given, list | tuple):
        return [tensor for part in given for tensor in _tensors(part)]
    return []


def _groups(tap: Tap, read: Sequence[Tensor], mask: Tensor | None) -> dict[str, Group]:
    first = read[0]
    if len(tap.groups) > 1 and len(read) >= len(tap.groups):
        return {name: _group(x, mask) for name, x in zip(tap.groups, read, strict=False)}
    if tap.groups and first.shape[1] == len(tap.groups) * tap.channels:
        parts = first.flatten(2).chunk(len(tap.groups), dim=1)
        return {name: Group(part) for name, part in zip(tap.groups, parts, strict=True)}
    return {FUSED: Group(first.flatten(2))}


def _group(x: Tensor, mask: Tensor | None) -> Group:
    """A map ``b c h w``, or tokens ``b t c`` with the mask that says which are real."""
    if x.dim() == 4:
        return Group(x.flatten(2))
    return Group(x.transpose(1, 2), positions=mask)


def _inner_hooks(module: nn.Module, named: ModelTap, seen: dict[str, Features]) -> list[Any]:
    """The channels inside an SS2D: what each reads of a group is its input projection's term."""
    tap = named.tap
    project = module.get_submodule("in_proj")
    energies: list[Tensor] = []

    def read(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        energies.clear()
        x, weight = given[0], project.get_parameter("weight")
        if len(tap.groups) > 1 and x.shape[-1] == len(tap.groups) * tap.channels:
            parts = zip(x.chunk(len(tap.groups), -1), weight.chunk(len(tap.groups), 1), strict=True)
            for part, own in parts:
                energies.append(torch.einsum("bhwc,ec->bhwe", part, own).square().mean((1, 2)))

    def look(_: nn.Module, given: object, result: Tensor) -> None:
        inner = result.flatten(2)
        fused = {FUSED: Group(inner)}
        if not energies:
            seen[named.name] = Features(fused, {}, {})
            return
        of_group = torch.stack(energies, dim=2).float()
        owner = of_group.argmax(dim=2)
        shares = of_group.sum(1) / of_group.sum((1, 2)).clamp_min(1e-30).unsqueeze(1)
        seen[named.name] = Features(
            fused,
            {name: Group(inner, channels=owner == i) for i, name in enumerate(tap.groups)},
            {name: shares[:, i] for i, name in enumerate(tap.groups)},
        )

    return [
        project.register_forward_pre_hook(read),
        module.get_submodule("out_norm").register_forward_hook(look),
    ]
