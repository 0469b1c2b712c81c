"""TensorFlow 1's `resize_bilinear`, to the last bit: no antialiasing, no half-pixel centres.

The kernel is tensorflow/core/kernels/resize_bilinear_op.cc with `align_corners=False`. A target
pixel at i lies at i * scale of the source, between two pixels along each side; it sees no others,
however much the image shrinks. That is why only the rows that are needed are ever read.
"""

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RGB: TypeAlias = Image.Image | NDArray[np.uint8]  # of mode RGB; (height, width, 3)
_BLOCK = 2**20  # pixels; more of a Pillow image take longer to copy than its rows one by one


class Taps(NamedTuple):
    """What is read along one side: a target pixel is lower + (upper - lower) * weight."""

    lower: NDArray[np.intp]
    upper: NDArray[np.intp]
    weight: NDArray[np.float32]


def taps(source: range, resized: int, targets: range) -> Taps:
    """Place `targets`, a part of the `resized` pixels that `source` is to become.

    >>> lower, upper, weight = taps(range(10, 13), resized=6, targets=range(2, 6))
    >>> lower.tolist(), upper.tolist(), weight.tolist()
    ([11, 11, 12, 12], [12, 12, 12, 12], [0.0, 0.5, 0.0, 0.5])
    """
    scale = np.float32(len(source)) / np.float32(resized)
    at = np.arange(targets.start, targets.stop).astype(np.float32) * scale
    lower = at.astype(np.intp)
    upper = np.minimum(lower + 1, len(source) - 1)
    return Taps(source.start + lower, source.start + upper, at - lower.astype(np.float32))


def resize(rgb: RGB, rows: Taps, columns: Taps, unit: float = 1) -> NDArray[np.float32]:
    """Interpolate x * unit, first along the rows, as the kernel does; (rows, columns, 3)."""
    needed, where = np.unique(np.concatenate([rows.lower, rows.upper]), return_inverse=True)
    first = columns.lower[0]
    strips = _strips(rgb, needed, int(first), int(columns.upper[-1]) + 1)
    left = strips.take(columns.lower - first, axis=1) * np.float32(unit)
    right = strips.take(columns.upper - first, axis=1) * np.float32(unit)
    across = _between(_flat(left), _flat(right), columns.weight.repeat(3))
    top, bottom = across[where[: len(rows.lower)]], across[where[len(rows.lower) :]]
    return _between(top, bottom, rows.weight[:, None]).reshape(len(top), -1, 3)


def _strips(rgb: RGB, rows: NDArray[np.intp], left: int, right: int) -> NDArray[np.uint8]:
    if not isinstance(rgb, Image.Image):
        return rgb[rows, left:right]
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    if (right - left) * (bottom - top) <= _BLOCK:
        return np.asarray(rgb.crop((left, top, right, bottom)))[rows - top]
    return np.concatenate([np.asarray(rgb.crop((left, y, right, y + 1))) for y in rows.tolist()])


def _flat(strips: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of numbers, along which NumPy is faster than along three colours."""
    return strips.reshape(len(strips), -1)


def _between(
    lower: NDArray[np.float32], upper: NDArray[np.float32], weight: NDArray[np.float32]
) -> NDArray[np.float32]:
    upper -= lower  # in place: it is a copy
    upper *= weight
    upper += lower
    return upper
