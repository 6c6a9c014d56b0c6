"""From images and expressions to a model's logits, in batches and without gradients."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from remamber.datasets import Image
from remamber.datasets._transforms import normalise, resize_image
from remamber.models import Segmenter
from remamber.plan.protocols import Protocol
from remamber.tasks._letterbox import letterboxed


def predicted_logits(
    model: Segmenter,
    images: Sequence[Image],
    texts: Sequence[str],
    *,
    size: int,
    protocol: Protocol,
) -> Float[Tensor, "b s s"]:
    """Logits of what each text names in its image, on the CPU; the model is left in its mode.

    Args:
        model: the model.
        images: uint8 ``h w 3`` at their own sizes.
        texts: as many expressions.
        size: s, side of the model's input.
        protocol: says how an image becomes a square.
    """
    square = letterboxed if protocol.fit == "letterbox" else resize_image
    pixels = normalise(np.stack([square(image, size) for image in images]))
    tokens = model.tokenizer(list(texts))
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        logits: Tensor = model(
            torch.from_numpy(pixels).to(device), tokens.ids.to(device), tokens.mask.to(device)
        )
    model.train(was_training)
    return logits[:, 0].float().cpu()
