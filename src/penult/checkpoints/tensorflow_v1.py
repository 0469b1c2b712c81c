"""TensorFlow's first checkpoints, as most networks of 2016 were published.

One file is one table, or several named PREFIX-00000-of-00002 and so on are. The values are
SavedTensorSlices, a protocol buffer: under the key "" with a list of the variables in this file,
under the key of a slice with what is in it. A variable that isn't partitioned is one slice.
Source: tensorflow/core/util/tensor_slice_writer.cc, tensorflow/core/util/saved_tensor_slice.proto
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from penult.checkpoints.base import Array, Checkpoint, Format, Tensor, WeightsFile
from penult.checkpoints.table import Table, is_table
from penult.checkpoints.tensor_protos import NO_TENSORS, STRING, TYPES, read_shape, read_values
from penult.checkpoints.tensor_slices import Slice, joined, partition, read_slice, slice_key
from penult.checkpoints.tensorflow_files import describe_files, shards
from penult.util.budget import Budget
from penult.util.protobuf import MalformedError, Message, fields_budget
from penult.util.text import quoted

MAX_SLICES = 20_000  # of all variables; one that isn't partitioned is one
MAX_FIELDS = 1000  # about a slice, beside its texts

_LIST = "the list of variables"


class _Shard(NamedTuple):
    """A file and the table in it."""

    file: WeightsFile
    table: Table


class _Variable(NamedTuple):
    """A variable as the lists have it: each slice with the file that it is in."""

    dtype: int
    shape: tuple[int, ...]
    slices: dict[Slice, _Shard]


class _Part(NamedTuple):
    """One slice of a variable."""

    shard: _Shard
    where: Slice
    shape: tuple[int, ...]


def _recognises(file: WeightsFile) -> bool:
    return is_table(file)


def _open(file: WeightsFile) -> Checkpoint:
    files = shards(file)
    variables: dict[str, _Variable] = {}
    slices = Budget(MAX_SLICES, "slices of variables", MalformedError)
    for each in files:
        with describe_files(each, _LIST):
            _add_variables(_Shard(each, Table(each)), variables, slices)
    tensors = {
        name: _tensor(file, name, variable)
        for name, variable in variables.items()
        if variable.dtype not in NO_TENSORS
    }
    return Checkpoint(files[0], V1.name, tensors, {}, files[1:])


def _add_variables(shard: _Shard, variables: dict[str, _Variable], slices: Budget) -> None:
    content = shard.table.find(b"", _LIST)
    if content is None:
        raise MalformedError("no entry; an index of V2 is named .index")
    for message in Message(content).message(1).messages(1):
        name, found = (
            message.name(1),
            _Variable(message.number(3), read_shape(message.message(2)), {}),
        )
        variable = variables.setdefault(name, found)
        slices.spend(max(1, len(message.contents(4))))
        if (variable.dtype, variable.shape) != (found.dtype, found.shape):
            raise MalformedError(f"{quoted(name)} with two types or shapes")
        for each in message.messages(4):
            where = read_slice(each)
            if where in variable.slices:
                raise MalformedError(f"a slice of {quoted(name)} twice")
            variable.slices[where] = shard


def _tensor(file: WeightsFile, name: str, variable: _Variable) -> Tensor:
    label = f"tensor {quoted(name)}"
    if variable.dtype not in TYPES:
        raise file.error(
            f"{label} is of type {variable.dtype}, which isn't supported; convert it to float32"
        )
    with describe_files(file, label):
        axis, slices = partition(variable.shape, tuple(variable.slices))
    dtype = TYPES[variable.dtype]
    parts = [_Part(variable.slices[where], where, shape) for where, shape in slices]
    return Tensor(dtype, variable.shape, partial(_read, name, dtype, parts, axis))


def _read(name: str, dtype: str, parts: Sequence[_Part], axis: int) -> Array:
    return joined([_read_part(name, dtype, part) for part in parts], axis)


def _read_part(name: str, dtype: str, part: _Part) -> Array:
    label = f"tensor {quoted(name)}"
    with describe_files(part.shard.file, label):
        content = part.shard.table.find(slice_key(name, part.where), label)
        if content is None:
            raise MalformedError("no values")
        texts = math.prod(part.shape) if dtype == STRING else 0
        most = MAX_FIELDS + texts
        saved = Message(content, fields_budget(most), most).message(2)
        if saved.name(1) != name or read_slice(saved.message(2)) != part.where:
            raise MalformedError("the values of another one")
        return read_values(saved.message(3), dtype, part.shape)


V1 = Format("TensorFlow (V1)", _recognises, _open)
