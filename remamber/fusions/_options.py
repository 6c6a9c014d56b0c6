"""A variant's options and its free width, as the spec has them."""

from collections.abc import Callable

from remamber.fusions import FusionShape
from remamber.fusions._budget import Build, fitted_width
from remamber.plan.fusion_options import Declared, resolved_options


def with_options(shape: FusionShape, declared: Declared) -> FusionShape:
    """The shape with every declared option in ``spec.options``, as chosen or by default.

    Raises:
        UserError: an option that is not declared, or a value that it cannot have.
    """
    chosen = resolved_options(shape.spec.name, shape.spec.options, declared=declared)
    return shape._replace(spec=shape.spec.model_copy(update={"options": chosen}))


def chosen_width(shape: FusionShape, build: Build, *, multiple: Callable[[int], int]) -> int:
    """The free width of a stage: the option ``width`` as a multiple of C, or fitted if it is 0.

    Args:
        shape: the stage, with the variant's options.
        build: see ``fitted_width``.
        multiple: of C; the width is a multiple of it.
    """
    asked = float(shape.spec.options["width"])
    if not asked:
        return fitted_width(shape, build, multiple=multiple)
    step = multiple(shape.channels)
    return max(1, round(asked * shape.channels / step)) * step
