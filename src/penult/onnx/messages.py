"""The messages that an ONNX model is made of.

Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from penult.util.protobuf import encode

FLOAT, EXTERNAL = 1, 1  # TensorProto.DataType, TensorProto.DataLocation
FLOAT_ATTRIBUTE, INT_ATTRIBUTE, INTS_ATTRIBUTE = 1, 2, 7  # AttributeProto.AttributeType

Attribute: TypeAlias = int | float | list[int]


def node(op: str, inputs: Iterable[str], output: str, attributes: Mapping[str, Attribute]) -> bytes:
    """Apply an operator."""
    return encode(
        *((1, name) for name in inputs),
        (2, output),
        (4, op),
        *((5, _attribute(name, value)) for name, value in attributes.items()),
    )


def tensor(name: str, shape: Sequence[int]) -> bytes:
    """Begin an initializer of float32; its numbers, or where they are, follow."""
    return encode(*((1, size) for size in shape), (2, FLOAT), (8, name))


def external(name: str, shape: Sequence[int]) -> bytes:
    """Name an initializer of float32 that the engine is given."""
    place = encode((1, "location"), (2, "given to the engine"))
    return tensor(name, shape) + encode((13, place), (14, EXTERNAL))


def value_info(name: str, shape: Sequence[int | str]) -> bytes:
    """State a float32 input or output; a size that varies has a name."""
    sizes = (encode((1 if isinstance(size, int) else 2, size)) for size in shape)
    dimensions = encode(*((1, size) for size in sizes))
    return encode((1, name), (2, encode((1, encode((1, FLOAT), (2, dimensions))))))


def opset(version: int) -> bytes:
    """Choose the version of ONNX's own operators."""
    return encode((1, ""), (2, version))


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, int):
        return encode((1, name), (3, value), (20, INT_ATTRIBUTE))
    if isinstance(value, float):
        return encode((1, name), (2, value), (20, FLOAT_ATTRIBUTE))
    return encode((1, name), *((8, each % 2**64) for each in value), (20, INTS_ATTRIBUTE))
