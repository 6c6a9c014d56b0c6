"""What a task leaves for figures, as the content of one npz file."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def packed_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The npz that ``Outcome.arrays`` holds and ``table.arrays.read_arrays`` opens.

    Raises:
        ValueError: an array holds Python objects, which no reader would open.
    """
    if lost := [name for name, array in arrays.items() if array.dtype.hasobject]:
        raise ValueError(f"arrays of Python objects cannot be kept: {', '.join(lost)}")
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()
