"""TensorFlow's element types and shapes in protocol buffers, and values as V1 has them there.

Source: tensorflow/core/framework/types.proto, tensor_shape.proto, tensor.proto
"""

import math

import numpy as np
from numpy.typing import NDArray

from penult.checkpoints.base import Array
from penult.checkpoints.elements import is_possible, item_size, read_array
from penult.util.protobuf import MalformedError, Message

STRING = "string"  # its arrays hold bytes objects
NO_TENSORS = (20, 21)  # types of handles and objects in a running program; they have no values

TYPES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    7: STRING,
    8: "complex64",
    9: "int64",
    10: "bool",
    11: "qint8",
    12: "quint8",
    13: "qint32",
    14: "bfloat16",
    15: "qint16",
    16: "quint16",
    17: "uint16",
    18: "complex128",
    19: "float16",
    22: "uint32",
    23: "uint64",
    24: "float8_e5m2",
    25: "float8_e4m3fn",
}

_RAW = {"float32": 5, "float64": 6, "complex64": 9, "complex128": 12}  # type -> field
_STRINGS = 8  # field
_PACKED = {  # type -> field, and as which numbers the elements stand there
    **dict.fromkeys(("int32", "int16", "int8", "uint16", "uint8"), (7, None)),
    "int64": (10, None),
    "bool": (11, None),
    "float16": (13, "<u2"),
    "bfloat16": (13, "<u2"),
    "uint32": (16, None),
    "uint64": (17, None),
}


def element(dtype: str) -> str:
    """As which element type a type is read: quantised integers as what they are stored as."""
    return dtype.removeprefix("q")


def read_shape(message: Message) -> tuple[int, ...]:
    """The shape in a TensorShapeProto."""
    shape = tuple(dimension.number(1) for dimension in message.messages(2))
    if 3 in message or any(size < 0 for size in shape) or not is_possible(shape, "complex128"):
        raise MalformedError("no possible shape")
    return shape


def read_values(values: Message, dtype: str, shape: tuple[int, ...]) -> Array:
    """The array in a TensorProto, whose type and shape are told elsewhere."""
    count = math.prod(shape)
    if dtype == STRING:
        return strings([bytes(each) for each in values.contents(_STRINGS)], shape)
    name = element(dtype)
    if name in _RAW:
        content = values.content(_RAW[name])
        check_size(len(content), count * item_size(name))
        # Three of four of V1's tensors aren't aligned. A copy would take longer than the checksum
        # and as much memory again, and a network copies most weights anyway, to transpose them.
        return read_array(content, name, 0, shape, None, aligned=False)
    if name not in _PACKED:
        raise MalformedError(f"values of type {name}, which this format can't have")
    field, stored = _PACKED[name]
    numbers = _varints(values.content(field), count)
    narrow = numbers.astype(stored or np.dtype(name))
    if not np.array_equal(narrow.astype(np.uint64), numbers):
        raise MalformedError(f"a number that doesn't fit {name}")
    return read_array(narrow.data, name, 0, shape, None)


def strings(texts: list[bytes], shape: tuple[int, ...]) -> Array:
    """A read-only array of bytes objects."""
    check_size(len(texts), math.prod(shape), "texts")
    array = np.empty(len(texts), object)
    array[:] = texts
    array = array.reshape(shape)
    array.flags.writeable = False
    return array


def check_size(found: int, expected: int, what: str = "bytes") -> None:
    """Raise MalformedError unless a tensor has exactly what its type and shape need."""
    if found != expected:
        raise MalformedError(f"{found} {what} where shape and dtype need {expected}")


def _varints(content: memoryview, count: int) -> NDArray[np.uint64]:
    """The numbers that stand one after another, negative ones as those of 64 bits that they are."""
    raw = np.frombuffer(content, np.uint8)
    ends = np.flatnonzero(raw < 128) + 1
    check_size(len(ends), count, "numbers")
    check_size(len(raw), int(ends[-1]) if count else 0)
    if count == 0:
        return np.empty(0, np.uint64)
    starts = np.concatenate([[0], ends[:-1]])
    place = np.arange(len(raw)) - np.repeat(starts, ends - starts)
    if place.max() > 9 or np.any(raw[place == 9] > 1):
        raise MalformedError("a number of more than 64 bits")
    bits = (raw & 127).astype(np.uint64) << (7 * place).astype(np.uint64)
    return np.asarray(np.bitwise_or.reduceat(bits, starts), np.uint64)
