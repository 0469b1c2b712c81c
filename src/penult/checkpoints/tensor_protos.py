"""TensorFlow's element types and shapes in protocol buffers, and values as V1 has them there.

Source: tensorflow/core/framework/types.proto, tensor_shape.proto, tensor.proto
"""

import math

import numpy as np

from penult.checkpoints.base import Array
from penult.checkpoints.elements import MAX_DIMENSIONS, is_possible, item_size, read_array
from penult.util.protobuf import MalformedError, Message, unpacked

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
    shape = tuple(dimension.number(1) for dimension in message.messages(2, MAX_DIMENSIONS))
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
    narrow = _narrowed(values.content(field), np.dtype(stored or name), count)
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


def _narrowed(content: memoryview, dtype: np.dtype[np.generic], count: int) -> Array:
    """Numbers of a type that stand there as ones of 64 bits, negative ones too."""
    if count > len(content):  # each takes a byte at least
        check_size(len(content), count, "numbers")
    narrow, at = np.empty(count, dtype), 0
    for numbers in unpacked(content):
        piece = numbers[: count - at].astype(dtype)
        if not np.array_equal(piece.astype(np.uint64), numbers[: len(piece)]):
            raise MalformedError(f"a number that doesn't fit {dtype.name}")
        narrow[at : at + len(piece)] = piece
        at += len(numbers)
        if at > count:
            break
    check_size(at, count, "numbers")
    return narrow
