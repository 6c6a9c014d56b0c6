"""The selective scan as mathematics: one public operator, one file for each implementation."""

from remamber.ops._contract import Backend
from remamber.ops.backends import (
    available_backends,
    backend_names,
    describe_backends,
    resolve_backend,
)
from remamber.ops.cross_scan import (
    cross_merge,
    cross_scan,
    cross_scan_each,
    two_way_merge,
    two_way_scan,
    two_way_scan_each,
)
from remamber.ops.selective_scan import selective_scan

__all__ = [
    "Backend",
    "available_backends",
    "backend_names",
    "cross_merge",
    "cross_scan",
    "cross_scan_each",
    "describe_backends",
    "resolve_backend",
    "selective_scan",
    "two_way_merge",
    "two_way_scan",
    "two_way_scan_each",
]
