"""The values of an HDF5 dataset: where they are in the file, and how they become an array.

Numbers only: integers, and IEEE's floats, in either byte order. They lie in the object header, in
one stretch, or in chunks; each chunk may be packed by gzip, shuffled, and have a checksum. All of
them must be there, of the size that shape and type make: none is taken for the fill value.
"""

import math
import zlib
from typing import NamedTuple

import numpy as np

from penult.checkpoints.arrays import array_at
from penult.checkpoints.base import Array
from penult.checkpoints.elements import MAX_DIMENSIONS
from penult.checkpoints.hdf5_objects import NOWHERE, Chunk, Dataset, Objects, Piece
from penult.util.text import quoted

_COMPACT, _CONTIGUOUS, _CHUNKED, _VIRTUAL = range(4)
_FLOAT = 1  # class of element types; 0 are integers
_SIGNED = 1 << 3  # flag of an integer type
_GZIP, _SHUFFLE, _CHECKSUM = 1, 2, 3
_OTHERS = {
    2: "times",
    3: "texts",
    4: "bits",
    5: "opaque",
    6: "records",
    7: "references",
    8: "an enumeration",
    9: "lists or texts of any length",
    10: "arrays",
}
_IEEE = {  # bytes: places and sizes of exponent and mantissa, and the exponent's bias
    2: (10, 5, 0, 10, 15),
    4: (23, 8, 0, 23, 127),
    8: (52, 11, 0, 52, 1023),
}


class Values(NamedTuple):
    """The values of one dataset: in chunks of one shape, or in one stretch."""

    objects: Objects
    name: str
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    chunk: tuple[int, ...] | None
    stretches: list[Chunk]
    filters: list[int]

    def read(self) -> Array:
        """The array; a view of the file if it can be one."""
        file = self.objects.file
        if self.chunk is None:
            start = self.stretches[0].start if self.stretches else 0
            return array_at(file.data, self.dtype, start, self.shape)
        array = np.empty(self.shape, self.dtype.newbyteorder("="))
        for stretch in self.stretches:
            place = tuple(map(slice, stretch.place, np.add(stretch.place, self.chunk)))
            target = array[place]  # ends with the array, while chunks at the edge are whole
            content = self._unpack(stretch, self.chunk)
            target[...] = content[tuple(map(slice, target.shape))]
        array.flags.writeable = False
        return array

    def _unpack(self, stretch: Chunk, shape: tuple[int, ...]) -> Array:
        raw = self.objects.file.data[stretch.start : stretch.start + stretch.size]
        size = math.prod(shape) * self.dtype.itemsize
        try:
            for number in reversed(range(len(self.filters))):
                if not stretch.skipped >> number & 1:
                    raw = self._undone(self.filters[number], raw, size)
            return np.frombuffer(raw, self.dtype).reshape(shape)
        except (ValueError, zlib.error) as exc:
            raise self.objects.file.damaged(
                f"a chunk of {quoted(self.name)} can't be unpacked, or isn't what was written",
                stretch.start,
            ) from exc

    def _undone(self, kind: int, raw: bytes, size: int) -> bytes:
        if kind == _GZIP:
            unpacker = zlib.decompressobj()
            raw = unpacker.decompress(raw, size + 5)  # a checksum may be in it, and the end is seen
            if not unpacker.eof:
                raise ValueError("too long or cut")
            return raw
        if kind == _SHUFFLE:
            return np.frombuffer(raw, np.uint8).reshape(self.dtype.itemsize, -1).T.tobytes()
        if _fletcher32(raw[:-4]) != int.from_bytes(raw[-4:], "little"):
            raise ValueError("another checksum")
        return raw[:-4]


def values(objects: Objects, name: str, dataset: Dataset) -> Values:
    """Where the values of a dataset are, once type, shape, and place have proved to agree."""
    dtype, shape = _dtype(dataset.dtype, name), _shape(dataset.shape, name)
    size = math.prod(shape) * dtype.itemsize
    layout = dataset.layout
    version, kind = layout.number(1), layout.number(1)
    if kind == _VIRTUAL:
        layout.refuse(f"{quoted(name)} has its values in other datasets")
    if version not in (3, 4) or (kind == _CHUNKED and version == 4):
        layout.refuse(f"{quoted(name)} is laid out by version {version} of the format")
    filters = _filters(dataset.filters, name)
    if kind == _CHUNKED:
        chunk, stretches = _chunks(objects, layout, dtype.itemsize, len(shape))
        chunked = Values(objects, name, dtype, shape, chunk, stretches, filters)
        _check_chunks(chunked)
        return chunked
    stretches = [_stretch(objects, layout, kind)] if size else []
    if filters or sum(each.size for each in stretches) != size:
        layout.fail(f"{quoted(name)} doesn't have the {size} bytes of its shape and type")
    return Values(objects, name, dtype, shape, None, stretches, [])


def _dtype(message: Piece, name: str) -> np.dtype[np.generic]:
    kind, bits, size = message.number(1) & 15, message.number(3), message.number(4)
    if kind > _FLOAT:
        what = _OTHERS.get(kind, f"of class {kind}")
        message.refuse(f"{quoted(name)} has elements that are no numbers but {what}")
    order, flags = "<>"[bits & 1], bits & ~1
    whole = (message.number(2), message.number(2)) == (0, 8 * size)
    if kind == _FLOAT:
        sign_first = flags == 2 << 4 | (8 * size - 1) << 8  # and the mantissa's 1 isn't stored
        parts = tuple(map(message.number, (1, 1, 1, 1, 4)))
        plain, letter = sign_first and parts == _IEEE.get(size), "f"
    else:
        plain, letter = flags & ~_SIGNED == 0 and size in (1, 2, 4, 8), "i" if flags else "u"
    if not (plain and whole):
        message.refuse(f"{quoted(name)} has numbers of {size} bytes in an odd form")
    return np.dtype(f"{order}{letter}{size}")


def _shape(message: Piece, name: str) -> tuple[int, ...]:
    version, dimensions, _ = message.number(1), message.number(1), message.skip(1)
    if version not in (1, 2) or dimensions > MAX_DIMENSIONS:
        message.fail(f"{quoted(name)} has a shape in version {version}, of {dimensions} dimensions")
    if version == 1:
        message.skip(5)
    elif message.number(1) > 1:
        message.refuse(f"{quoted(name)} has no shape")
    shape = tuple(message.number(8) for _ in range(dimensions))
    if math.prod(size for size in shape if size) >= 2**60:
        message.fail(f"{quoted(name)} has an impossible shape")
    return shape


def _filters(message: Piece | None, name: str) -> list[int]:
    if message is None:
        return []
    version, count = message.number(1), message.number(1)
    message.skip(6 if version == 1 else 0)
    filters = []
    for _ in range(count):
        kind = message.number(2)
        named = message.number(2) if version == 1 or kind >= 256 else 0
        message.skip(2)
        arguments = message.number(2)
        message.skip(named + 4 * arguments + (4 * (arguments % 2) if version == 1 else 0))
        if kind not in (_GZIP, _SHUFFLE, _CHECKSUM) or kind in filters:
            message.refuse(f"{quoted(name)} is packed by filter {kind}, or twice by one")
        filters.append(kind)
    return filters


def _stretch(objects: Objects, layout: Piece, kind: int) -> Chunk:
    if kind == _COMPACT:
        size = layout.number(2)
        return Chunk((), layout.skip(size), size, 0)
    address, size = layout.number(8), layout.number(8)
    return Chunk((), objects.locate(address, size), size, 0)


def _chunks(
    objects: Objects, layout: Piece, item_size: int, dimensions: int
) -> tuple[tuple[int, ...], list[Chunk]]:
    """The shape of all chunks, and where they are."""
    if layout.number(1) != dimensions + 1 or dimensions == 0:
        layout.fail("chunks of other dimensions than their dataset's")
    address = layout.number(8)
    *chunk, item = (layout.number(4) for _ in range(dimensions + 1))
    if item != item_size or 0 in chunk:
        layout.fail("chunks of nothing, or of other elements than their dataset's")
    return tuple(chunk), [] if address == NOWHERE else list(objects.chunks(address, dimensions))


def _check_chunks(values: Values) -> None:
    """Every chunk is there once, and they are no bomb."""
    chunk, shape = values.chunk or (), values.shape
    counts = [-(-size // length) for size, length in zip(shape, chunk, strict=True)]
    places = {tuple(each.place) for each in values.stretches}
    wanted = math.prod(counts)
    file = values.objects.file
    if not len(places) == len(values.stretches) == wanted or not all(
        at % length == 0 and at < size
        for place in places
        for at, length, size in zip(place, chunk, shape, strict=True)
    ):
        raise file.damaged(
            f"{quoted(values.name)} should have {wanted} chunks, and has {len(values.stretches)},"
            " or not in their places"
        )
    values.objects.spend_unpacked(math.prod(chunk) * wanted * values.dtype.itemsize)


def _fletcher32(raw: bytes) -> int:
    """The checksum of HDF5: of 16-bit numbers, and of the sums up to each."""
    words = np.frombuffer(raw + bytes(len(raw) % 2), ">u2").astype(np.uint64)
    weights = np.arange(len(words), 0, -1, dtype=np.uint64) % 65535
    return _fold(int((words * weights).sum())) << 16 | _fold(int(words.sum()))


def _fold(total: int) -> int:
    return (total - 1) % 65535 + 1 if total else 0
