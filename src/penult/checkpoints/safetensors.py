"""safetensors: a JSON header with each tensor's type, shape and place, then the bytes.

    8 bytes     n, the header's length, little-endian
    n bytes     {"__metadata__": {text: text}, NAME: {"dtype": ..., "shape": ..., "data_offsets":
                [begin, end]}, ...}, in UTF-8, padded with spaces
    the rest    the tensors' bytes, little-endian, row-major; offsets count from here

The rules are those of the reference implementation, so that no file means two things to two
readers: the header begins with "{", no key is there twice, the tensors cover the rest without holes
or overlaps, each has exactly the bytes of its shape and type.
Source: https://github.com/huggingface/safetensors#format
"""

import math
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple, TypeGuard

from penult.checkpoints.base import Checkpoint, Format, Tensor, WeightsFile
from penult.checkpoints.elements import is_possible, item_size, read_array
from penult.checkpoints.strict_json import parse_object
from penult.util.text import quoted

MAX_HEADER = 8 << 20  # bytes; about 120 a tensor. The format's own limit, 100 MB, takes 1 GB
MAX_TENSORS = 20_000

_TYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
    "C64": "complex64",
}


class _Entry(NamedTuple):
    """A tensor as the header has it; offsets are those of the file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def _recognises(file: WeightsFile) -> bool:
    return file.data[8:9] == b"{"


def _open(file: WeightsFile) -> Checkpoint:
    header, start = _read_header(file)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(it, str) for it in metadata.values()):
        raise file.damaged("__metadata__ is not a dict of texts")
    if len(header) > MAX_TENSORS:
        raise file.damaged(f"more than {MAX_TENSORS} tensors")
    entries = {name: _entry(file, name, value, start) for name, value in header.items()}
    _check_cover(file, entries, start)
    tensors = {
        name: Tensor(
            entry.dtype,
            entry.shape,
            partial(read_array, file.data, _TYPES[entry.dtype], entry.begin, entry.shape, None),
        )
        for name, entry in entries.items()
    }
    return Checkpoint(file, SAFETENSORS.name, tensors, metadata)


def _read_header(file: WeightsFile) -> tuple[dict[str, object], int]:
    length = int.from_bytes(file.data[:8], "little")
    if length > MAX_HEADER:
        raise file.damaged(f"header of {length} bytes, at most {MAX_HEADER} expected", 0)
    if length > file.size - 8:
        raise file.damaged(f"header of {length} bytes in a file of {file.size}", 0)
    return parse_object(file, "header", 8, 8 + length), 8 + length


def _entry(file: WeightsFile, name: str, value: object, start: int) -> _Entry:
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        raise file.damaged(f"tensor {quoted(name)} has other keys than dtype, shape, data_offsets")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _TYPES:
        raise file.error(
            f"tensor {quoted(name)} is of dtype {quoted(dtype)}, which isn't supported;"
            " convert it to F32"
        )
    if not _is_sizes(shape) or not _is_sizes(offsets) or len(offsets) != 2:
        raise file.damaged(f"tensor {quoted(name)} has no proper shape or data_offsets")
    begin, end = offsets
    entry = _Entry(dtype, tuple(shape), start + begin, start + end)
    element = _TYPES[dtype]
    if (
        not is_possible(entry.shape, element)
        or math.prod(entry.shape) * item_size(element) != end - begin
    ):
        raise file.damaged(f"tensor {quoted(name)} doesn't have the bytes of its shape and dtype")
    return entry


def _is_sizes(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(it) is int and 0 <= it < 2**63 for it in value)


def _check_cover(file: WeightsFile, entries: Mapping[str, _Entry], at: int) -> None:
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != at:
            raise file.damaged(f"a hole or an overlap before tensor {quoted(name)}", at)
        at = entry.end
    if at != file.size:
        raise file.damaged(f"{file.size} bytes, but the tensors end at {at}")


SAFETENSORS = Format("safetensors", _recognises, _open)
