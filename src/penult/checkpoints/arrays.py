"""Arrays of NumPy's own types from the bytes of a file, in either byte order."""

from mmap import mmap
from typing import Literal

import numpy as np

from penult.checkpoints.base import Array


def array_at(
    data: mmap,
    dtype: np.dtype[np.generic],
    offset: int,
    shape: tuple[int, ...],
    order: Literal["C", "F"] = "C",
) -> Array:
    """A read-only array of the bytes from `offset`, in this machine's byte order.

    A view of them if they are aligned, and of this byte order.
    """
    if 0 in shape:
        array: Array = np.empty(shape, dtype, order)  # may lie at the very end of the file
    else:
        array = np.ndarray(shape, dtype, data, offset, order=order)
    if dtype.kind == "b":
        array = np.asarray(np.not_equal(array.view(np.uint8), 0))  # may be any byte in the file
    elif not (dtype.isnative and array.flags.aligned):
        array = array.astype(dtype.newbyteorder("="), order="K")
    array.flags.writeable = False
    return array
