"""Residual sums that need no room of their own in inference."""

import torch
from torch import Tensor


def added(x: Tensor, branch: Tensor) -> Tensor:
    """``x + branch``; where no gradient is recorded it is written over ``branch``.

    Args:
        x: left as it is.
        branch: as large as the sum, made by the caller and read by nobody else.
    """
    if torch.is_grad_enabled() or branch.dtype is not x.dtype:
        return x + branch
    return branch.add_(x)
