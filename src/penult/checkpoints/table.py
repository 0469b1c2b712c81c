"""LevelDB's tables, in which TensorFlow keeps checkpoints: keys in ascending order, with values.

    data blocks    entries, then the offsets of some of them (uint32 each) and their count; an entry
                   is three varints (bytes shared with the key before, further bytes of the key,
                   bytes of the value), then these bytes
    index block    the same: for each data block, a key not below its last one -> offset, size
    footer         40 bytes: offset and size of a block without meaning and of the index, zeros;
                   then the magic number

After each block stand how it is compressed (0: not, 1: snappy) and the masked CRC-32C of both.
Source: https://github.com/google/leveldb/blob/main/doc/table_format.md
"""

from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from penult.checkpoints.base import WeightsFile
from penult.util.budget import Budget
from penult.util.protobuf import MalformedError, encode_varint, varint
from penult.util.text import one_line

MAX_KEY = 2048  # bytes; a name of 1024 characters and the place of a slice need less
MAX_ENTRIES = 50_000  # in all blocks; the largest networks with their optimizer have 5000
MAX_KEYS = 8 << 20  # bytes of all keys, of which entries say only where they differ
MAX_EXPANSION = 2  # times the file, beyond `_SMALL`; TensorFlow packs an index only, if anything

_SMALL = 16 << 20  # bytes

_MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
_FOOTER = 48  # bytes
_TRAILER = 5  # bytes after a block: compression, checksum
_MASK = 0xA282EAD8  # of LevelDB, so that no checksum is that of something with checksums in it


class _Block(NamedTuple):
    """Where a data block is, and the keys that it may have: above `after`, up to `last`."""

    after: bytes | None
    last: bytes
    offset: int
    size: int


class Table:
    """The entries of one table; each block is checked when it is read, and read once.

    The block without meaning is checked too, so that no byte of a table can change unnoticed.
    """

    def __init__(self, file: WeightsFile) -> None:
        self._file = file
        self._count = Budget(MAX_ENTRIES, "entries", MalformedError)
        self._keys = Budget(MAX_KEYS, "bytes of keys", MalformedError)
        self._unpacked = Budget(
            _SMALL + MAX_EXPANSION * file.size, "bytes to be unpacked", MalformedError
        )
        self._end = file.size - _FOOTER  # of the blocks
        footer = memoryview(file.data)[self._end : file.size - len(_MAGIC)]
        try:
            unused, at = _handle(footer, 0)
            index, _ = _handle(footer, at)
            if footer != b"".join(map(encode_varint, (*unused, *index))).ljust(40, b"\0"):
                raise MalformedError("more than two places")
        except MalformedError as exc:
            raise file.damaged(f"a footer with {exc}", self._end) from exc
        self._content(_Block(None, b"", *unused), "the block without meaning")
        self._blocks = self._read_index(*index)
        self._lasts = [block.last for block in self._blocks]
        self._found: dict[int, dict[bytes, memoryview]] = {}  # by the block's place in the index

    def __iter__(self) -> Iterator[tuple[bytes, memoryview]]:
        for block in self._blocks:
            yield from self._entries(block, "a block")

    def find(self, key: bytes, what: str) -> memoryview | None:
        """The value of a key, called `what` in errors; None if there is no such key."""
        place = bisect_left(self._lasts, key)
        if place == len(self._blocks):
            return None
        if place not in self._found:
            found = dict(self._entries(self._blocks[place], f"the block of {what}"))
            self._found[place] = found
        return self._found[place].get(key)

    def _read_index(self, offset: int, size: int) -> list[_Block]:
        index = _Block(None, b"\xff" * MAX_KEY, offset, size)
        blocks: list[_Block] = []
        for last, value in self._entries(index, "the index"):
            try:
                (begin, length), end = _handle(value, 0)
            except MalformedError as exc:
                raise self._file.damaged(f"an index with {exc}", offset) from exc
            before = blocks[-1] if blocks else _Block(None, b"", 0, -_TRAILER)
            if end < len(value) or begin < before.offset + before.size + _TRAILER:
                raise self._file.damaged("an index with blocks that overlap", offset)
            blocks.append(_Block(before.last if blocks else None, last, begin, length))
        return blocks

    def _entries(self, block: _Block, what: str) -> Iterator[tuple[bytes, memoryview]]:
        content = self._content(block, what)
        before = block.after
        try:
            for key, value in _entries(content):
                self._count.spend()
                self._keys.spend(len(key))
                if (before is not None and key <= before) or key > block.last:
                    raise MalformedError("keys that aren't in order")
                yield key, value
                before = key
        except MalformedError as exc:
            raise self._file.damaged(f"{what} has {exc}", block.offset) from exc

    def _content(self, block: _Block, what: str) -> memoryview:
        end = block.offset + block.size
        if end + _TRAILER > self._end:
            raise self._file.damaged(f"{what} ends at {end}, all of them at {self._end}")
        data = memoryview(self._file.data)
        expected = int.from_bytes(data[end + 1 : end + _TRAILER], "little")
        if masked(crc32c(data[block.offset : end + 1])) != expected:
            raise self._file.damaged(f"{what} doesn't match its checksum", block.offset)
        if data[end] > 1:
            raise self._file.error(
                f"{what} is of compression {data[end]}, which isn't read", block.offset
            )
        content = data[block.offset : end]
        try:
            return self._unpack(content) if data[end] else content
        except MalformedError as exc:
            raise self._file.damaged(f"{what} has {exc}", block.offset) from exc

    def _unpack(self, content: memoryview) -> memoryview:
        """The content of a block that is compressed with snappy."""
        import cramjam

        size, _ = varint(content, 0)
        self._unpacked.spend(size)
        unpacked = bytearray(size)
        try:
            length = cramjam.snappy.decompress_raw_into(content, unpacked)
        except cramjam.DecompressionError as exc:
            raise MalformedError(f"broken compression ({one_line(str(exc), 80)})") from exc
        if length != size:
            raise MalformedError(f"{length} bytes where {size} were announced")
        return memoryview(unpacked).toreadonly()


def is_table(file: WeightsFile) -> bool:
    """Whether the file ends as a table does."""
    return file.size >= _FOOTER and file.data[-len(_MAGIC) :] == _MAGIC


def crc32c(data: memoryview, before: int = 0) -> int:
    """The CRC-32C of these bytes; `before` is that of the bytes in front of them."""
    import google_crc32c

    # This takes no memoryview, but an array, which needs no copy either.
    return int(google_crc32c.extend(before, np.frombuffer(data, np.uint8)))


def masked(crc: int) -> int:
    """A CRC-32C in the form in which it stands in a file."""
    return ((crc >> 15 | crc << 17) + _MASK) % 2**32


def _handle(data: memoryview, at: int) -> tuple[tuple[int, int], int]:
    offset, at = varint(data, at)
    size, at = varint(data, at)
    return (offset, size), at


def _entries(content: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    restarts = int.from_bytes(content[-4:], "little")
    end = len(content) - 4 * restarts - 4
    if end < 0:
        raise MalformedError(f"{restarts} restarts in {len(content)} bytes")
    key, at = b"", 0
    while at < end:
        shared, at = varint(content, at)
        further, at = varint(content, at)
        size, at = varint(content, at)
        if shared > len(key) or shared + further > MAX_KEY or further + size > end - at:
            raise MalformedError(f"an entry beyond the key before it or the end, at {at}")
        key = key[:shared] + bytes(content[at : at + further])
        at += further + size
        yield key, content[at - size : at]
