"""The wire format of Protocol Buffers, as far as checkpoints and ONNX models take it.

A message is read as its fields by number, of which each is a number or bytes; what the numbers mean
and which are left aside is the caller's business. A field is believed only where its length fits.
Encoding: https://protobuf.dev/programming-guides/encoding/
"""

import struct
from collections.abc import Iterator
from mmap import mmap

import numpy as np
from numpy.typing import NDArray

from penult.util.budget import Budget

MAX_FIELDS = 100_000  # in a message; one that lists a network of 1000 variables has 1001
MAX_ALL_FIELDS = 1_000_000  # in a message and those in it; an ONNX file of 3000 nodes has 100,000
MAX_NAME = 4096  # bytes; the longest names seen in real files are under 200

_PIECE = 1 << 16  # bytes of packed numbers that are read at once

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5  # wire types; 3 and 4 are groups, which nobody writes
_FIXED = {FIXED64: 8, FIXED32: 4}  # bytes


class MalformedError(Exception):
    """These bytes aren't what a writer would have written; says why."""


def encode(*fields: tuple[int, int | float | str | bytes]) -> bytes:
    """Write (field number, value) pairs; a message within is given as its bytes."""
    return b"".join(_field(number, value) for number, value in fields)


def encode_varint(value: int) -> bytes:
    """Write an integer from 0 on, seven bits a byte, the lowest first."""
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def opening(number: int, length: int) -> bytes:
    """Write what comes before the content of a field of `length` bytes."""
    return encode_varint(number << 3 | LENGTH) + encode_varint(length)


def varint(data: memoryview | mmap, at: int) -> tuple[int, int]:
    """Read the number from 0 to 2**64 - 1 that begins at `at`, and where it ends."""
    if at < len(data) and data[at] < 128:
        return data[at], at + 1
    value = 0
    for length, byte in enumerate(data[at : at + 10]):
        value |= (byte & 127) << 7 * length
        if byte < 128 and value < 2**64:
            return value, at + length + 1
    raise MalformedError("a number that doesn't end")


class Message:
    """The fields of a message, by number.

    Args:
        data: The message.
        budget: Counts the fields of this message and of those in it; one of `fields_budget` by
            default, and of a whole file where its messages are read one by one.
        most: Fields of this message, and of each in it: a field takes 200 bytes.

    Attributes:
        encoded: All of the message, as it was given.

    Raises:
        MalformedError: As do all methods, if there is something else than was asked for.
    """

    def __init__(
        self, data: memoryview, budget: Budget | None = None, most: int = MAX_FIELDS
    ) -> None:
        self._fields: dict[int, list[int | memoryview]] = {}
        self.encoded = data
        self._budget = budget or fields_budget()
        self._most = most
        own = Budget(most, "fields in a message", MalformedError)
        at = 0
        while at < len(data):
            self._budget.spend()
            own.spend()
            tag, at = varint(data, at)
            value, at = _value(data, at, tag & 7)
            self._fields.setdefault(tag >> 3, []).append(value)

    def __contains__(self, field: int) -> bool:
        return field in self._fields

    def number(self, field: int) -> int:
        """A number, as the signed one of 64 bits that it is in every message here; 0 if absent."""
        value = self._single(field, 0)
        if not isinstance(value, int):
            raise MalformedError(f"field {field} isn't a number")
        return _to_signed(value)

    def numbers(self, field: int, most: int = MAX_FIELDS) -> list[int]:
        """Numbers of a field that may be there so many times, packed or one by one."""
        found: list[int] = []
        for value in self._fields.get(field, []):
            packed = [value] if isinstance(value, int) else _unpack(value, most - len(found))
            self._budget.spend(len(packed))
            found += packed
        if len(found) > most:
            raise MalformedError(f"field {field} with more than {most} numbers")
        return [_to_signed(value) for value in found]

    def unpacked(self, field: int) -> Iterator[NDArray[np.uint64]]:
        """The same for any number of numbers, piece by piece; negative ones plus 2**64."""
        for value in self._fields.get(field, []):
            if isinstance(value, int):
                yield np.array([value], np.uint64)
            else:
                yield from unpacked(value)

    def content(self, field: int) -> memoryview:
        """The bytes of a field, none if absent."""
        value = self._single(field, memoryview(b""))
        if isinstance(value, int):
            raise MalformedError(f"field {field} isn't bytes")
        return value

    def contents(self, field: int) -> list[memoryview]:
        """The bytes of a field that may be there any number of times."""
        values = self._fields.get(field, [])
        found = [value for value in values if isinstance(value, memoryview)]
        if len(found) < len(values):
            raise MalformedError(f"field {field} isn't bytes")
        return found

    def message(self, field: int) -> "Message":
        """The message in a field, one without fields if absent."""
        return Message(self.content(field), self._budget, self._most)

    def messages(self, field: int, most: int = MAX_FIELDS) -> Iterator["Message"]:
        """The messages in a field that may be there so many times, each read when it is its turn.

        Those that were read aren't kept, so that what they take is free for the next.
        """
        contents = self.contents(field)
        if len(contents) > most:
            raise MalformedError(f"field {field} more than {most} times")
        return (Message(content, self._budget, self._most) for content in contents)

    def name(self, field: int) -> str:
        """The text of a field that is no longer than a name."""
        return text(self.content(field))

    def names(self, field: int) -> list[str]:
        """The texts of a field that may be there any number of times."""
        return [text(content) for content in self.contents(field)]

    def _single(self, field: int, default: int | memoryview) -> int | memoryview:
        values = self._fields.get(field, [default])
        if len(values) > 1:
            raise MalformedError(f"field {field} more than once")
        return values[0]


def fields_budget(most: int = MAX_ALL_FIELDS) -> Budget:
    """A budget for messages that are read as one."""
    return Budget(most, "fields", MalformedError)


def text(content: memoryview | bytes) -> str:
    """A name that stands in a message."""
    if len(content) > MAX_NAME:
        raise MalformedError(f"a name of {len(content)} bytes")
    try:
        return bytes(content).decode()
    except UnicodeDecodeError as exc:
        raise MalformedError("a name that isn't UTF-8") from exc


def unpacked(packed: memoryview) -> Iterator[NDArray[np.uint64]]:
    """The numbers that stand one after another, a piece at a time lest they fill the memory."""
    raw, at = np.frombuffer(packed, np.uint8), 0
    while at < len(raw):
        piece = raw[at : at + _PIECE]
        ends = np.flatnonzero(piece < 128) + 1
        if not len(ends):
            raise MalformedError("a number that doesn't end")
        yield _combined(piece[: ends[-1]], ends)
        at += int(ends[-1])


def _combined(raw: NDArray[np.uint8], ends: NDArray[np.intp]) -> NDArray[np.uint64]:
    """The numbers in some bytes, each with the place where it ends."""
    if len(ends) == len(raw):
        return raw.astype(np.uint64)
    starts = np.concatenate([[0], ends[:-1]])
    place = np.arange(len(raw)) - np.repeat(starts, ends - starts)
    if place.max() > 9 or np.any(raw[place == 9] > 1):
        raise MalformedError("a number of more than 64 bits")
    bits = (raw & 127).astype(np.uint64) << (7 * place).astype(np.uint64)
    return np.asarray(np.bitwise_or.reduceat(bits, starts), np.uint64)


def _field(number: int, value: int | float | str | bytes) -> bytes:
    if isinstance(value, int):
        return encode_varint(number << 3 | VARINT) + encode_varint(value)
    if isinstance(value, float):
        return encode_varint(number << 3 | FIXED32) + struct.pack("<f", value)
    content = value.encode() if isinstance(value, str) else value
    return opening(number, len(content)) + content


def _value(data: memoryview, at: int, wire_type: int) -> tuple[int | memoryview, int]:
    if wire_type == VARINT:
        return varint(data, at)
    if wire_type in _FIXED:
        size = _FIXED[wire_type]
    elif wire_type == LENGTH:
        size, at = varint(data, at)
    else:
        raise MalformedError(f"wire type {wire_type}, which isn't used")
    if size > len(data) - at:
        raise MalformedError(f"a field of {size} bytes where {len(data) - at} are left")
    piece = data[at : at + size]
    value = int.from_bytes(piece, "little") if wire_type in _FIXED else piece
    return value, at + size


def _unpack(packed: memoryview, most: int) -> list[int]:
    at, found = 0, list[int]()
    while at < len(packed) and len(found) <= most:
        value, at = varint(packed, at)
        found.append(value)
    return found


def _to_signed(value: int) -> int:
    return value if value < 2**63 else value - 2**64
