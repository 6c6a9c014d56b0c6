"""Where each stage sees which word: local interaction and attention maps, stage by stage (Fig. 4).

A map is a number for each token at each position. The Twister's are dot products (Eq. 5), those of
attention shares: a position's add up to one over the tokens, so that their mean over the tokens
says nothing. There each token's map is first divided by its sum over the positions; the map of
some tokens is then the mean of theirs, in either case.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor, nn

from remamber.plan.map_models import no_maps


@runtime_checkable
class SeesWords(Protocol):
    """A module that holds every position against every token.

    Attributes:
        shares: whether a position's values add up to one over the tokens.
    """

    shares: bool

    def interaction_map(
        self,
        image: Float[Tensor, "b c h w"],
        text: Float[Tensor, "b t d"],
        text_mask: Bool[Tensor, "b t"],
    ) -> Float[Tensor, "b t h w"]:
        """One map a token, from what the module's forward is given."""


class MapPlace(NamedTuple):
    """A module of one stage that has maps.

    Attributes:
        name: such as ``stage 3 layer 1``; without a layer where a stage has one such module.
        stage: from 1.
        path: of the module in the model.
    """

    name: str
    stage: int
    path: str


class TokenMaps(NamedTuple):
    """The maps of a batch at one place.

    Attributes:
        maps: one a token; those of shares divided by their sums over the positions.
        mask: which tokens are real.
    """

    maps: Float[Tensor, "b t h w"]
    mask: Bool[Tensor, "b t"]

    def mean(self, weights: Float[Tensor, "b t"]) -> Float[Tensor, "b h w"]:
        """The mean map of some tokens of each expression; zero where there is none.

        Args:
            weights: 1 for a token that takes part, 0 for another.
        """
        wanted = (weights * self.mask).to(self.maps.dtype)
        total = (self.maps * wanted[:, :, None, None]).sum(1)
        return total / wanted.sum(1).clamp_min(1.0)[:, None, None]


def map_places(model: nn.Module) -> tuple[MapPlace, ...]:
    """Every module of the model's fusions that has maps, stage by stage.

    Raises:
        UserError: none of them has any (exit 2).
    """
    found: list[MapPlace] = []
    stage = 0
    for path, module in model.named_modules():
        if not isinstance(getattr(module, "taps", None), Mapping):
            continue
        stage += 1
        own = [name for name, part in module.named_modules() if isinstance(part, SeesWords)]
        for layer, name in enumerate(own, start=1):
            suffix = f" layer {layer}" if len(own) > 1 else ""
            place = ".".join(filter(None, (path, name)))
            found.append(MapPlace(f"stage {stage}{suffix}", stage, place))
    if not found:
        spec = getattr(model, "spec", None)
        raise no_maps(" ".join(spec.words()) if spec is not None else type(model).__name__)
    return tuple(found)


@contextlib.contextmanager
def watching_maps(
    model: nn.Module, places: Sequence[MapPlace]
) -> Iterator[Callable[[], dict[str, TokenMaps]]]:
    """Hooks on some places for the length of a with-block; what the model computes stays the same.

    Yields:
        A function that hands over the maps of the last pass, by the places' names, and forgets
        them.
    """
    seen: dict[str, TokenMaps] = {}
    hooks = [model.get_submodule(p.path).register_forward_pre_hook(_hook(p, seen)) for p in places]
    try:
        yield lambda: _taken(seen)
    finally:
        for hook in hooks:
            hook.remove()


def _taken(seen: dict[str, TokenMaps]) -> dict[str, TokenMaps]:
    found = dict(seen)
    seen.clear()
    return found


def _hook(place: MapPlace, seen: dict[str, TokenMaps]) -> Callable[..., None]:
    def look(module: nn.Module, given: tuple[Any, ...]) -> None:
        if not isinstance(module, SeesWords):
            raise TypeError(f"{type(module).__name__} has no maps")
        image, text, mask = given[:3]
        maps = module.interaction_map(image, text, mask).float()
        if module.shares:
            maps = maps / maps.sum(dim=(2, 3), keepdim=True).clamp_min(1e-30)
        seen[place.name] = TokenMaps(maps, mask)

    return look
