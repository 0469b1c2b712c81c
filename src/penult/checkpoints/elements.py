"""Element types: how the bytes of a tensor become an array."""

import math
from collections.abc import Callable
from functools import cache
from mmap import mmap
from typing import NamedTuple

import numpy as np

from penult.checkpoints.base import Array

MAX_DIMENSIONS = 64  # of NumPy, and of PyTorch


class Element(NamedTuple):
    """An element type: as which NumPy type it is stored, and how it becomes the one handed out."""

    stored: np.dtype[np.generic]
    convert: Callable[[Array], Array] | None = None


def _truth(raw: Array) -> Array:
    return np.not_equal(raw, 0)  # NumPy's bool may hold 0 and 1 only; files may hold any byte


def _bfloat16(raw: Array) -> Array:
    return (raw.astype(np.uint32) << 16).view(np.float32)  # the upper half of a float32


def _float8_e5m2(raw: Array) -> Array:
    return (raw.astype(np.uint16) << 8).view(np.float16).astype(np.float32)


def _float8_e4m3fn(raw: Array) -> Array:
    return _e4m3fn_values().take(raw)


@cache
def _e4m3fn_values() -> Array:
    """All 256 values of float8_e4m3fn (Micikevicius et al. 2022, arXiv:2209.05433, table 1)."""
    byte = np.arange(256)
    exponent, mantissa = byte >> 3 & 15, byte & 7
    size = np.where(
        exponent == 0, mantissa * 2.0**-9, (8 + mantissa) * 2.0 ** (exponent.astype(float) - 10)
    )
    size[byte & 127 == 127] = np.nan  # the only NaN; there is no infinity
    return np.copysign(size, np.where(byte < 128, 1.0, -1.0)).astype(np.float32)


def _plain(code: str) -> Element:
    return Element(np.dtype(code))


ELEMENTS = {
    "float64": _plain("<f8"),
    "float32": _plain("<f4"),
    "float16": _plain("<f2"),
    "bfloat16": Element(np.dtype("<u2"), _bfloat16),
    "float8_e4m3fn": Element(np.dtype("u1"), _float8_e4m3fn),
    "float8_e5m2": Element(np.dtype("u1"), _float8_e5m2),
    "int64": _plain("<i8"),
    "int32": _plain("<i4"),
    "int16": _plain("<i2"),
    "int8": _plain("i1"),
    "uint64": _plain("<u8"),
    "uint32": _plain("<u4"),
    "uint16": _plain("<u2"),
    "uint8": _plain("u1"),
    "bool": Element(np.dtype("u1"), _truth),
    "complex64": _plain("<c8"),
    "complex128": _plain("<c16"),
}


def item_size(name: str) -> int:
    """Bytes an element takes in the file."""
    return ELEMENTS[name].stored.itemsize


def is_possible(shape: tuple[int, ...], name: str) -> bool:
    """Whether NumPy can have an array of this shape at all."""
    return (
        len(shape) <= MAX_DIMENSIONS
        and math.prod(size for size in shape if size) * item_size(name) < 2**63
    )


def read_array(
    data: mmap | memoryview,
    name: str,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...] | None,
    *,
    aligned: bool = True,
) -> Array:
    """A read-only array of `data`'s bytes from `offset`; `strides` in bytes, None if contiguous.

    A copy only if the elements have to be converted, or if the array has to be `aligned` and
    wouldn't be.
    """
    stored, convert = ELEMENTS[name]
    if 0 in shape:
        array = np.empty(shape, stored)  # may lie at the very end of the file
    else:
        array = np.ndarray(shape, stored, data, offset, strides)
    if convert:
        array = np.asarray(convert(array))  # of 0 dimensions, NumPy makes a scalar
    elif aligned and not array.flags.aligned:
        array = array.copy(order="K")
    array.flags.writeable = False
    return array
