"""What the globals in NumPy's pickles stand for: arrays of numbers, scalars, and their types.

An array is made empty and gets its state afterwards (`_reconstruct`, then BUILD), or at once from a
buffer (`_frombuffer`, protocol 5). The bytes are in the pickle itself; in protocols 0 to 2 Python 3
has them as text to be encoded in Latin-1.

Sources: numpy/core/src/multiarray/methods.c and descriptor.c (`__reduce__` and `__setstate__`),
numpy/core/numeric.py (`_frombuffer`); since NumPy 2, the same in `numpy._core`.
"""

import math

import numpy as np

from penult.checkpoints.base import Array
from penult.checkpoints.elements import MAX_DIMENSIONS
from penult.checkpoints.torch_objects import mapping
from penult.checkpoints.unpickle import MalformedError, Stateful, UnsupportedError
from penult.util.text import one_line

CODES = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")


class DType(Stateful):
    """A type of numbers; its state is the byte order."""

    def __init__(self, code: str) -> None:
        self.dtype = np.dtype(code)

    def set_state(self, state: object) -> None:
        """Take `(version, byte order, and what only structured types have)`."""
        if type(state) is not tuple or len(state) < 5 or any(it is not None for it in state[2:5]):
            raise MalformedError("the state of a type that isn't a number's")
        order = _text(state[1])
        if order not in ("<", ">", "|", "="):
            raise MalformedError("a byte order that is none")
        self.dtype = self.dtype.newbyteorder(order)


class PickledArray(Stateful):
    """An array, once it has its state; a read-only view of the pickle's bytes."""

    def __init__(self) -> None:
        self.array: Array | None = None

    def set_state(self, state: object) -> None:
        """Take `(version, shape, type, whether columns come first, bytes)`."""
        if type(state) is not tuple or len(state) != 5 or state[0] != 1:
            raise MalformedError("an array's state that isn't NumPy's")
        _, shape, dtype, fortran, content = state
        self.array = _array(content, dtype, shape, "F" if fortran else "C")


def _array(content: object, dtype: object, shape: object, order: object) -> Array:
    if not isinstance(dtype, DType) or not isinstance(content, bytes | bytearray):
        raise MalformedError("an array without type or bytes")
    if type(shape) is not tuple or len(shape) > MAX_DIMENSIONS or not all(map(_is_size, shape)):
        raise MalformedError("an array whose shape isn't a tuple of sizes")
    if len(content) != math.prod(shape) * dtype.dtype.itemsize:
        sizes = one_line(str(shape), 60)
        raise MalformedError(f"an array of shape {sizes} in {len(content)} bytes")
    array = np.frombuffer(content, dtype.dtype).reshape(shape, order="F" if order == "F" else "C")
    array.flags.writeable = False
    return array


def _is_size(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _text(value: object) -> object:
    """The str of Python 2 as one of today."""
    return value.decode("latin-1") if isinstance(value, bytes) else value


NDARRAY = object()  # `numpy.ndarray`, which is handed to others and never called


def reconstruct(kind: object, *_: object) -> PickledArray:
    """An array to be filled."""
    if kind is not NDARRAY:
        raise UnsupportedError("an array of a subclass isn't read; save it as a plain array")
    return PickledArray()


def from_buffer(content: object, dtype: object, shape: object, order: object) -> PickledArray:
    """An array of protocol 5."""
    pickled = PickledArray()
    pickled.array = _array(content, dtype, shape, order)
    return pickled


def scalar(dtype: object, content: object) -> PickledArray:
    """One number, as an array without dimensions."""
    return from_buffer(content, dtype, (), "C")


def dtype(code: object, *_: object) -> DType:
    """A type, by its code: "f4"."""
    code = _text(code)
    if not isinstance(code, str) or code not in CODES:
        raise UnsupportedError("an array of other things than real numbers isn't read")
    return DType(code)


def encode(text: object, encoding: object) -> bytes:
    """Bytes, as Python 3 writes them for Python 2."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise MalformedError("bytes that aren't a text in Latin-1")
    return text.encode("latin-1")


def no_bytes() -> bytes:
    """`bytes()`, as Python 3 writes it for Python 2."""
    return b""


NAMES: dict[tuple[str, str], object] = {
    **{
        (f"numpy.{core}.{module}", name): meaning
        for core in ("core", "_core")
        for module, name, meaning in (
            ("multiarray", "_reconstruct", reconstruct),
            ("multiarray", "scalar", scalar),
            ("numeric", "_frombuffer", from_buffer),
        )
    },
    ("numpy", "ndarray"): NDARRAY,
    ("numpy", "dtype"): dtype,
    ("_codecs", "encode"): encode,
    ("__builtin__", "bytes"): no_bytes,
    ("builtins", "bytes"): no_bytes,
    ("collections", "OrderedDict"): mapping,
}
