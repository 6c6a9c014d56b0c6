"""A trained model with some directions of its spatial scans silenced, to see what they carry."""

import copy
from collections.abc import Collection, Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from remamber.errors import UserError
from remamber.layers.dual_scan import DualSSM
from remamber.layers.spatial_scan import SpatialScan
from remamber.layers.ssm import SelectiveSSM
from remamber.models import Segmenter
from remamber.models._released_segmenter import ReleasedSegmenter
from remamber.plan.alterations import DIRECTION_BITS, Direction, ScanPlace


class Silence(nn.Module):
    """What is left of a scan whose every direction is silenced: nothing, not even its input."""

    def forward(self, u: Float[Tensor, "b h w d"]) -> Float[Tensor, "b h w d"]:
        """Zeros in the precision of a scan's output."""
        return torch.zeros_like(u, dtype=torch.promote_types(u.dtype, torch.float32))


def knocked_out(
    model: Segmenter, directions: Collection[Direction], *, place: ScanPlace = "model"
) -> Segmenter:
    """A copy of the model whose spatial scans add nothing for some of their directions.

    A silenced direction gives exactly zero, its skip connection ``D u`` included; the others and
    the norm after their sum run as they are. The channel scans have no part in it, nor has the
    scan of ``in-context``, which reads words and image as one sequence.

    Args:
        model: is left as it is.
        directions: at least one.
        place: whose spatial scans.

    Raises:
        UserError: there is no spatial scan there, or none that reads in such a direction.
    """
    silenced = copy.deepcopy(model)
    scans = list(_spatial_scans(silenced, place))
    if not scans:
        raise _nothing_to_silence(model, place)
    ways = {DIRECTION_BITS[name] for name in directions}
    known = {way for scan in scans for way in _ssm(scan).directions}
    for name in directions:
        if DIRECTION_BITS[name] not in known:
            raise _unknown_direction(name, known)
    for scan in scans:
        scan.ssm = _without(_ssm(scan), ways)
    return silenced


def _spatial_scans(model: Segmenter, place: ScanPlace) -> Iterator[SpatialScan]:
    for part in _parts(model, place):
        for module in part.modules():
            if isinstance(module, SpatialScan):
                yield module


def _parts(model: Segmenter, place: ScanPlace) -> list[nn.Module]:
    if place == "model":
        return [model]
    if not isinstance(model, ReleasedSegmenter):
        return model.parts().get(place, [])
    encoder = model.vision.encoder
    own: dict[ScanPlace, list[nn.Module]] = {
        "backbone": [encoder.blocks],
        "fusion": [encoder.fusions],
        "decoder": [model.vision.decoder],
    }
    return own[place]


def _ssm(scan: SpatialScan) -> SelectiveSSM | DualSSM:
    if isinstance(scan.ssm, SelectiveSSM | DualSSM):
        return scan.ssm
    raise TypeError(f"{type(scan.ssm).__name__} has no directions of its own")


def _without(ssm: SelectiveSSM | DualSSM, gone: Collection[int]) -> nn.Module:
    """The same state space model of the directions that are left, each with its own parameters."""
    ways = ssm.directions
    kept = [i for i, way in enumerate(ways) if way not in gone]
    if not kept:
        return Silence()
    short = copy.deepcopy(ssm)
    for name, parameter in list(short.named_parameters(recurse=False)):
        of_each = torch.unflatten(parameter.detach(), 0, (len(ways), -1))
        own = of_each[kept].flatten(0, 1)
        setattr(short, name, nn.Parameter(own, requires_grad=parameter.requires_grad))
    short.directions = tuple(ways[i] for i in kept)
    return short


def _nothing_to_silence(model: Segmenter, place: ScanPlace) -> UserError:
    where = "model" if place == "model" else f"{place} of the model"
    name = " ".join(model.spec.words())
    return UserError(
        f"the {where} '{name}' has no spatial scan that could be silenced",
        where=["the fusions 'twister', 'attention' and 'norm-adaptation', the backbone 'vmamba'"]
        + ["and the decoder 'mamba' have some"],
        fix=["--set evaluate.knock_out_in=model", "leave this row out with --only"],
        slug="no_spatial_scan",
    )


def _unknown_direction(name: Direction, known: Collection[int]) -> UserError:
    own = [way for way, bits in DIRECTION_BITS.items() if bits in known]
    return UserError(
        f"the model's spatial scans do not read the image along '{name}'",
        where=[f"they read  {', '.join(own)}"],
        fix=["leave this row out with --only"],
        slug="unknown_direction",
    )
