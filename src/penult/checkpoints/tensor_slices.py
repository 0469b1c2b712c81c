"""Partitioned variables in TensorFlow's checkpoints: slices that are tensors of their own.

A slice is told by where it begins in each dimension, and how far it goes: -1 is all of it. What a
slice holds stands under a key made of the variable's name and these numbers, encoded such that keys
sort as the names and numbers do. Only partitions along one dimension are read, as `tf.get_variable`
with a partitioner makes them.
Source: tensorflow/core/util/saved_tensor_slice_util.cc, tensorflow/core/lib/strings/ordered_code.cc
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from penult.checkpoints.base import Array
from penult.checkpoints.elements import MAX_DIMENSIONS
from penult.util.protobuf import MalformedError, Message

ALL = -1  # in place of a length
Slice = tuple[tuple[int, int], ...]  # for each dimension, start and length

MAX_SLICES = 10_000  # of a variable


class Partition(NamedTuple):
    """The slices of a variable in their order along an axis, with their shapes."""

    axis: int
    slices: tuple[tuple[Slice, tuple[int, ...]], ...]


def read_slice(message: Message) -> Slice:
    """The slice in a TensorSliceProto."""
    extents = message.messages(1, MAX_DIMENSIONS)
    return tuple((it.number(1), it.number(2) if 2 in it else ALL) for it in extents)


def partition(shape: tuple[int, ...], slices: Sequence[Slice]) -> Partition:
    """Bring slices into their order, if they are a variable of this shape, whole and once.

    Raises:
        MalformedError: They overlap, leave something out, or aren't along one dimension.
    """
    if len(slices) > MAX_SLICES:
        raise MalformedError(f"more than {MAX_SLICES} slices")
    places = [_place(shape, each) for each in slices]
    axes = {axis for place in places for axis in _cut_axes(shape, place)}
    if len(axes) > 1:
        raise MalformedError("slices along more than one dimension")
    axis = min(axes, default=0)
    ordered = sorted(zip(places, slices, strict=True), key=lambda pair: pair[0][axis : axis + 1])
    at = 0
    for place, _ in ordered if axes else ():
        if place[axis][0] != at:
            raise MalformedError("slices that overlap or leave a hole")
        at = place[axis][1]
    if at != shape[axis] if axes else len(slices) != 1:
        raise MalformedError("slices that aren't the whole")
    return Partition(
        axis, tuple((each, tuple(end - start for start, end in place)) for place, each in ordered)
    )


def joined(parts: Sequence[Array], axis: int) -> Array:
    """The variable that consists of these slices along an axis; a single one is the variable."""
    if len(parts) == 1:
        return parts[0]
    array = np.concatenate(parts, axis)
    array.flags.writeable = False
    return array


def slice_key(name: str, where: Slice) -> bytes:
    """The key under which a slice of a variable stands."""
    numbers = [number for extent in where for number in extent]
    rank = bytes([1, len(where)]) if where else b"\0"  # how many bytes, then these
    return b"".join((b"\0", _ordered_text(name), rank, *map(_ordered_number, numbers)))


def _place(shape: tuple[int, ...], where: Slice) -> list[tuple[int, int]]:
    """Start and end of a slice in each dimension."""
    if len(where) != len(shape):
        raise MalformedError(f"a slice of {len(where)} dimensions where there are {len(shape)}")
    place = [
        (start, size if length == ALL else start + length)
        for (start, length), size in zip(where, shape, strict=True)
    ]
    if not all(0 <= start <= end <= size for (start, end), size in zip(place, shape, strict=True)):
        raise MalformedError("a slice that isn't inside the variable")
    return place


def _cut_axes(shape: tuple[int, ...], place: list[tuple[int, int]]) -> list[int]:
    return [axis for axis, size in enumerate(shape) if place[axis] != (0, size)]


def _ordered_text(text: str) -> bytes:
    return text.encode().replace(b"\xff", b"\xff\0").replace(b"\0", b"\0\xff") + b"\0\1"


def _ordered_number(number: int) -> bytes:
    r"""As many bytes as there are leading bits that differ from the sign; then the number.

    >>> [_ordered_number(number).hex() for number in (-65, -1, 0, 63, 64, 8192)]
    ['3fbf', '7f', '80', 'bf', 'c040', 'e02000']
    """
    size = (number if number >= 0 else ~number).bit_length() // 7 + 1
    bits = 8 * size
    lead = ((1 << size) - 1) << (bits - size)
    return (number % (1 << bits) ^ lead).to_bytes(size, "big")
