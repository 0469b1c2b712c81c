"""The parts of TensorFlow's formats, given anything: what was written, or a MalformedError."""

import contextlib
from itertools import accumulate, pairwise

import cramjam
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from penult.checkpoints.base import WeightsFile
from penult.checkpoints.table import Table
from penult.checkpoints.tensor_protos import read_shape, read_values
from penult.checkpoints.tensor_slices import joined, partition, read_slice, slice_key
from penult.errors import CheckpointError
from penult.util.protobuf import MalformedError, Message, encode, encode_varint, varint

from .tensorflow_writer import block, extents, shape, stored, table

quick = settings(max_examples=100, deadline=None, database=None)
ENTRIES = some.dictionaries(some.binary(max_size=40), some.binary(max_size=300), max_size=30)
NUMBERS = some.integers(-(2**63), 2**63 - 1)


@pytest.fixture(scope="session")
def opened(tmp_path_factory):
    """The table in a file of these bytes."""
    path = tmp_path_factory.mktemp("tables") / "table"

    def open_table(raw):
        path.unlink(missing_ok=True)
        path.write_bytes(raw)
        return Table(WeightsFile(path))

    return open_table


@quick
@given(ENTRIES, some.integers(1, 10), some.booleans())
def test_a_table_gives_back_what_was_written(opened, entries, size, packed):
    ordered = sorted(entries.items())
    pieces = [ordered[at : at + size] for at in range(0, len(ordered), size)]
    pack = (lambda raw: stored(bytes(cramjam.snappy.compress_raw(raw)), 1)) if packed else stored
    found = opened(table(*((piece[-1][0], pack(block(piece))) for piece in pieces)))
    assert {key: bytes(value) for key, value in found} == entries
    assert all(bytes(found.find(key, "it")) == value for key, value in ordered)


@quick
@given(some.binary(max_size=200), some.integers(0, 1))
def test_a_block_of_anything_ends_in_an_error_or_in_entries(opened, content, kind):
    with contextlib.suppress(CheckpointError):
        list(opened(table((b"\xff", stored(content, kind)))))


@quick
@given(some.binary(max_size=100))
def test_a_footer_of_anything_ends_in_an_error(opened, place):
    good = table((b"a", stored(block([(b"a", b"1")]))))
    with contextlib.suppress(CheckpointError):
        list(opened(good[:-48] + place[:40].ljust(40, b"\0") + good[-8:]))


@quick
@given(some.integers(0, 2**64 - 1), some.binary(max_size=3))
def test_a_number_is_read_as_it_was_written(number, before):
    raw = before + encode_varint(number)
    assert varint(memoryview(raw), len(before)) == (number, len(raw))


@quick
@given(some.binary(max_size=100))
def test_a_message_of_anything_is_malformed_or_read(raw):
    with contextlib.suppress(MalformedError):
        message = Message(memoryview(raw))
        for read in (message.number, message.content, message.contents, message.name):
            with contextlib.suppress(MalformedError):
                read(1)
        with contextlib.suppress(MalformedError):
            assert all(size >= 0 for size in read_shape(message))
        with contextlib.suppress(MalformedError):
            assert all(len(extent) == 2 for extent in read_slice(message))


@quick
@given(some.binary(max_size=60), some.sampled_from(["float32", "int8", "bool", "string"]))
def test_values_of_anything_are_malformed_or_of_their_shape(raw, dtype):
    field = {"float32": 5, "int8": 7, "bool": 11, "string": 8}[dtype]
    with contextlib.suppress(MalformedError):
        array = read_values(Message(memoryview(encode((field, raw)))), dtype, (3,))
        assert array.shape == (3,)


@quick
@given(some.lists(some.integers(0, 5), min_size=1, max_size=6), some.integers(0, 2), some.randoms())
def test_a_variable_cut_along_an_axis_is_joined_again(lengths, axis, rng):
    sizes = [2, 2, 2]
    sizes[axis] = sum(lengths)
    array = np.arange(np.prod(sizes)).reshape(sizes)
    ends = list(pairwise(accumulate(lengths, initial=0)))
    places = [[(0, -1)] * axis + [(a, b - a)] + [(0, -1)] * (2 - axis) for a, b in ends if a < b]
    rng.shuffle(places)
    if not places:
        return
    cut_axis, slices = partition(array.shape, [tuple(place) for place in places])
    parts = [
        array[tuple(slice(a, None if n == -1 else a + n) for a, n in where)] for where, _ in slices
    ]
    assert [part.shape for part in parts] == [sizes for _, sizes in slices]
    assert np.array_equal(joined(parts, cut_axis), array)


@quick
@given(
    some.lists(some.lists(some.tuples(NUMBERS, NUMBERS), max_size=3).map(tuple), max_size=4),
    some.lists(some.integers(0, 2**40), max_size=3).map(tuple),
)
def test_slices_of_anything_are_malformed_or_the_whole(slices, sizes):
    with contextlib.suppress(MalformedError):
        found = partition(sizes, slices)
        assert (
            sum(each[found.axis] for _, each in found.slices) == sizes[found.axis] if sizes else 1
        )


@quick
@given(some.lists(some.tuples(some.text("aé\0\1\xff", max_size=4), NUMBERS, NUMBERS), max_size=6))
def test_keys_of_slices_are_in_the_order_of_names_and_numbers(places):
    ordered = sorted(places, key=lambda each: (each[0].encode(), each[1:]))
    keys = [slice_key(name, (extent,)) for name, *extent in map(tuple, ordered)]
    assert keys == sorted(keys)


@quick
@given(some.lists(NUMBERS, max_size=5), some.lists(some.tuples(NUMBERS, NUMBERS), max_size=5))
def test_shapes_and_slices_are_read_as_they_were_written(sizes, pairs):
    assert read_slice(Message(memoryview(extents(*pairs)))) == tuple(pairs)
    with contextlib.suppress(MalformedError):
        assert read_shape(Message(memoryview(shape(*sizes)))) == tuple(sizes)
