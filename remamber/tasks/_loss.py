"""The training loss of the release: dice plus binary cross-entropy, weights 1:1."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


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
    """Dice plus mean binary cross-entropy, in float32 also under mixed precision."""
    logits = logits.float()
    return dice_loss(logits, target) + F.binary_cross_entropy_with_logits(logits, target)
