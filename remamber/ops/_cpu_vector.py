"""Vectors of float32 for numba: the few operations on LLVM's vector types that the scans need.

numba has no vector type, and what LLVM makes of a plain loop depends on its version and on what it
can prove of the arrays. A vector here is 16 lanes, one AVX-512 register or two of AVX2; a *quad*
is 64 lanes, four vectors worked side by side, so that one's latency hides behind the others'.

``+ - * /`` take vectors of one width and float32 scalars. Products and sums may fuse; nothing
else is reordered. ``absolute``, the comparisons and ``power_of_two`` take plain float32 too.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

LANES, QUAD = 16, 64
Vector: TypeAlias = Any
"""16 or 64 float32, or one float32 where a function takes both."""
Lowered: TypeAlias = Any
"""numba's and LLVM's own objects, which carry no types."""
_FUSING = ("contract", "nsz")
_FLOAT, _INT = ir.FloatType(), ir.IntType(32)


def operation(typer: Callable[..., Any]) -> Any:  # noqa: ANN401
    """The ``intrinsic`` of numba, which is annotated as if one called it with the context."""
    return intrinsic(typer)


class VectorType(types.Type):
    """numba's type of a vector with so many lanes."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        super().__init__(name=f"vector({lanes})")


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Lowered, kind: VectorType) -> None:
        super().__init__(manager, kind, ir.VectorType(_FLOAT, kind.lanes))  # type: ignore[no-untyped-call]


_VECTOR, _QUAD = VectorType(LANES), VectorType(QUAD)


def _widest(*kinds: Lowered) -> Lowered:
    """The vector among them, float32 where there is none; None if they do not go together."""
    vectors = {k for k in kinds if isinstance(k, VectorType)}
    if len(vectors) > 1 or any(k not in vectors and k != types.float32 for k in kinds):
        return None
    return vectors.pop() if vectors else types.float32


def _shuffled(builder: Lowered, a: Lowered, b: Lowered, lanes: Sequence[int]) -> Lowered:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_INT, len(lanes)), list(lanes)))


def _widened(builder: Lowered, value: Lowered, kind: Lowered, wanted: Lowered) -> Lowered:
    if kind == wanted:
        return value
    one = ir.VectorType(_FLOAT, wanted.lanes)
    single = builder.insert_element(ir.Constant(one, ir.Undefined), value, ir.Constant(_INT, 0))
    return _shuffled(builder, single, single, [0] * wanted.lanes)


def _integers(floats: Lowered, value: int) -> tuple[Lowered, Lowered]:
    """The integers as wide as these floats, and one of them in every lane."""
    if not isinstance(floats, ir.VectorType):
        return _INT, ir.Constant(_INT, value)
    kind = ir.VectorType(_INT, floats.count)
    return kind, ir.Constant(kind, [value] * floats.count)


def _register(function: Callable[..., Any], instruction: str) -> None:
    def typer(context: Lowered) -> Callable[..., Any]:
        def result(a: Lowered, b: Lowered) -> Lowered:
            wanted = _widest(a, b)
            return wanted if isinstance(wanted, VectorType) else None

        return result

    def lower(context: Lowered, builder: Lowered, signature: Lowered, args: Lowered) -> Lowered:
        wanted = signature.return_type
        pair = [_widened(builder, v, k, wanted) for v, k in zip(args, signature.args, strict=True)]
        return getattr(builder, instruction)(*pair, flags=_FUSING)

    type_callable(function)(typer)
    for kinds in ((VectorType, VectorType), (VectorType, types.Float), (types.Float, VectorType)):
        lower_builtin(function, *kinds)(lower)  # type: ignore[no-untyped-call]


for _operator, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _register(_operator, _instruction)


def _address(
    context: Lowered, builder: Lowered, kind: Lowered, array: Lowered, at: Lowered
) -> Lowered:
    if isinstance(kind, types.CPointer):
        return builder.gep(array, [at])
    return builder.gep(context.make_array(kind)(context, builder, array).data, [at])


def _loading(lanes: VectorType) -> Any:  # noqa: ANN401  (numba's own)
    def typed(context: Lowered, array: Lowered, at: Lowered) -> Lowered:
        def lower(context: Lowered, builder: Lowered, signature: Lowered, args: Lowered) -> Lowered:
            pointer = _address(context, builder, signature.args[0], *args)
            vector = ir.VectorType(_FLOAT, lanes.lanes)
            return builder.load(builder.bitcast(pointer, vector.as_pointer()), align=4)

        return lanes(array, types.uint64), lower

    return typed


@operation
def pointer_into(context: Lowered, array: Lowered, at: Lowered) -> Lowered:
    """The address of ``array[at]``: lighter to hand over than numba's counted arrays."""

    def lower(context: Lowered, builder: Lowered, signature: Lowered, args: Lowered) -> Lowered:
        return _address(context, builder, signature.args[0], *args)

    return types.CPointer(types.float32)(array, types.uint64), lower  # type: ignore[no-untyped-call]


load = operation(_loading(_VECTOR))
"""``load(array, at)``: the 16 elements from ``at`` on."""
load_quad = operation(_loading(_QUAD))
"""``load_quad(array, at)``: the 64 elements from ``at`` on."""


@operation
def store(context: Lowered, array: Lowered, at: Lowered, vector: Lowered) -> Lowered:
    """``store(array, at, vector)``, of either width."""

    def lower(context: Lowered, builder: Lowered, signature: Lowered, args: Lowered) -> Lowered:
        pointer = _address(context, builder, signature.args[0], *args[:2])
        builder.store(args[2], builder.bitcast(pointer, args[2].type.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(array, types.uint64, vector), lower


@operation
def multiply_add(context: Lowered, a: Lowered, b: Lowered, c: Lowered) -> Lowered:
    """A b + c in one step where the CPU has one: in a recurrence, which product waits matters."""
    wanted = _widest(a, b, c)

    def lower(context: Lowered, builder: Lowered, signature: Lowered, args: Lowered) -> Lowered:
        wide = [_widened(builder, v, k, wanted) for v, k in zip(args, signature.args, strict=True)]
        kind = wide[0].type
        name = f"llvm.fmuladd.v{kind.count}f32"
        called = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
            builder.module, ir.FunctionType(kind, [kind] * 3), name
        )
        return builder.call(called, wide)

    return wanted(a, b, c), lower


def _splatting(kind: VectorType) -> Any:  # noqa: ANN401
    def typed(context: Lowered, value: Lowered) -> Lowered:
        def lower(context: Lowered, builder: Lowered, signature: Lowered, args: Lowered) -> Lowered:
            return _widened(builder, args[0], types.float32, kind)

        return kind(types.float32), lower

    return typed


splat, splat_quad = operation(_splatting(_VECTOR)), operation(_splatting(_QUAD))
"""A scalar in every lane."""


@operation
def repeat(context: Lowered, vector: Lowered) -> Lowered:
    """A vector four times over, as a quad."""

    def lower(context: Lowered, builder: Lowered, signature: Lowered, args: Lowered) -> Lowered:
        return _shuffled(builder, args[0], args[0], [*range(LANES)] * (QUAD // LANES))

    return _QUAD(_VECTOR), lower


@operation
def split(context: Lowered, quad: Lowered) -> Lowered:
    """A quad as its four vectors."""
    four = types.UniTuple(_VECTOR, QUAD // LANES)  # type: ignore[no-untyped-call]

    def lower(context: Lowered, builder: Lowered, signature: Lowered, args: Lowered) -> Lowered:
        parts = [
            _shuffled(builder, args[0], args[0], range(first, first + LANES))
            for first in range(0, QUAD, LANES)
        ]
        return context.make_tuple(builder, four, parts)

    return four(_QUAD), lower


def _choosing(test: str) -> Any:  # noqa: ANN401
    """Select by an ordered comparison, so that a NaN in the first argument is kept."""

    def typed(context: Lowered, x: Lowered, bound: Lowered) -> Lowered:
        kind = _widest(x, types.float32)

        def lower(context: Lowered, builder: Lowered, signature: Lowered, args: Lowered) -> Lowered:
            limit = _widened(builder, args[1], types.float32, kind)
            return builder.select(builder.fcmp_ordered(test, limit, args[0]), limit, args[0])

        return kind(kind, types.float32), lower

    return typed


at_least, at_most = operation(_choosing(">")), operation(_choosing("<"))
"""``at_least(x, bound)``, ``at_most(x, bound)``: x where it is NaN."""


@operation
def absolute(context: Lowered, x: Lowered) -> Lowered:
    """|x|, lane by lane."""

    def lower(context: Lowered, builder: Lowered, signature: Lowered, args: Lowered) -> Lowered:
        bits, but_sign = _integers(args[0].type, 0x7FFFFFFF)
        return builder.bitcast(builder.and_(builder.bitcast(args[0], bits), but_sign), args[0].type)

    return x(x), lower


@operation
def where_positive(context: Lowered, x: Lowered, yes: Lowered, no: Lowered) -> Lowered:
    """``yes`` where x > 0, else ``no``, also where x is NaN."""

    def lower(context: Lowered, builder: Lowered, signature: Lowered, args: Lowered) -> Lowered:
        wanted = signature.args[0]
        zero = _widened(builder, ir.Constant(_FLOAT, 0.0), types.float32, wanted)
        chosen = _widened(builder, args[1], types.float32, wanted)
        return builder.select(builder.fcmp_ordered(">", args[0], zero), chosen, args[2])

    return x(x, types.float32, x), lower


@operation
def power_of_two(context: Lowered, k: Lowered) -> Lowered:
    """2^n from the float whose lowest nine bits are n + 127: shifted into the exponent."""

    def lower(context: Lowered, builder: Lowered, signature: Lowered, args: Lowered) -> Lowered:
        bits, by = _integers(args[0].type, 23)
        return builder.bitcast(builder.shl(builder.bitcast(args[0], bits), by), args[0].type)

    return k(k), lower
