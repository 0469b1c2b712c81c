"""TensorFlow's checkpoints since 2016, of its Saver and of Keras' save_weights.

PREFIX.index is a table in which are

    ""              BundleHeaderProto: number of data files, byte order
    NAME            BundleEntryProto: type, shape, place in which data file, checksum, slices
    key of a slice  BundleEntryProto of a slice of a partitioned variable

and the values are in PREFIX.data-00000-of-00001 and so on, row-major; of strings first all lengths,
as varints, and the checksum of these. Strings become arrays of bytes objects. Handles and variants
are no tensors, and left aside. Object-based checkpoints have paths in place of names, and a graph
in which the names are; here, variables have their names, as far as these are unique.
Source: tensorflow/core/util/tensor_bundle/tensor_bundle.cc,
tensorflow/core/protobuf/tensor_bundle.proto, trackable_object_graph.proto
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import accumulate, pairwise
from typing import NamedTuple

from penult.checkpoints.base import Array, Checkpoint, Format, Tensor, WeightsFile
from penult.checkpoints.elements import item_size, read_array
from penult.checkpoints.table import Table, crc32c, is_table, masked
from penult.checkpoints.tensor_protos import (
    NO_TENSORS,
    STRING,
    TYPES,
    check_size,
    element,
    read_shape,
    strings,
)
from penult.checkpoints.tensor_slices import Slice, joined, partition, read_slice, slice_key
from penult.checkpoints.tensorflow_files import MAX_SHARDS, beside, describe_files
from penult.util.budget import Budget
from penult.util.protobuf import MalformedError, Message, fields_budget, text, varint
from penult.util.text import quoted

MAX_ENTRIES = 20_000  # slices included
MAX_TEXTS = 100_000  # in all tensors
_SLICE = b"\0"  # first byte of a slice's key
_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


class _Entry(NamedTuple):
    """Where a tensor is; if it has slices, it is where they are."""

    dtype: str
    shape: tuple[int, ...]
    shard: int
    start: int
    size: int
    crc: int
    slices: tuple[Slice, ...]


def _recognises(file: WeightsFile) -> bool:
    return is_table(file) and file.path.suffix == ".index"


def _open(file: WeightsFile) -> Checkpoint:
    bundle = _Bundle(file)
    tensors: dict[str, Tensor] = {}
    for key, entry in bundle.entries.items():
        if not key.startswith(_SLICE):
            with describe_files(file, f"tensor {_label(key)}"):
                name = text(key)
                tensors[name] = bundle.tensor(name, entry)
    slices = sum(len(entry.slices) for entry in bundle.entries.values())
    if len(tensors) + slices != len(bundle.entries):
        raise file.damaged("slices that belong to no tensor, or to two")
    return Checkpoint(file, V2.name, _with_names(file, tensors), {}, bundle.shards.values())


class _Bundle:
    """The entries of an index, and the data files that they are about."""

    def __init__(self, index: WeightsFile) -> None:
        self.index = index
        shard_count, self.entries = _read_index(index)
        self.shards = _open_shards(index, shard_count, self.entries)
        _check_places(self.shards, self.entries)

    def tensor(self, name: str, entry: _Entry) -> Tensor:
        """The tensor of an entry, which may consist of slices with entries of their own."""
        axis, parts = 0, [entry]
        if entry.slices:
            axis, slices = partition(entry.shape, entry.slices)
            parts = [self.slice(name, where, entry.dtype, shape) for where, shape in slices]
        return Tensor(entry.dtype, entry.shape, partial(self.read, name, parts, axis))

    def slice(self, name: str, where: Slice, dtype: str, shape: tuple[int, ...]) -> _Entry:
        part = self.entries.get(slice_key(name, where))
        if part is None or (part.dtype, part.shape, part.slices) != (dtype, shape, ()):
            raise MalformedError("a slice that isn't there, or of another type or shape")
        return part

    def read(self, name: str, parts: Sequence[_Entry], axis: int) -> Array:
        return joined([self.read_part(name, part) for part in parts], axis)

    def read_part(self, name: str, entry: _Entry) -> Array:
        file = self.shards.get(entry.shard, self.index)  # an empty tensor may have no data file
        content = memoryview(file.data)[entry.start : entry.start + entry.size]
        with describe_files(file, f"tensor {quoted(name)}"):
            if entry.dtype == STRING:
                texts, crc = _read_texts(content, math.prod(entry.shape))
                array = strings(texts, entry.shape)
            else:
                crc = crc32c(content)
                array = read_array(content, element(entry.dtype), 0, entry.shape, None)
        if masked(crc) != entry.crc:
            raise file.damaged(f"tensor {quoted(name)} doesn't match its checksum", entry.start)
        return array


def _label(key: bytes) -> str:
    return quoted(key.decode("utf-8", "replace"))


def _read_index(file: WeightsFile) -> tuple[int, dict[bytes, _Entry]]:
    """The number of data files, and the entries."""
    table, budget = iter(Table(file)), fields_budget()
    key, header = next(table, (None, memoryview(b"")))
    if key != b"":
        raise file.damaged("an index without a header")
    count = _read_header(file, header)
    slices = Budget(MAX_ENTRIES, "slices in all tensors", MalformedError)
    entries: dict[bytes, _Entry] = {}
    for number, (key, value) in enumerate(table):
        if number == MAX_ENTRIES:
            raise file.damaged(f"more than {MAX_ENTRIES} tensors")
        with describe_files(file, f"tensor {_label(key)}"):
            message = Message(value, budget)
            slices.spend(len(message.contents(7)))
            if message.number(1) not in NO_TENSORS:
                entries[key] = _entry(file, key, message, count)
    texts = [math.prod(it.shape) for it in entries.values() if it.dtype == STRING]
    if sum(texts) > MAX_TEXTS:
        raise file.damaged(f"tensors with more than {MAX_TEXTS} texts")
    return count, entries


def _read_header(file: WeightsFile, value: memoryview) -> int:
    with describe_files(file, "the header"):
        header = Message(value)
        count, byte_order = header.number(1), header.number(2)
    if byte_order != 0:
        raise file.error("not little-endian, which isn't supported; save it on another machine")
    if not 0 < count <= MAX_SHARDS:
        raise file.damaged(f"{count} data files, at most {MAX_SHARDS} expected")
    return count


def _entry(file: WeightsFile, key: bytes, message: Message, shard_count: int) -> _Entry:
    if message.number(1) not in TYPES:
        raise file.error(
            f"tensor {_label(key)} is of type {message.number(1)}, which isn't supported;"
            " convert it to float32"
        )
    entry = _Entry(
        TYPES[message.number(1)],
        read_shape(message.message(2)),
        message.number(3),
        message.number(4),
        message.number(5),
        message.number(6),
        tuple(map(read_slice, message.messages(7))),
    )
    if not 0 <= entry.shard < shard_count or entry.start < 0 or entry.size < 0:
        raise MalformedError(f"a place outside the {shard_count} data files")
    count = math.prod(entry.shape)
    if entry.dtype == STRING and not entry.slices and entry.size < count + 4:
        raise MalformedError(f"{entry.size} bytes for {count} texts")
    if entry.dtype != STRING and not entry.slices:
        check_size(entry.size, count * item_size(element(entry.dtype)))
    return entry


def _open_shards(
    file: WeightsFile, count: int, entries: Mapping[bytes, _Entry]
) -> dict[int, WeightsFile]:
    """The data files in which there is something."""
    prefix = file.path.name.removesuffix(".index")
    needed = {entry.shard for entry in entries.values() if entry.size}
    return {
        number: beside(file, f"{prefix}.data-{number:05}-of-{count:05}")
        for number in sorted(needed)
    }


def _check_places(shards: Mapping[int, WeightsFile], entries: Mapping[bytes, _Entry]) -> None:
    ends = dict.fromkeys(shards, 0)
    places = [(it.shard, it.start, it.size, key) for key, it in entries.items() if it.size]
    for number, start, size, key in sorted(places):
        if start < ends[number]:
            raise shards[number].damaged(f"tensor {_label(key)} overlaps another one", start)
        ends[number] = start + size
        if ends[number] > shards[number].size:
            raise shards[number].damaged(
                f"tensor {_label(key)} ends at {ends[number]}, the file at {shards[number].size}"
            )


def _read_texts(content: memoryview, count: int) -> tuple[list[bytes], int]:
    """The texts in a tensor, and the checksum, for which lengths are numbers of 32 or 64 bits."""
    sizes, at = [], 0
    for _ in range(count):
        size, at = varint(content, at)
        sizes.append(size)
    packed = b"".join(size.to_bytes(4 if size < 2**32 else 8, "little") for size in sizes)
    crc = crc32c(memoryview(packed))
    if content[at : at + 4] != masked(crc).to_bytes(4, "little"):
        raise MalformedError("lengths that don't match their checksum")
    crc = crc32c(content[at:], crc)
    ends = list(accumulate(sizes, initial=at + 4))
    check_size(len(content), ends[-1])
    return [bytes(content[start:end]) for start, end in pairwise(ends)], crc


def _with_names(file: WeightsFile, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of an object-based checkpoint by the names of the variables; others as before.

    A tensor whose variable has no name, or one that isn't unique, keeps the path it is saved by.
    """
    graph = tensors.pop(_GRAPH, None)
    if graph is None:
        return tensors
    if graph.dtype != STRING or graph.shape != ():
        raise file.damaged("an object graph that isn't a text")
    with describe_files(file, "the object graph"):
        names: dict[str, str] = {}
        for node in Message(memoryview(bytes(graph.read()[()]))).messages(1):
            attributes = node.messages(2)
            names |= {it.name(3): it.name(2) for it in attributes if it.name(3) in tensors}
    times = Counter(names.values())
    unique = {key: it for key, it in names.items() if it and times[it] == 1 and it not in tensors}
    return {unique.get(key, key): tensor for key, tensor in tensors.items()}


V2 = Format("TensorFlow (V2)", _recognises, _open)
