"""Changes of good files for mutants.py: each takes bytes, and draws what to do to them."""

import hashlib
import json
import random
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from runpy import run_path

import cramjam

from penult.analysis.probe_file import DIGEST, DOCUMENT
from penult.util.protobuf import encode_varint, varint

WRITER = run_path(str(Path(__file__).parents[1] / "tests/checkpoints/tensorflow_writer.py"))
ENDS = 4 << 10  # bytes at both ends of a large file, where half of the changes are
EXTREMES = [0, 1, 127, 255, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63, 2**64 - 1]


def anything(raw: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """One to three changes of any kind; `others` are files to continue with."""
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        if not raw:
            break
        if rng.random() < 0.1:
            raw = splice(raw, rng, rng.choice(others))
        else:
            raw = rng.choice(CHANGES)(raw, rng)
    return raw


def place(raw: bytes, rng: random.Random) -> int:
    """An offset, often at one of the ends, where lengths are."""
    if len(raw) > 2 * ENDS and rng.random() < 0.5:
        return rng.choice([0, len(raw) - ENDS]) + rng.randrange(ENDS)
    return rng.randrange(len(raw))


def flip(raw: bytes, rng: random.Random) -> bytes:
    """One bit is another."""
    at = place(raw, rng)
    return raw[:at] + bytes([raw[at] ^ 1 << rng.randrange(8)]) + raw[at + 1 :]


def put(raw: bytes, rng: random.Random) -> bytes:
    """One byte is any."""
    at = place(raw, rng)
    return raw[:at] + bytes([rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])]) + raw[at + 1 :]


def cut(raw: bytes, rng: random.Random) -> bytes:
    """The end is missing."""
    return raw[: place(raw, rng)]


def stretch(raw: bytes, rng: random.Random) -> bytes:
    """Some bytes are lost, doubled, cleared, filled, or others of the file."""
    at, size = place(raw, rng), rng.choice([1, 2, 4, 8, 30, 512, 4096])
    piece, other = raw[at : at + size], place(raw, rng)
    moved = raw[other : other + size]
    new = rng.choice([b"", piece * 2, bytes(len(piece)), b"\xff" * len(piece), moved])
    return raw[:at] + new + raw[at + size :]


def swap(raw: bytes, rng: random.Random) -> bytes:
    """Two stretches change places."""
    a, b, c = sorted(place(raw, rng) for _ in range(3))
    return raw[:a] + raw[b:c] + raw[a:b] + raw[c:]


def splice(raw: bytes, rng: random.Random, other: bytes) -> bytes:
    """From somewhere on it is another file."""
    return raw[: place(raw, rng)] + other[place(other, rng) :]


def forge(raw: bytes, rng: random.Random) -> bytes:
    """A number, written in one of the ways that the formats have, is an extreme one."""
    at, value = place(raw, rng), rng.choice(EXTREMES)
    end = at
    while end < min(len(raw), at + 9) and raw[end] > 127:
        end += 1
    new, old = rng.choice(
        [
            (encode_varint(value), end + 1 - at),
            (struct.pack("<I", value % 2**32), 4),
            (struct.pack("<Q", value), 8),
            (b"%d" % value, 1),
        ]
    )
    return raw[:at] + new + raw[at + old :]


VALUES: list[object] = [
    *(None, True, -1, 0.5, 2, 2**63, 10**400, float("nan"), float("inf"), "", "pool", "\x1b[2J"),
    *("n" * 10**6, "\ud800", "../../etc", [], [8], [4, 2], [-8], [2**62] * 9, [8.0], ["a"] * 3),
    *(["a", "b", "\n"], ["a", "b", "c" * 10**6], {}, {"size": 10**9}, {"a": {"b": {"c": 1}}}),
]

CHANGES = [flip, flip, put, cut, stretch, swap, forge, forge]


def sign_again(raw: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """Change a block of a table, or its index, and give it a good checksum."""
    good, index = table_blocks(raw)
    blocks = list(good)
    chosen = rng.randrange(len(blocks) + 1)
    if chosen == len(blocks):
        stored = [WRITER["stored"](content, kind) for _, content, kind in blocks]
        return WRITER["closed"](stored, anything(index, rng, others))
    last, content, kind = blocks[chosen]
    if kind == 1 and rng.random() < 0.5:
        content, kind = bytes(cramjam.snappy.decompress_raw(content)), 0
    blocks[chosen] = last, anything(content, rng, others), kind
    return WRITER["table"](*((last, WRITER["stored"](*block)) for last, *block in blocks))


def sign_probe_again(raw: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """Change the document of a probe or its tensors, and give it a good digest."""
    start = 8 + int.from_bytes(raw[:8], "little")
    header, tensors = json.loads(raw[8:start]), raw[start:]
    document = header["__metadata__"][DOCUMENT]
    if rng.random() < 0.8:
        document = forged(json.loads(document), rng)
    else:
        tensors = anything(tensors, rng, others)
    digest = hashlib.sha256(document.encode() + tensors).hexdigest()
    header["__metadata__"] = {DOCUMENT: document, DIGEST: digest}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + tensors


def forged(document: dict[str, object], rng: random.Random) -> str:
    """A document with a value or two that are others, or with a piece of its text changed."""
    for _ in range(rng.choice([1, 1, 2])):
        document[rng.choice([*document])] = rng.choice(VALUES)
    text = json.dumps(document).encode()
    if rng.random() < 0.3:
        text = anything(text, rng, [b"[" * 9999])
    return text.decode(errors="replace")


@cache
def table_blocks(raw: bytes) -> tuple[tuple[tuple[bytes, bytes, int], ...], bytes]:
    """The data blocks of a good table, each with its last key and compression, and the index."""
    footer = memoryview(raw)[-48:]
    at = varint(footer, varint(footer, 0)[1])[1]
    offset, at = varint(footer, at)
    index = raw[offset : offset + varint(footer, at)[0]]
    blocks = []
    for last, handle in entries(index):
        start, at = varint(memoryview(handle), 0)
        end = start + varint(memoryview(handle), at)[0]
        blocks.append((last, raw[start:end], raw[end]))
    return tuple(blocks), index


def entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The entries of a good block."""
    at, key = 0, b""
    while at < len(block) - 4 - 4 * int.from_bytes(block[-4:], "little"):
        numbers = []
        for _ in range(3):
            number, at = varint(memoryview(block), at)
            numbers.append(number)
        shared, further, size = numbers
        key = key[:shared] + block[at : at + further]
        at += further + size
        yield key, block[at - size : at]
