r"""NumPy's `.npz`: a zip archive of `.npy` files, deflated or not.

    6 bytes     "\x93NUMPY"
    2 bytes     version: 1.0, 2.0 or 3.0
    2 bytes     n, the header's length, little-endian; 4 bytes since version 2.0
    n bytes     {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }, padded with spaces
    the rest    the elements, of which there are exactly as many as the shape says

Read are numbers, truth values and texts of fixed length. Python objects are pickled there, so are
refused; the header is matched with a pattern, and not evaluated.
Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

import math
import re
from functools import partial
from typing import Literal, NamedTuple

import numpy as np

from penult.checkpoints.archive import Archive, contents
from penult.checkpoints.arrays import array_at
from penult.checkpoints.base import Array, Checkpoint, Format, Tensor, WeightsFile
from penult.checkpoints.elements import MAX_DIMENSIONS
from penult.util.text import quoted

MAX_HEADER = 10_000  # bytes; NumPy's own limit

_SUFFIX = ".npy"
_HEADER = re.compile(
    rb"\{'descr': ('[^']*'|\[.*\]), 'fortran_order': (True|False),"
    rb" 'shape': \(((?:\d{1,19}L?(?:, ?|,?(?=\))))*)\),? ?\}\s*"
)
_DTYPE = re.compile(r"[<>|=](?:b1|[iu][1248]|f[248]|c(?:8|16)|[SU][1-9]\d{0,5})")


class _Header(NamedTuple):
    """What is said before the elements, and where these begin."""

    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    order: Literal["C", "F"]
    end: int


def _recognises(file: WeightsFile) -> bool:
    names = contents(file)
    return bool(names) and all(name.endswith(_SUFFIX) for name in names)


def _open(file: WeightsFile) -> Checkpoint:
    archive = Archive(file, packed=True)
    headers = {name: _header(archive, name) for name in archive.records}
    tensors = {
        name.removesuffix(_SUFFIX): Tensor(
            header.dtype.str, header.shape, partial(_read, archive, name, header)
        )
        for name, header in headers.items()
    }
    return Checkpoint(file, NPZ.name, tensors, {})


def _header(archive: Archive, name: str) -> _Header:
    file, record = archive.file, archive.records[name]
    raw = archive.beginning(name, 12 + MAX_HEADER)
    label = f"tensor {quoted(name.removesuffix(_SUFFIX))}"
    begin, end = _extent(raw)
    match = _HEADER.fullmatch(raw[begin:end])
    if not match or end > len(raw):
        raise file.damaged(f"{label} has no proper header of a .npy file", record.start)
    descr = match[1].decode("latin-1").strip("'")
    if "O" in descr:
        raise file.unsafe(f"{label} consists of pickled Python objects", record.start)
    if not _DTYPE.fullmatch(descr):
        raise file.error(
            f"{label} is of type {quoted(descr)}, which isn't supported; convert it to float32",
            record.start,
        )
    dtype = np.dtype(descr)
    shape = tuple(int(number) for number in re.findall(rb"\d+", match[3]))
    if len(shape) > MAX_DIMENSIONS or end + math.prod(shape) * dtype.itemsize != record.size:
        raise file.damaged(f"{label} doesn't have the bytes of its shape and type", record.start)
    if math.prod(it for it in shape if it) * dtype.itemsize >= 2**63:
        raise file.damaged(f"{label} has an impossible shape", record.start)
    return _Header(dtype, shape, "F" if match[2] == b"True" else "C", end)


def _extent(raw: bytes) -> tuple[int, int]:
    """Where the header's text begins and ends; nowhere if it isn't a `.npy` file."""
    if raw[:6] != b"\x93NUMPY" or raw[6:8] not in (b"\1\0", b"\2\0", b"\3\0"):
        return 0, 0
    begin = 10 if raw[6] == 1 else 12
    return begin, begin + int.from_bytes(raw[8:begin], "little")


def _read(archive: Archive, name: str, header: _Header) -> Array:
    file, start, _ = archive.unpacked(name)
    return array_at(file.data, header.dtype, start + header.end, header.shape, header.order)


NPZ = Format("NumPy (.npz)", _recognises, _open)
