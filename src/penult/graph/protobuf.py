"""The little of Protocol Buffers that writing an ONNX model takes.

Encoding: https://protobuf.dev/programming-guides/encoding/
"""

import struct

VARINT, LENGTH, FIXED32 = 0, 2, 5  # wire types


def message(*fields: tuple[int, int | float | str | bytes]) -> bytes:
    """Encode (field number, value) pairs; a message within is given as its bytes."""
    return b"".join(_field(number, value) for number, value in fields)


def _field(number: int, value: int | float | str | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3 | VARINT) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | FIXED32) + struct.pack("<f", value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | LENGTH) + varint(len(content)) + content


def varint(value: int) -> bytes:
    """Encode an integer from 0 on, seven bits a byte, the lowest first."""
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
