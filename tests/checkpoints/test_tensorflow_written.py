"""TensorFlow's checkpoints, written here: any part can be wrong and have good checksums."""

import random
import struct
import tracemalloc
from collections.abc import Iterable

import cramjam
import numpy as np
import pytest

from penult.checkpoints import open_checkpoint
from penult.checkpoints.base import WeightsFile
from penult.checkpoints.table import Table
from penult.checkpoints.tensor_slices import slice_key
from penult.errors import CheckpointError
from penult.util.protobuf import encode_varint as varint

from .tensorflow_writer import (
    HEADER,
    block,
    entry,
    extents,
    masked,
    message,
    saved,
    shape,
    stored,
    table,
    table_of,
)

FLOATS = np.arange(6, dtype=np.float32).reshape(2, 3)
DATA = FLOATS.tobytes()
MUTANTS = 2000


@pytest.fixture
def write_v2(tmp_path):
    """Write a checkpoint of V2: the entries, or the whole index, and the data."""

    def write(entries, data=DATA, header=HEADER):
        raw = entries if isinstance(entries, bytes) else table_of({b"": header, **entries})
        for name, content in (("index", raw), ("data-00000-of-00001", data)):
            file = tmp_path / f"model.ckpt.{name}"
            file.unlink(missing_ok=True)
            file.write_bytes(content)
        return tmp_path / "model.ckpt"

    return write


@pytest.fixture
def write_v1(tmp_path):
    """Write a checkpoint of V1 with one variable, `w`, of (2, 3)."""

    def write(values, dtype=1, sizes=(2, 3), *, name="w", wheres=None):
        whole = tuple((0, -1) for _ in sizes)
        parts = [saved(name, values, where) for where in wheres or [whole]]
        variable = message((1, "w"), (2, shape(*sizes)), (3, dtype), *((4, it[2]) for it in parts))
        entries = {key: value for key, value, _ in parts}
        path = tmp_path / "model.ckpt"
        path.unlink(missing_ok=True)
        path.write_bytes(table_of({b"": message((1, message((1, variable)))), **entries}))
        return path

    return write


def test_a_tensor_of_v2_is_read(write_v2, read_all):
    assert np.array_equal(read_all(write_v2({b"w": entry(FLOATS)}))["w"], FLOATS)


def test_compressed_blocks_are_read(write_v2, read_all):
    content = bytes(cramjam.snappy.compress_raw(block([(b"", HEADER), (b"w", entry(FLOATS))])))
    path = write_v2(table((b"w", stored(content, 1))))
    assert np.array_equal(read_all(path)["w"], FLOATS)


def test_several_blocks_are_read(write_v2, read_all):
    blocks = [(b"", HEADER), (b"w", entry(FLOATS))]
    path = write_v2(table(*((each[0], stored(block([each]))) for each in blocks)))
    assert list(read_all(path)) == ["w"]


ENTRIES = [(b"", HEADER), (b"w", entry(FLOATS))]
GOOD = block(ENTRIES)


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        (table((b"w", stored(GOOD, crc=b"none"))), "byte 0: a block doesn't match its checksum"),
        (table((b"w", stored(GOOD, 2))), "a block is of compression 2, which isn't read"),
        (
            table((b"w", stored(GOOD)), handle=varint(0) + varint(999)),
            "a block ends at 999, all of them at",
        ),
        (
            table((b"w", stored(GOOD)), handle=varint(2**63) + varint(9)),
            "a block ends at 9223372036854775817, all of",
        ),
        (table((b"w", stored(GOOD)), handle=b"\xff"), "an index with a number that doesn't end"),
        (table((b"w", stored(GOOD)), handle=b"\0\1\2"), "an index with blocks that overlap"),
        (table((b"w", stored(GOOD)), footer=b"\xff" * 38), "a footer with a number that doesn't"),
        (
            table((b"w", stored(GOOD)), footer=varint(9) + varint(2**40)),
            "the index ends at 1099511627785, all of",
        ),
        (table((b"w", stored(GOOD)), footer=b"\0\0\1"), "a footer with more than two places"),
        (table((b"v", stored(GOOD))), "keys that aren't in order"),
        (table((b"", stored(GOOD)), (b"w", stored(GOOD))), "keys that aren't in order"),
        (table((b"w", stored(block([*ENTRIES, (b"v", b"")])))), "keys that aren't in order"),
        (table((b"w", stored(block(ENTRIES + ENTRIES[1:])))), "keys that aren't in order"),
        (table((b"w", stored(block(ENTRIES, 2**32 - 1)))), "4294967295 restarts in"),
        (table((b"w", stored(b""))), "0 restarts in 0 bytes"),
        (table((b"w", stored(b"\1\0\0" + block([])))), "an entry beyond the key before it"),
        (table((b"w", stored(b"\0\x7f\0" + block([])))), "an entry beyond the key before it"),
        (table((b"w", stored(b"\0\0" + b"\xff" * 11 + block([])))), "a number that doesn't end"),
        (table((b"w", stored(b"", 1))), "a number that doesn't end"),
        (table((b"w", stored(b"\xff\xff\xff\xff\x0f", 1))), "bytes to be unpacked"),
        (table((b"w", stored(b"\x09\x00", 1))), "broken compression (snappy: corrupt input"),
        (table((b"w", stored(block(ENTRIES[1:])))), "an index without a header"),
        (table(), "an index without a header"),
    ],
)
def test_a_wrong_table_is_refused(index, reason, write_v2, refusal):
    assert reason in refusal(write_v2(index))


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (message((1, 0)), "0 data files, at most 10000 expected"),
        (message((1, 2**31)), "2147483648 data files"),
        (message((1, -1)), "-1 data files"),
        (message((1, 1), (1, 1)), "the header has field 1 more than once"),
        (message((1, "x")), "the header has field 1 isn't a number"),
        (message((1, 1), (2, 1)), "not little-endian"),
        (b"\x0b", "the header has wire type 3, which isn't used"),
        (b"\x0a\x05x", "the header has a field of 5 bytes where 1 are left"),
        (b"\x0d\0\0", "the header has a field of 4 bytes where 2 are left"),
    ],
)
def test_a_wrong_header_is_refused(header, reason, write_v2, refusal):
    assert reason in refusal(write_v2({b"w": entry(FLOATS)}, header=header))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (entry(FLOATS, crc=b"none"), "byte 0: tensor 'w' doesn't match its checksum"),
        (entry(FLOATS, dtype=29), "tensor 'w' is of type 29, which isn't supported"),
        (entry(FLOATS, dtype=0), "tensor 'w' is of type 0, which isn't supported"),
        (entry(FLOATS, sizes=(2, 4)), "24 bytes where shape and dtype need 32"),
        (entry(FLOATS, sizes=(-2, -3)), "no possible shape"),
        (entry(FLOATS, sizes=(2**62, 2**62, 0)), "no possible shape"),
        (entry(FLOATS, sizes=(1,) * 65), "field 2 more than 64 times"),
        (entry(FLOATS, size=2**60), f"{2**60} bytes where shape and dtype need 24"),
        (entry(FLOATS, size=2**50, sizes=(2**48,)), f"ends at {2**50}, the file at 24"),
        (entry(FLOATS, size=-24), "a place outside the 1 data files"),
        (entry(FLOATS, start=-1), "a place outside the 1 data files"),
        (entry(FLOATS, start=1), "tensor 'w' ends at 25, the file at 24"),
        (entry(FLOATS, shard=1), "a place outside the 1 data files"),
        (entry(FLOATS, shard=-1), "a place outside the 1 data files"),
        (entry(FLOATS, dtype=7), "lengths that don't match their checksum"),
        (entry(FLOATS, dtype=7, sizes=(21,)), "24 bytes for 21 texts"),
        (entry(FLOATS, dtype=7, sizes=(2**40,)), "24 bytes for 1099511627776 texts"),
    ],
)
def test_a_wrong_entry_is_refused(value, reason, write_v2, refusal):
    assert reason in refusal(write_v2({b"w": value}))


def test_tensors_do_not_overlap(write_v2, refusal):
    path = write_v2({b"v": entry(FLOATS), b"w": entry(FLOATS)})
    assert "tensor 'w' overlaps another one" in refusal(path)


@pytest.mark.parametrize("dtype", [20, 21])
def test_handles_and_variants_are_left_aside(dtype, write_v2, read_all):
    path = write_v2({b"v": message((1, dtype)), b"w": entry(FLOATS)})
    assert list(read_all(path)) == ["w"]


def test_a_name_is_utf8(write_v2, refusal):
    assert "a name that isn't UTF-8" in refusal(write_v2({b"\xfew": entry(FLOATS)}))


def test_a_name_is_not_longer_than_the_limit(write_v2, refusal):
    assert "of more than 1024 characters" in refusal(write_v2({b"w" * 1025: entry(FLOATS)}))


def sliced(*wheres, sizes=(2, 3)):
    return message((1, 1), (2, shape(*sizes)), *((7, extents(*where)) for where in wheres))


ROWS = [((0, 1), (0, 3)), ((1, 1), (0, 3))]


def rows():
    parts = enumerate(ROWS)
    return {slice_key("w", it): entry(FLOATS[n : n + 1], start=12 * n) for n, it in parts}


def test_slices_are_joined_in_their_order(write_v2, read_all):
    path = write_v2({b"w": sliced(*ROWS[::-1]), **rows()})
    assert np.array_equal(read_all(path)["w"], FLOATS)


@pytest.mark.parametrize(
    ("wheres", "reason"),
    [
        (ROWS[:1], "slices that aren't the whole"),
        (ROWS[1:], "slices that overlap or leave a hole"),
        (ROWS + ROWS[:1], "slices that overlap or leave a hole"),
        ([((0, 3), (0, 3))], "a slice that isn't inside the variable"),
        ([((-1, 2), (0, 3))], "a slice that isn't inside the variable"),
        ([((0, 2**62), (0, 3))], "a slice that isn't inside the variable"),
        ([((0, 2),)], "a slice of 1 dimensions where there are 2"),
        ([((0, 1), (0, 3)), ((1, 1), (0, 2)), ((1, 1), (2, 1))], "along more than one dimension"),
        ([((0, 2), (0, 1)), ((0, 2), (1, 2))], "a slice that isn't there"),
    ],
)
def test_slices_are_the_whole_once(wheres, reason, write_v2, refusal):
    assert reason in refusal(write_v2({b"w": sliced(*wheres), **rows()}))


def test_slices_belong_to_a_tensor(write_v2, refusal):
    assert "slices that belong to no tensor" in refusal(write_v2(rows()))


def text_entry(text, start):
    """A tensor of one string: its entry, and its bytes."""
    size = struct.pack("<I", len(text))
    raw = varint(len(text)) + masked(size) + text
    crc = masked(size + masked(size) + text)
    return entry(FLOATS, dtype=7, sizes=(), start=start, size=len(raw), crc=crc), raw


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"a": "v", "b": "w"}, ["v", "w"]),
        ({"a": "v", "b": "v"}, ["a", "b"]),
        ({"a": "b", "b": "w"}, ["a", "w"]),
        ({"a": "", "c": "w"}, ["a", "b"]),
    ],
)
def test_unique_names_of_an_object_graph_are_used(names, expected, write_v2):
    attributes = [message((3, key), (2, name)) for key, name in names.items()]
    graph = message((1, message(*((2, attribute) for attribute in attributes))))
    graph_entry, raw = text_entry(graph, 24)
    first, second = entry(FLOATS[:1]), entry(FLOATS[1:], start=12)
    entries = {b"_CHECKPOINTABLE_OBJECT_GRAPH": graph_entry, b"a": first, b"b": second}
    assert list(open_checkpoint(write_v2(entries, DATA + raw))) == expected


def test_an_object_graph_is_a_text(write_v2, refusal):
    path = write_v2({b"_CHECKPOINTABLE_OBJECT_GRAPH": entry(FLOATS)})
    assert "an object graph that isn't a text" in refusal(path)


def packed(*numbers):
    return b"".join(varint(number % 2**64) for number in numbers)


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        (message((5, FLOATS.tobytes())), 1, FLOATS),
        (message((7, packed(-1, 0, 1, 2, 3, -128))), 6, np.int8([[-1, 0, 1], [2, 3, -128]])),
        (message((7, packed(0, 255, 1, 2, 3, 4))), 12, np.uint8([[0, 255, 1], [2, 3, 4]])),
        (
            message((10, packed(-(2**63), 1, 2, 3, 4, 5))),
            9,
            np.int64([[-(2**63), 1, 2], [3, 4, 5]]),
        ),
        (
            message((17, packed(2**64 - 1, 1, 2, 3, 4, 5))),
            23,
            np.uint64([[-1 % 2**64, 1, 2], [3, 4, 5]]),
        ),
        (message((11, packed(0, 1, 1, 0, 0, 1))), 10, np.bool_([[0, 1, 1], [0, 0, 1]])),
        (message((13, packed(0x3C00, *[0] * 5))), 19, np.float16([[1, 0, 0], [0, 0, 0]])),
        (message((13, packed(0x3F80, *[0] * 5))), 14, np.float32([[1, 0, 0], [0, 0, 0]])),
        (message((9, bytes(44) + b"\0\0\x80\x3f")), 8, np.complex64([[0, 0, 0], [0, 0, 1j]])),
    ],
)
def test_values_of_v1_are_read(values, dtype, expected, write_v1, read_all):
    found = read_all(write_v1(values, dtype))["w"]
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


def test_strings_of_v1_are_read(write_v1, read_all):
    path = write_v1(message((8, "a"), (8, b"\xff")), 7, (2,))
    assert read_all(path)["w"].tolist() == [b"a", b"\xff"]


@pytest.mark.parametrize(
    ("values", "dtype", "reason"),
    [
        (message((5, bytes(20))), 1, "20 bytes where shape and dtype need 24"),
        (message((5, bytes(28))), 1, "28 bytes where shape and dtype need 24"),
        (message(), 1, "0 bytes where shape and dtype need 24"),
        (message((5, 1)), 1, "field 5 isn't bytes"),
        (message((5, bytes(24)), (5, bytes(24))), 1, "field 5 more than once"),
        (message((7, packed(1, 2, 3))), 3, "3 numbers where shape and dtype need 6"),
        (message((7, packed(1, 2, 3, 4, 5, 6) + b"\x80")), 3, "a number that doesn't end"),
        (message((7, packed(1, 2, 3, 4, 5, 128))), 6, "a number that doesn't fit int8"),
        (message((7, packed(1, 2, 3, 4, 5, 2**40))), 3, "a number that doesn't fit int32"),
        (message((7, packed(1, 2, 3, 4, 5) + b"\xff" * 9 + b"\2")), 3, "more than 64 bits"),
        (message((7, packed(1, 2, 3, 4, 5) + b"\x80" * 10 + b"\0")), 3, "more than 64 bits"),
        (message((8, "a")), 7, "1 texts where shape and dtype need 6"),
        (message((5, bytes(24))), 24, "float8_e5m2, which this format can't have"),
        (message((5, bytes(24))), 99, "tensor 'w' is of type 99, which isn't supported"),
    ],
)
def test_wrong_values_of_v1_are_refused(values, dtype, reason, write_v1, refusal):
    assert reason in refusal(write_v1(values, dtype))


def test_the_values_are_those_of_the_variable(write_v1, refusal):
    path = write_v1(message((5, FLOATS.tobytes())), name="v")
    assert "tensor 'w' has no values" in refusal(path)


def test_a_slice_of_v1_is_there_once(write_v1, refusal):
    path = write_v1(message((5, bytes(12))), wheres=[ROWS[0], ROWS[0]])
    assert "a slice of 'w' twice" in refusal(path)


def test_an_index_under_another_name_is_explained(tmp_path, refusal):
    path = tmp_path / "renamed.ckpt"
    path.write_bytes(table_of({b"": HEADER, b"w": entry(FLOATS)}))
    assert "the list of variables has field 1 isn't bytes" in refusal(path)


def bombs() -> Iterable[bytes]:
    """Indexes that promise more than they hold, with good checksums."""
    growing = b"".join(varint(n) + b"\1\0k" for n in range(8000))
    yield table((b"w", stored(growing + b"\xc0\x3e\0\0" * 10**5 + block([]))))
    yield table((b"w", stored(varint(32 << 20) + bytes(1 << 20), 1)))
    yield table_of({b"": HEADER, b"w": entry(FLOATS, sizes=(2**57,), size=2**59)})
    yield table_of({b"": HEADER, b"w": entry(FLOATS, dtype=7, sizes=(2**57,), size=2**59)})
    yield table_of({b"": HEADER, b"w": b"\x08\1" * 10**6})


@pytest.mark.parametrize("index", list(bombs()), ids=range(5))
def test_a_bomb_takes_little_memory(index, write_v2, refusal):
    path = write_v2(index)
    tracemalloc.start()
    try:
        refusal(path)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_mutants_with_good_checksums_end_in_one_error_or_in_arrays(write_v2, read_all):
    good = {
        b"": HEADER,
        b"w": sliced(*ROWS),
        **rows(),
        b"x": entry(FLOATS, sizes=(0,), size=0, crc=masked(b"")),
    }
    rng, read = random.Random(7), 0
    for _ in range(MUTANTS):
        entries = dict(good)
        key = rng.choice(list(good))
        raw = bytearray(entries[key])
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        entries[key] = bytes(raw)
        try:
            tensors = read_all(write_v2(table_of(entries)))
        except CheckpointError as exc:
            message = str(exc)
            assert message.isprintable()
            assert len(message) <= 300
            continue
        assert all(array.nbytes <= 24 for array in tensors.values())
        read += 1
    assert 0 < read < MUTANTS / 2


def test_a_table_finds_what_is_there(tmp_path):
    path = tmp_path / "table"
    path.write_bytes(table_of({b"w": entry(FLOATS)}))
    found = Table(WeightsFile(path))
    assert bytes(found.find(b"w", "it")) == entry(FLOATS)
    assert found.find(b"v", "it") is None
    assert found.find(b"\xff\xff", "it") is None


def test_shapes_are_known_without_the_values(write_v2):
    checkpoint = open_checkpoint(write_v2({b"w": entry(FLOATS, crc=b"none")}))
    assert checkpoint.shapes == {"w": (2, 3)}
    with pytest.raises(CheckpointError, match="doesn't match its checksum"):
        checkpoint["w"]
