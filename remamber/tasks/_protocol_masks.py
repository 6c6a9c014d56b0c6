"""What a named protocol compares: the mask that logits mean, and the target at the same size."""

import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from remamber.datasets import DataPlace, Mask, Referent, ReferringDataset, open_dataset
from remamber.datasets._transforms import resize_mask
from remamber.plan.protocols import Protocol
from remamber.plan.spec import DataSpec
from remamber.tasks._letterbox import taken_back


def predicted_mask(
    logits: Float[Tensor, "s s"], protocol: Protocol, *, shape: tuple[int, int]
) -> Mask:
    """The mask that a protocol reads from a model's logits.

    Args:
        logits: at the resolution of the model's input.
        protocol: where and how it compares.
        shape: height and width of the image, pixels.
    """
    values, cut = logits, math.log(protocol.threshold / (1 - protocol.threshold))
    if protocol.resized == "probabilities":
        values, cut = torch.sigmoid(logits), protocol.threshold
    if protocol.fit == "letterbox":
        values = taken_back(values, shape=shape)
    else:
        side = protocol.scored_size
        values = _resized(values, protocol, size=shape if side is None else (side, side))
    mask: Mask = (values > cut).numpy()
    return mask


def _resized(
    values: Float[Tensor, "s s"], protocol: Protocol, *, size: tuple[int, int]
) -> Float[Tensor, "h w"]:
    if protocol.resize == "nearest":
        # The release leaves torch its default, which keeps the upper left of a pixel.
        return F.interpolate(values[None, None], size=size, mode="nearest")[0, 0]
    corners = protocol.resize == "bicubic-corners"
    mode = "bicubic" if corners else "bilinear"
    return F.interpolate(values[None, None], size=size, mode=mode, align_corners=corners)[0, 0]


class Targets:
    """The targets of refs as protocols want them; those of the last ref are kept.

    Args:
        datasets: the data set opened by each mask rule that is asked for.
        own_rule: the rule of the data's spec, for protocols that name none.
    """

    def __init__(self, datasets: Mapping[str, ReferringDataset], *, own_rule: str) -> None:
        self._datasets, self._own_rule = datasets, own_rule
        self._ref_id: int | None = None
        self._kept: dict[tuple[str, int | None], Mask] = {}

    def at_image_size(self, ref: Referent, rule: str | None = None) -> Mask:
        """The target, bool ``h w`` at the image's size.

        Raises:
            UserError: an annotation describes no mask, or one of another size (exit 6).
        """
        return self._once(ref, rule or self._own_rule, None)

    def of(self, ref: Referent, protocol: Protocol) -> Mask:
        """The target at the size on which the protocol compares.

        Raises:
            UserError: an annotation describes no mask, or one of another size (exit 6).
        """
        return self._once(ref, protocol.mask_rule or self._own_rule, protocol.scored_size)

    def _once(self, ref: Referent, rule: str, side: int | None) -> Mask:
        if ref.ref_id != self._ref_id:
            self._ref_id, self._kept = ref.ref_id, {}
        if (rule, side) not in self._kept:
            if side is None:
                mask = self._datasets[rule].mask(ref)
            else:
                mask = resize_mask(self._once(ref, rule, None), side)
            self._kept[rule, side] = mask
        return self._kept[rule, side]


def open_targets(
    spec: DataSpec, place: DataPlace, *, dataset: ReferringDataset, protocols: Sequence[Protocol]
) -> Targets:
    """The targets of a data set that is open by its spec's rule; opened again for another rule.

    Raises:
        UserError: the data cannot be read again.
    """
    opened: dict[str, ReferringDataset] = {spec.mask_rule: dataset}
    for protocol in protocols:
        rule = protocol.mask_rule
        if rule is not None and rule not in opened:
            opened[rule] = open_dataset(spec.model_copy(update={"mask_rule": rule}), place)
    return Targets(opened, own_rule=spec.mask_rule)
