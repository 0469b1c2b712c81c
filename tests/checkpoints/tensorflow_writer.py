"""A writer of TensorFlow's checkpoints, in parts, any of which can be wrong with good checksums."""

import struct

import google_crc32c
import numpy as np

from penult.checkpoints.tensor_slices import slice_key
from penult.util.protobuf import encode_varint as varint

MAGIC = bytes.fromhex("57fb808b247547db")
BLOCK = 256 << 10  # bytes after which TensorFlow ends a block
WHOLE = (0, -1)


def masked(raw):
    crc = google_crc32c.value(raw)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32)


def message(*fields):
    """A protocol buffer of fields, each with a number, bytes or a text."""
    parts = []
    for field, value in fields:
        if isinstance(value, int):
            parts += [varint(field << 3), varint(value % 2**64)]
        else:
            content = value.encode() if isinstance(value, str) else value
            parts += [varint(field << 3 | 2), varint(len(content)), content]
    return b"".join(parts)


def block(entries, restarts=1):
    parts = []
    for key, value in entries:
        parts += [varint(0), varint(len(key)), varint(len(value)), key, value]
    return b"".join([*parts, struct.pack("<II", 0, restarts)])


def stored(content, kind=0, crc=None):
    raw = content + bytes([kind])
    return raw + (masked(raw) if crc is None else crc)


def table(*blocks, handle=None, footer=None):
    """A table of blocks, each given by its last key and its bytes as stored."""
    at, index = 0, []
    for last, content in blocks:
        index.append((last, handle or varint(at) + varint(len(content) - 5)))
        at += len(content)
    return closed([content for _, content in blocks], block(index), footer)


def closed(blocks, index, footer=None):
    """A table of blocks as stored, and an index that need not be theirs."""
    at, meta = sum(map(len, blocks)), stored(block([]))
    place = footer or varint(at + len(meta)) + varint(len(index))
    handles = varint(at) + varint(len(meta) - 5) + place
    return b"".join([*blocks, meta, stored(index), handles.ljust(40, b"\0")[:40], MAGIC])


def table_of(entries: dict[bytes, bytes]):
    blocks, pending, size = [], [], 0
    for key, value in sorted(entries.items()):
        pending.append((key, value))
        size += len(value)
        if size >= BLOCK:
            blocks.append((key, stored(block(pending))))
            pending, size = [], 0
    if pending:
        blocks.append((pending[-1][0], stored(block(pending))))
    return table(*blocks)


def shape(*sizes):
    return message(*((2, message((1, size))) for size in sizes))


def extents(*pairs):
    return message(*((1, message((1, start), (2, length))) for start, length in pairs))


def entry(array, dtype=1, sizes=None, *, shard=0, start=0, size=None, crc=None, more=()):
    """What an index of V2 says of a tensor."""
    raw = np.asarray(array).tobytes()
    fields = [(1, dtype), (2, shape(*(array.shape if sizes is None else sizes)))]
    fields += [(3, shard), (4, start), (5, len(raw) if size is None else size), *more]
    return message(*fields) + b"\x35" + (crc or masked(raw))


HEADER = message((1, 1), (3, message((1, 1))))


def saved(name, values, where):
    """A slice of V1: its key, what stands there, and its place."""
    place = message(*((1, b"" if extent == WHOLE else extents(extent)[2:]) for extent in where))
    return slice_key(name, where), message((2, message((1, name), (2, place), (3, values)))), place


def v1(variables: dict[str, np.ndarray]):
    """The file of a checkpoint of V1, with variables of float32."""
    listed, entries = [], {}
    for name, array in variables.items():
        values = message((5, array.tobytes()))
        key, entries[key], place = saved(name, values, (WHOLE,) * array.ndim)
        listed.append(message((1, name), (2, shape(*array.shape)), (3, 1), (4, place)))
    header = message((1, message(*((1, variable) for variable in listed))))
    return table_of({b"": header, **entries})


def v2(variables: dict[str, np.ndarray]):
    """The index and the data of a checkpoint of V2, with variables of float32."""
    entries, start = {b"": HEADER}, 0
    for name, array in sorted(variables.items()):
        entries[name.encode()] = entry(array, start=start)
        start += array.nbytes
    return table_of(entries), b"".join(array.tobytes() for _, array in sorted(variables.items()))
