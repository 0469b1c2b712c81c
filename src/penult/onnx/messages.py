"""The messages that an ONNX model is made of.

Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from penult.util.protobuf import encode

DTYPES = {  # TensorProto.DataType -> name, bytes
    1: ("float32", 4),
    2: ("uint8", 1),
    3: ("int8", 1),
    4: ("uint16", 2),
    5: ("int16", 2),
    6: ("int32", 4),
    7: ("int64", 8),
    9: ("bool", 1),
    10: ("float16", 2),
    11: ("float64", 8),
    12: ("uint32", 4),
    13: ("uint64", 8),
    16: ("bfloat16", 2),
}
EXTERNAL = 1  # TensorProto.DataLocation
FLOAT_ATTRIBUTE, INT_ATTRIBUTE, INTS_ATTRIBUTE = 1, 2, 7  # AttributeProto.AttributeType
STRING_ATTRIBUTE = 3  # likewise

Attribute: TypeAlias = int | float | str | list[int]

MICROSOFT = "com.microsoft"  # the domain of ONNX Runtime's own operators
CONTRIBUTED = {"MultiHeadAttention", "RotaryEmbedding", "Gelu", "FastGelu", "QuickGelu"}  # its

CODES = {name: code for code, (name, _) in DTYPES.items()}


def node(op: str, inputs: Iterable[str], output: str, attributes: Mapping[str, Attribute]) -> bytes:
    """Apply an operator."""
    return encode(
        *((1, name) for name in inputs),
        (2, output),
        (4, op),
        *([(7, MICROSOFT)] if op in CONTRIBUTED else []),
        *((5, _attribute(name, value)) for name, value in attributes.items()),
    )


def tensor(name: str, shape: Sequence[int], dtype: str) -> bytes:
    """Begin an initializer; its numbers, or where they are, follow."""
    return encode(*((1, size) for size in shape), (2, CODES[dtype]), (8, name))


def external(name: str, shape: Sequence[int], dtype: str) -> bytes:
    """Name an initializer that the engine is given."""
    place = encode((1, "location"), (2, "given to the engine"))
    return tensor(name, shape, dtype) + encode((13, place), (14, EXTERNAL))


def located(
    name: str, shape: Sequence[int], dtype: str, file: str, offset: int, length: int
) -> bytes:
    """Name an initializer whose numbers lie in another file of the same folder."""
    entries = {"location": file, "offset": str(offset), "length": str(length)}
    places = ((13, encode((1, key), (2, value))) for key, value in entries.items())
    return tensor(name, shape, dtype) + encode(*places, (14, EXTERNAL))


def value_info(name: str, shape: Sequence[int | str], dtype: str = "float32") -> bytes:
    """State an input or output; a size that varies has a name."""
    sizes = (encode((1 if isinstance(size, int) else 2, size)) for size in shape)
    dimensions = encode(*((1, size) for size in sizes))
    return encode((1, name), (2, encode((1, encode((1, CODES[dtype]), (2, dimensions))))))


def opset(version: int, domain: str = "") -> bytes:
    """Choose the version of a domain's operators; ONNX's own have no name."""
    return encode((1, domain), (2, version))


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, str):
        return encode((1, name), (4, value), (20, STRING_ATTRIBUTE))
    if isinstance(value, int):
        return encode((1, name), (3, value % 2**64), (20, INT_ATTRIBUTE))
    if isinstance(value, float):
        return encode((1, name), (2, value), (20, FLOAT_ATTRIBUTE))
    return encode((1, name), *((8, each % 2**64) for each in value), (20, INTS_ATTRIBUTE))
