"""Wide vectors for numba, whose last lanes may not exist: those of an image's last channels.

A wide vector is four AVX-512 registers or eight of AVX2, whose chains of arithmetic run side by
side; where few channels are left, a half of one does. Every function takes both: the last
argument, a vector too, says which.
"""

import functools

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core.cgutils import get_or_insert_function

from remamber.ops._cpu_directional import WIDE
from remamber.ops._cpu_vector import (
    _FLOAT,
    _INT,
    _VECTOR,
    LANES,
    Lowered,
    VectorType,
    _address,
    _shuffled,
    _splatting,
    operation,
)

HALF = WIDE // 2
_ALIGNMENT = ir.Constant(_INT, 4)
wide, half = (operation(_splatting(VectorType(lanes))) for lanes in (WIDE, HALF))
"""A scalar in every lane."""


def _register(kind: VectorType) -> Lowered:
    return ir.VectorType(_FLOAT, kind.lanes)


def _pointer(
    context: Lowered, builder: Lowered, kinds: Lowered, place: Lowered, register: Lowered
) -> Lowered:
    return builder.bitcast(_address(context, builder, kinds[0], *place), register.as_pointer())


def _below(builder: Lowered, count: Lowered, lanes: int) -> Lowered:
    """Which of the lanes come before ``count``."""
    numbers = ir.VectorType(_INT, lanes)
    blank = ir.Constant(numbers, ir.Undefined)
    single = builder.insert_element(blank, builder.trunc(count, _INT), ir.Constant(_INT, 0))
    limit = builder.shuffle_vector(single, blank, ir.Constant(numbers, [0] * lanes))
    return builder.icmp_unsigned("<", ir.Constant(numbers, list(range(lanes))), limit)


def _whole(builder: Lowered, count: Lowered, lanes: int) -> Lowered:
    return builder.icmp_unsigned("==", count, ir.Constant(count.type, lanes))


def _call(builder: Lowered, name: str, result: Lowered, args: list[Lowered]) -> Lowered:
    kind = ir.FunctionType(result, [arg.type for arg in args])
    function = get_or_insert_function(builder.module, kind, name)  # type: ignore[no-untyped-call]
    return builder.call(function, args)


@operation
def lanes_of(context: Lowered, like: Lowered) -> Lowered:
    """The number of a vector's lanes."""

    def lower(context: Lowered, builder: Lowered, signature: Lowered, args: Lowered) -> Lowered:
        return ir.Constant(ir.IntType(64), like.lanes)

    return types.uint64(like), lower


@operation
def load_lanes(context: Lowered, array: Lowered, at: Lowered, like: Lowered) -> Lowered:
    """Every lane, from ``at`` on."""

    def lower(context: Lowered, builder: Lowered, signature: Lowered, args: Lowered) -> Lowered:
        pointer = _pointer(context, builder, signature.args, args[:2], _register(like))
        return builder.load(pointer, align=4)

    return like(array, types.uint64, like), lower


@operation
def load_some(
    context: Lowered, array: Lowered, at: Lowered, count: Lowered, like: Lowered
) -> Lowered:
    """The first ``count`` lanes and zeros in the others; memory beyond is not touched."""

    def lower(context: Lowered, builder: Lowered, signature: Lowered, args: Lowered) -> Lowered:
        register = _register(like)
        pointer = _pointer(context, builder, signature.args, args[:2], register)
        with builder.if_else(_whole(builder, args[2], like.lanes)) as (every, some):
            with every:
                whole, from_every = builder.load(pointer, align=4), builder.block
            with some:
                zeros = ir.Constant(register, [0.0] * like.lanes)
                given = [pointer, _ALIGNMENT, _below(builder, args[2], like.lanes), zeros]
                part = _call(builder, f"llvm.masked.load.v{like.lanes}f32.p0", register, given)
                from_some = builder.block
        loaded = builder.phi(register)
        loaded.add_incoming(whole, from_every)
        loaded.add_incoming(part, from_some)
        return loaded

    return like(array, types.uint64, types.uint64, like), lower


@operation
def store_some(
    context: Lowered, array: Lowered, at: Lowered, count: Lowered, vector: Lowered
) -> Lowered:
    """Write the first ``count`` lanes; memory beyond is not touched."""

    def lower(context: Lowered, builder: Lowered, signature: Lowered, args: Lowered) -> Lowered:
        pointer = _pointer(context, builder, signature.args, args[:2], args[3].type)
        with builder.if_else(_whole(builder, args[2], vector.lanes)) as (every, some):
            with every:
                builder.store(args[3], pointer, align=4)
            with some:
                given = [args[3], pointer, _ALIGNMENT, _below(builder, args[2], vector.lanes)]
                name = f"llvm.masked.store.v{vector.lanes}f32.p0"
                _call(builder, name, ir.VoidType(), given)
        return context.get_dummy_value()

    return types.void(array, types.uint64, types.uint64, vector), lower


@operation
def fold(context: Lowered, vector: Lowered, count: Lowered) -> Lowered:
    """The sum of a vector's parts, as one of 16 lanes; lanes from ``count`` on are left out."""

    def lower(context: Lowered, builder: Lowered, signature: Lowered, args: Lowered) -> Lowered:
        zeros = ir.Constant(args[0].type, [0.0] * vector.lanes)
        # What lies in a lane that does not exist may be zero times infinity.
        kept = builder.select(_below(builder, args[1], vector.lanes), args[0], zeros)
        parts = [
            _shuffled(builder, kept, kept, range(first, first + LANES))
            for first in range(0, vector.lanes, LANES)
        ]
        return functools.reduce(builder.fadd, parts)

    return _VECTOR(vector, types.uint64), lower
