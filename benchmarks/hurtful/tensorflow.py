"""TensorFlow's checkpoints of one count that grows, with their checksums right."""

import struct
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import cramjam
import google_crc32c

from hurtful.base import WRITER, Kind, put
from penult.util.protobuf import encode, encode_varint

block, stored, table = (WRITER[name] for name in ("block", "stored", "table"))


def masked(crc: int) -> int:
    """A CRC-32C as it stands in a file."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32


def snappy(content: bytes) -> bytes:
    """A block, compressed."""
    return bytes(stored(bytes(cramjam.snappy.compress_raw(content)), 1))


def v2(folder: Path, entries: Mapping[bytes, bytes], data: bytes) -> Path:
    """A checkpoint of V2 in one block, compressed."""
    put(folder / "net.data-00000-of-00001", data)
    ordered = sorted({b"": WRITER["HEADER"], **entries}.items())
    return put(folder / "net.index", table((ordered[-1][0], snappy(block(ordered)))))


def v2_tensor(folder: Path, *, sizes: Iterable[int] = (4,), more: bytes = b"") -> Path:
    """A checkpoint of V2 with one tensor of 16 bytes of nothing, and more fields about it."""
    data = bytes(16)
    crc = struct.pack("<I", masked(google_crc32c.value(data)))
    dims = b"".join(encode((2, encode((1, size)))) for size in sizes)
    about = encode((1, 1), (2, dims), (3, 0), (4, 0), (5, 16)) + b"\x35" + crc
    return v2(folder, {b"a": about + more}, data)


def v2_extents(folder: Path, count: int) -> Path:
    """Slices of a thousand extents."""
    return v2_tensor(folder, more=encode((7, b"\x0a\0" * 1000)) * -(-count // 1000))


def v2_slices(folder: Path, count: int) -> Path:
    """Slices of one extent."""
    return v2_tensor(folder, more=encode((7, b"\x0a\0")) * count)


def v2_many_slices(folder: Path, count: int) -> Path:
    """Tensors of up to 9000 slices."""
    each = min(count, 9000)
    about = encode((1, 1), (2, encode((2, encode((1, each))))))
    about += b"".join(encode((7, WRITER["extents"]((n, 1)))) for n in range(each))
    names = (b"%05d" % n for n in range(-(-count // each)))
    return v2(folder, dict.fromkeys(names, about), b"")


def v2_dimensions(folder: Path, count: int) -> Path:
    """A shape of ones."""
    return v2_tensor(folder, sizes=(4, *[1] * count))


def v2_entries(folder: Path, count: int) -> Path:
    """Tensors of nothing."""
    entry = encode((1, 1), (2, encode((2, encode((1, 0))))))
    names = (b"%08d" % n for n in range(count))
    return v2(folder, dict.fromkeys(names, entry + b"\x35\xd8\xea\x82\xa2"), b"")


def v2_keys(folder: Path, count: int) -> Path:
    """Long keys, of which each says in six bytes how it differs from the one before."""
    unread = encode((1, 20))  # a tensor that has no values
    first = encode_varint(0) + encode_varint(2044) + b"\2" + b"k" * 2044 + unread
    others = (encode_varint(2044) + b"\4\2" + struct.pack(">I", n) + unread for n in range(count))
    content = b"\0\0" + encode_varint(len(WRITER["HEADER"])) + WRITER["HEADER"] + first
    content += b"".join(others) + struct.pack("<II", 0, 1)
    return put(folder / "net.index", table((b"l", stored(content))))


def v2_graph(folder: Path, count: int) -> Path:
    """Nodes of an object graph with a thousand attributes."""
    return v2_texts_of(folder, [encode((1, b"\x12\0" * 1000)) * -(-count // 1000)], scalar=True)


def v2_nodes(folder: Path, count: int) -> Path:
    """Nodes of an object graph with one attribute."""
    return v2_texts_of(folder, [encode((1, b"\x12\0")) * count], scalar=True)


def v2_texts(folder: Path, count: int) -> Path:
    """Texts of nothing."""
    return v2_texts_of(folder, [b""] * count)


def v2_texts_of(folder: Path, texts: list[bytes], *, scalar: bool = False) -> Path:
    """A checkpoint of V2 with a tensor of texts, which is the object graph if it is a scalar."""
    sizes = b"".join(struct.pack("<I", len(each)) for each in texts)
    crc = google_crc32c.value(sizes)
    sums = struct.pack("<I", masked(crc))
    content = b"".join(texts)
    data = b"".join(map(encode_varint, map(len, texts))) + sums + content
    crc = masked(google_crc32c.extend(google_crc32c.extend(crc, sums), content))
    dims = b"" if scalar else encode((2, encode((1, len(texts)))))
    about = encode((1, 7), (2, dims), (3, 0), (4, 0), (5, len(data))) + b"\x35"
    name = b"_CHECKPOINTABLE_OBJECT_GRAPH" if scalar else b"texts"
    return v2(folder, {name: about + struct.pack("<I", crc)}, data)


def v1(folder: Path, variables: bytes, *blocks: tuple[bytes, bytes]) -> Path:
    """A checkpoint of V1 with a list of variables, and blocks with their last keys."""
    listed = stored(block([(b"", encode((1, variables)))]))
    return put(folder / "net.ckpt", table((b"", listed), *blocks))


def v1_variable(name: str, size: int | None, dtype: int, *places: bytes) -> bytes:
    """A line of the list of variables; of no size, it is a scalar."""
    dims = b"" if size is None else encode((2, encode((1, size))))
    return encode((1, encode((1, name), (2, dims), (3, dtype), *((4, it) for it in places))))


def v1_alternate(folder: Path, count: int) -> Path:
    """Variables of two blocks, listed in turn."""
    listed, halves = [], ([], [])
    for number in range(count):
        for half, letter in zip(halves, "ab", strict=True):
            name = f"{letter}{number:07}"
            key, value, place = WRITER["saved"](name, encode((5, bytes(4))), ())
            half.append((key, value))
            listed.append(v1_variable(name, None, 1, place))
    blocks = [(half[-1][0], stored(block(half))) for half in halves]
    return v1(folder, b"".join(listed), *blocks)


def v1_one(folder: Path, count: int, dtype: int, values: bytes, pack: Callable[..., bytes]) -> Path:
    """One variable of some numbers."""
    key, value, place = WRITER["saved"]("w", values, (WRITER["WHOLE"],))
    return v1(folder, v1_variable("w", count, dtype, place), (key, pack(block([(key, value)]))))


def v1_int8(folder: Path, count: int) -> Path:
    """Numbers of one byte each, which take eight as numbers of 64 bits."""
    return v1_one(folder, count, 6, encode((7, b"\1" * count)), stored)


def v1_negative(folder: Path, count: int) -> Path:
    """Numbers that take ten bytes each."""
    minus = encode_varint(2**64 - 1)
    return v1_one(folder, count, 6, encode((7, minus * count)), stored)


def v1_snappy(folder: Path, count: int) -> Path:
    """The same numbers, all alike, packed."""
    return v1_one(folder, count, 6, encode((7, b"\1" * count)), snappy)


def v1_fields(folder: Path, count: int) -> Path:
    """Fields that mean nothing beside the values, in tensors of 50,000."""
    each, listed, entries = min(count, 50_000), [], []
    for number in range(-(-count // each)):
        values = encode((5, bytes(4))) + b"\x98\x06\0" * each
        key, value, place = WRITER["saved"](f"w{number:05}", values, ())
        listed.append(v1_variable(f"w{number:05}", None, 1, place))
        entries.append((key, value))
    return v1(folder, b"".join(listed), (entries[-1][0], stored(block(entries))))


def v1_slices(folder: Path, count: int) -> Path:
    """A variable in slices, none of which is there."""
    places = (WRITER["extents"]((n, 1)) for n in range(count))
    return v1(folder, v1_variable("w", count, 1, *places))


KINDS = {
    "V2: extents": Kind(v2_extents, 9_000_000),
    "V2: slices": Kind(v2_slices, 1_000_000),
    "V2: slices of many": Kind(v2_many_slices, 1_000_000),
    "V2: dimensions": Kind(v2_dimensions, 300_000),
    "V2: tensors": Kind(v2_entries, 200_000),
    "V2: long keys": Kind(v2_keys, 1_000_000),
    "V2: attributes of a graph": Kind(v2_graph, 5_000_000),
    "V2: nodes of a graph": Kind(v2_nodes, 3_000_000),
    "V2: texts": Kind(v2_texts, 5_000_000),
    "V1: blocks in turn": Kind(v1_alternate, 50_000),
    "V1: numbers of a byte": Kind(v1_int8, 20_000_000),
    "V1: negative numbers": Kind(v1_negative, 3_000_000),
    "V1: snappy": Kind(v1_snappy, 40_000_000),
    "V1: fields": Kind(v1_fields, 5_000_000),
    "V1: slices": Kind(v1_slices, 200_000),
}
