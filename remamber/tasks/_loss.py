"""The training losses: the release's, and the baseline's two."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

Loss = Callable[[Float[Tensor, "b 1 s s"], Float[Tensor, "b 1 s s"]], Float[Tensor, ""]]

_BACKGROUND, _TARGET = 0.9, 1.1
"""Weights of LAVT's two classes."""


def dice_loss(
    logits: Float[Tensor, "b 1 s s"], target: Float[Tensor, "b 1 s s"]
) -> Float[Tensor, ""]:
    """1 - (2 sum(p t) + 1) / (sum p + sum t + 1) for each sample, mean over the batch."""
    p, t = logits.sigmoid().flatten(1), target.flatten(1)
    overlap = 2 * (p * t).sum(1)
    loss: Tensor = 1 - (overlap + 1) / (p.sum(1) + t.sum(1) + 1)
    return loss.mean()


def segmentation_loss(
    logits: Float[Tensor, "b 1 s s"], target: Float[Tensor, "b 1 s s"]
) -> Float[Tensor, ""]:
    """The release's, dice plus mean binary cross-entropy, 1:1; float32 under mixed precision."""
    logits = logits.float()
    return dice_loss(logits, target) + F.binary_cross_entropy_with_logits(logits, target)


def class_weighted_loss(
    logits: Float[Tensor, "b 1 s s"], target: Float[Tensor, "b 1 s s"]
) -> Float[Tensor, ""]:
    """LAVT's: cross-entropy of background and target, weights 0.9 and 1.1, their weighted mean.

    The logits are the target's less the background's, from which both classes follow.
    """
    weight = _BACKGROUND + (_TARGET - _BACKGROUND) * target
    each = F.binary_cross_entropy_with_logits(logits.float(), target, reduction="none")
    loss: Tensor = (weight * each).sum() / weight.sum()
    return loss


def two_class_dice_loss(
    logits: Float[Tensor, "b 1 s s"], target: Float[Tensor, "b 1 s s"]
) -> Float[Tensor, ""]:
    """Mean of the target's and the background's Dice, for LAVT's second model.

    Of that model's loss only the kind is known; smoothing and mean are those of ``dice_loss``.
    """
    logits = logits.float()
    return (dice_loss(logits, target) + dice_loss(-logits, 1 - target)) / 2


LOSSES: dict[str, Loss] = {
    "dice-bce": segmentation_loss,
    "lavt": class_weighted_loss,
    "lavt-dice": two_class_dice_loss,
}
"""By name in the spec; each takes the logits of any model."""
