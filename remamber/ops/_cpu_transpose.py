"""Sixteen rows of sixteen float32 turned into columns, or each summed, by shuffles in registers.

In a channel's row the sequence is contiguous; the scans work on 16 channels side by side, so they
turn each tile on its way in and out. The four rounds of shuffles are those of an AVX-512 matrix
transpose: neighbours within 128 bits, then pairs, then 128-bit quarters twice.
"""

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils

from remamber.ops._cpu_vector import _FLOAT, _VECTOR, LANES, Lowered, _address, _shuffled, operation

_LOW = [i for lane in range(0, 16, 4) for i in (lane, lane + 16, lane + 1, lane + 17)]
_HIGH = [i + 2 for i in _LOW]
_LOW_PAIR = [i for lane in range(0, 16, 4) for i in (lane, lane + 1, lane + 16, lane + 17)]
_HIGH_PAIR = [i + 2 for i in _LOW_PAIR]
_EVEN = [base + i for base in (0, 8, 16, 24) for i in range(4)]
_ODD = [i + 4 for i in _EVEN]
"""Which lanes of two vectors a shuffle takes; from 16 on they are the second's."""
_PACKED, _ALIGNMENT = ir.Constant(ir.IntType(64), LANES), ir.Constant(ir.IntType(32), 4)


def _row(builder: Lowered, start: Lowered, pitch: Lowered, row: int) -> Lowered:
    at = builder.gep(start, [builder.mul(pitch, ir.Constant(pitch.type, row))])
    return builder.bitcast(at, ir.VectorType(_FLOAT, LANES).as_pointer())


def _rows_at(builder: Lowered, start: Lowered, pitch: Lowered) -> list[Lowered]:
    return [builder.load(_row(builder, start, pitch, i), align=4) for i in range(LANES)]


def _masks(builder: Lowered, rows: Lowered, columns: Lowered) -> list[Lowered]:
    """For each of 16 rows, which of its 16 elements are below both counts."""
    count = ir.VectorType(rows.type, LANES)
    numbers = ir.Constant(count, list(range(LANES)))
    single = builder.insert_element(
        ir.Constant(count, ir.Undefined), columns, ir.Constant(ir.IntType(32), 0)
    )
    there = builder.icmp_unsigned("<", numbers, _shuffled(builder, single, single, [0] * LANES))
    none = ir.Constant(ir.VectorType(ir.IntType(1), LANES), None)
    return [
        builder.select(builder.icmp_unsigned("<", ir.Constant(rows.type, i), rows), there, none)
        for i in range(LANES)
    ]


def _masked(builder: Lowered, kind: str, arguments: list[Lowered], result: Lowered) -> Lowered:
    signature = ir.FunctionType(result, [v.type for v in arguments])
    name = f"llvm.masked.{kind}.v16f32.p0"
    function = cgutils.get_or_insert_function(builder.module, signature, name)  # type: ignore[no-untyped-call]
    return builder.call(function, arguments)


def _pairs(builder: Lowered, rows: list[Lowered], distance: int, masks: Lowered) -> list[Lowered]:
    """Shuffle the rows that are ``distance`` apart by both masks, in place of the two."""
    out: list[Lowered] = [None] * LANES
    for i in range(LANES):
        if not i & distance:
            for j, mask in zip((i, i + distance), masks, strict=True):
                out[j] = _shuffled(builder, rows[i], rows[i + distance], mask)
    return out


def _turned(builder: Lowered, rows: list[Lowered]) -> list[Lowered]:
    for distance, masks in (
        (1, (_LOW, _HIGH)),
        (2, (_LOW_PAIR, _HIGH_PAIR)),
        (4, (_EVEN, _ODD)),
        (8, (_EVEN, _ODD)),
    ):
        rows = _pairs(builder, rows, distance, masks)
    # Within a quarter the first two rounds leave columns 0, 2, 1, 3.
    return [rows[(i & 12) + (i & 1) * 2 + (i >> 1 & 1)] for i in range(LANES)]


@operation
def transpose(
    context: Lowered,
    target: Lowered,
    to: Lowered,
    target_pitch: Lowered,
    source: Lowered,
    start: Lowered,
    source_pitch: Lowered,
) -> Lowered:
    """``target[to + j * target_pitch + i] = source[start + i * source_pitch + j]``, i, j < 16."""

    def lower(context: Lowered, builder: Lowered, signature: Lowered, args: Lowered) -> Lowered:
        begin = _address(context, builder, signature.args[3], args[3], args[4])
        end = _address(context, builder, signature.args[0], args[0], args[1])
        for i, vector in enumerate(_turned(builder, _rows_at(builder, begin, args[5]))):
            builder.store(vector, _row(builder, end, args[2], i), align=4)
        return context.get_dummy_value()

    at = types.uint64
    return types.void(target, at, at, source, at, at), lower


@operation
def transpose_in(
    context: Lowered,
    tile: Lowered,
    to: Lowered,
    source: Lowered,
    start: Lowered,
    pitch: Lowered,
    rows: Lowered,
    columns: Lowered,
) -> Lowered:
    """Turn so many rows and columns into a packed block, zero elsewhere; reads no others."""

    def lower(context: Lowered, builder: Lowered, signature: Lowered, args: Lowered) -> Lowered:
        begin = _address(context, builder, signature.args[2], args[2], args[3])
        end = _address(context, builder, signature.args[0], args[0], args[1])
        vector = ir.VectorType(_FLOAT, LANES)
        loaded = [
            _masked(
                builder,
                "load",
                [_row(builder, begin, args[4], i), _ALIGNMENT, mask, ir.Constant(vector, None)],
                vector,
            )
            for i, mask in enumerate(_masks(builder, args[5], args[6]))
        ]
        for i, turned in enumerate(_turned(builder, loaded)):
            builder.store(turned, _row(builder, end, _PACKED, i), align=4)
        return context.get_dummy_value()

    at = types.uint64
    return types.void(tile, at, source, at, at, at, at), lower


@operation
def transpose_out(
    context: Lowered,
    target: Lowered,
    to: Lowered,
    pitch: Lowered,
    tile: Lowered,
    start: Lowered,
    rows: Lowered,
    columns: Lowered,
) -> Lowered:
    """Turn a packed block into so many rows and columns; writes no others."""

    def lower(context: Lowered, builder: Lowered, signature: Lowered, args: Lowered) -> Lowered:
        begin = _address(context, builder, signature.args[3], args[3], args[4])
        end = _address(context, builder, signature.args[0], args[0], args[1])
        turned = _turned(builder, _rows_at(builder, begin, _PACKED))
        for i, mask in enumerate(_masks(builder, args[5], args[6])):
            slot = _row(builder, end, args[2], i)
            _masked(builder, "store", [turned[i], slot, _ALIGNMENT, mask], ir.VoidType())
        return context.get_dummy_value()

    at = types.uint64
    return types.void(target, at, at, tile, at, at, at), lower


@operation
def sum_each(context: Lowered, source: Lowered, start: Lowered) -> Lowered:
    """The sums of 16 vectors that lie one after another, as one vector in their order."""

    def lower(context: Lowered, builder: Lowered, signature: Lowered, args: Lowered) -> Lowered:
        begin = _address(context, builder, signature.args[0], *args)
        rows = _rows_at(builder, begin, _PACKED)
        for masks in ((_LOW, _HIGH), (_LOW_PAIR, _HIGH_PAIR), (_EVEN, _ODD), (_EVEN, _ODD)):
            rows = [
                builder.fadd(*(_shuffled(builder, a, b, mask) for mask in masks))
                for a, b in zip(rows[::2], rows[1::2], strict=True)
            ]
        return rows[0]

    return _VECTOR(source, types.uint64), lower
