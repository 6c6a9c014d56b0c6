"""The selective scan as mathematics: one public operator, one file for each implementation."""

from remamber.ops._contract import Backend
from remamber.ops.backends import (
    available_backends,
    backend_names,
    describe_backends,
    resolve_backend,
)
from remamber.ops.causal_conv1d import causal_conv1d
from remamber.ops.convolution_at_twice import by_products, convolution_at_twice
from remamber.ops.cross_scan import FOUR_WAYS, SPATIAL_DIRECTIONS, TWO_WAYS
from remamber.ops.directional_scan import directional_scan
from remamber.ops.fvcore_handles import fvcore_handles
from remamber.ops.linear import linear
from remamber.ops.selective_scan import selective_scan
from remamber.ops.state_space_duality import ssd_scan

__all__ = [
    "FOUR_WAYS",
    "SPATIAL_DIRECTIONS",
    "TWO_WAYS",
    "Backend",
    "available_backends",
    "backend_names",
    "by_products",
    "causal_conv1d",
    "convolution_at_twice",
    "describe_backends",
    "directional_scan",
    "fvcore_handles",
    "linear",
    "resolve_backend",
    "selective_scan",
    "ssd_scan",
]
