"""Linear layers of the models: torch's own, with the product that is faster on this processor."""

from jaxtyping import Float
from torch import Tensor, nn

from remamber.ops import linear


class Linear(nn.Linear):
    """``nn.Linear`` with ``remamber.ops.linear``: the same parameters, start and results."""

    def forward(self, input: Float[Tensor, "*b i"]) -> Float[Tensor, "*b o"]:  # noqa: A002
        """Map the last axis."""
        return linear(input, self.weight, self.bias)
