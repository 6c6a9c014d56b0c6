"""What one call of a torch operator costs, in the three conventions that papers count by.

Three kinds of operator cost something. Products of matrices and convolutions: a multiplication
with its addition is 2 FLOPs, 1 MAC, and 1 in papers. Selective scans: see ``ops/_costs``. Norms
and resampling: nothing, but in papers what fvcore's ``FlopCountAnalysis`` adds for them. All
others must be known to cost nothing, or they are reported.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor
from torch._ops import OpOverload
from torch.utils.flop_counter import flop_registry

from remamber.ops._costs import scan_flops, scan_macs, scan_published

CONVENTION = "flops 2 mac, scan 7bldn+3bdl; macs scan 5bldn+2bdl; paper fvcore macs + 9bldn+bdl"
"""Named in every record: a count means nothing without it."""

SCAN = "selective scan"


class Cost(NamedTuple):
    """What calls of an operator cost.

    Attributes:
        calls: how many.
        flops: floating-point operations.
        macs: of products, multiplications with their additions; scans with such pairs as one.
        paper: what papers on Mamba call FLOPs.
    """

    calls: int = 0
    flops: int = 0
    macs: int = 0
    paper: int = 0

    def plus(self, other: "Cost") -> "Cost":
        """The cost of both."""
        return Cost(*(a + b for a, b in zip(self, other, strict=True)))


class Counted(NamedTuple):
    """One call: the operator's name for people, what it costs, whether that is known."""

    operator: str
    cost: Cost
    known: bool = True


_KINDS = {
    "remamber.linear": "linear map",
    "remamber.convolution_at_twice": "convolution",
    "aten.addmm": "linear map",
    "aten.mm": "linear map",
    "aten.bmm": "batched product",
    "aten.baddbmm": "batched product",
    "aten.convolution": "convolution",
}
"""By what torch calls a product. Which product a linear map becomes depends on the processor."""

_SCANS = ("remamber.selective_scan", "remamber.directional_scan")


def counted(
    operator: OpOverload, args: Sequence[Any], kwargs: Mapping[str, Any], out: object
) -> Counted | None:
    """What a call costs; None if it is known to cost nothing.

    Args:
        operator: as torch dispatched it.
        args: its arguments, of which only shapes are read.
        kwargs: its other arguments.
        out: its result.
    """
    packet = operator.overloadpacket
    name = str(packet)
    if name in FREE:
        return None
    if name in _SCANS:
        return Counted(SCAN, _scan(args[1].numel(), args[2].shape[1]))
    if packet in flop_registry:
        flops = int(flop_registry[packet](*args, **kwargs, out_val=out))
        return Counted(_KINDS.get(name, name), Cost(1, flops, flops // 2, flops // 2))
    if name in _PUBLISHED:
        kind, formula = _PUBLISHED[name]
        return Counted(kind, Cost(1, paper=formula(args, out)))
    return Counted(name, Cost(1), known=False)


def _scan(elements: int, states: int) -> Cost:
    formulas = (scan_flops, scan_macs, scan_published)
    return Cost(1, *(formula(elements, states) for formula in formulas))


def _norm(per_element: int, affine: int) -> Callable[[Sequence[Any], object], int]:
    """What fvcore estimates: by element of the input, one more with a scale.

    Args:
        per_element: without a scale.
        affine: place of the scale among the arguments.
    """

    def formula(args: Sequence[Any], out: object) -> int:
        elements: int = math.prod(args[0].shape)
        return elements * (per_element + (args[affine] is not None))

    return formula


def _resampled(args: Sequence[Any], out: object) -> int:
    return 4 * out.numel() if isinstance(out, Tensor) else 0


_PUBLISHED: dict[str, tuple[str, Callable[[Sequence[Any], object], int]]] = {
    "aten.native_layer_norm": ("layer norm", _norm(4, 2)),
    "aten.native_group_norm": ("group norm", _norm(4, 1)),
    "aten.native_batch_norm": ("batch norm", _norm(1, 1)),
    "aten._native_batch_norm_legit_no_training": ("batch norm", _norm(1, 1)),
    "aten.upsample_bilinear2d": ("resampling", _resampled),
}
"""What fvcore counts besides products, of a model that does not train."""

_LAYOUT = """
_reshape_alias _unsafe_view alias as_strided cat clone constant_pad_nd contiguous copy_ detach
expand flatten flip gather index index_select permute pixel_shuffle repeat reshape roll select
slice slice_scatter split split_with_sizes squeeze stack t transpose unbind unfold unsqueeze view
"""
_MAKING = """
_local_scalar_dense _to_copy arange device empty empty_like empty_strided eye fill_ full full_like
lift_fresh new_empty new_full new_ones new_zeros ones ones_like promote_types scalar_tensor
sym_size tril triu zeros zeros_like
"""
_ELEMENTWISE = """
abs add add_ bitwise_and bitwise_not bitwise_or clamp cos div div_ eq erf exp ge gelu gelu_ gt
hardswish hardtanh le leaky_relu log logical_and logical_not logical_or lt masked_fill masked_fill_
maximum minimum mul mul_ ne neg pow reciprocal relu relu_ remainder rsqrt rsub sigmoid silu silu_
sin softplus sqrt sub tanh where
"""
_REDUCING = """
_log_softmax _safe_softmax _softmax all amax amin any argmax argsort cumsum embedding max mean min
sort sum var
"""
FREE = frozenset(
    f"{library}.{name}"
    for names in (_LAYOUT, _MAKING, _ELEMENTWISE, _REDUCING)
    for name in names.split()
    for library in ("aten", "prim")
)
"""Operators that every convention counts as nothing: they move, make, map or add up elements."""
