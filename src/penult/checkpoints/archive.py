"""The records of a zip archive, as PyTorch, Keras and NumPy write it.

The standard library reads the central directory. Here it is checked that the archive is one that
all readers read alike: no encryption, no name twice, nothing before the first record or after the
directory, no overlaps, and the header before each record agrees with the directory. A record's
bytes are compared with their CRC-32 when they are first asked for.

PyTorch's records are stored as they are, in one folder; only a program's code beside them, which is
never read, may be deflated. So may all of others': these are unpacked in memory whenever they are
asked for, up to `MAX_UNPACKED` bytes each and `unpacked_limit` of the file together.
"""

import struct
import zipfile
import zlib
from collections.abc import Mapping
from mmap import mmap
from pathlib import Path
from typing import IO, NamedTuple, cast

from penult.checkpoints.base import WeightsFile
from penult.errors import CheckpointError
from penult.util.budget import unpacked_limit
from penult.util.text import one_line, quoted

MAX_DIRECTORY = 2 << 20  # bytes; a record takes about 70
MAX_UNPACKED = 2 << 30  # bytes of a record; VGG-19 takes 0.6 GB

_PIECE = 1 << 20  # bytes unpacked at once
_PICKLE = "data.pkl"  # is in every archive, and in its folder all other records
_UNREAD = ("code/", "extra/")  # folders of a TorchScript program
_HEADER = struct.Struct("<4s5H3I2H")  # before each record, followed by name and extra field
_SIZES_FOLLOW = 1 << 3  # flag: checksum and sizes may be 0 here, they stand after the record too
_LEVEL = 3 << 1  # flags: how hard deflate was to try
_UTF8 = 1 << 11  # flag: the name is UTF-8, not code page 437
_MANY = 2**16 - 1  # records, as far as the old end of a directory can say
_IN_EXTRA_FIELD = 2**32 - 1  # a size that stands in the extra field, with 64 bits


class Record(NamedTuple):
    """Where the header and the bytes of a record are; how many, and what checksum, unpacked."""

    header: int
    start: int
    end: int
    crc: int
    size: int
    packed: bool


class _Unpacked(WeightsFile):
    """A record in memory."""

    def __init__(self, path: Path, data: mmap) -> None:
        self.path, self.data, self.size = path, data, len(data)


class Archive:
    """The records of one archive, by name.

    Args:
        file: The archive.
        packed: Whether records may be deflated. If not, it is PyTorch's: the names are without the
            folder that all records are in.
    """

    def __init__(self, file: WeightsFile, *, packed: bool = False) -> None:
        self.file = file
        self.records = _read_directory(file, packed=packed)
        if packed:
            _check_unpacked(file, self.records)
        self._sound: set[str] = set()

    def size(self, name: str) -> int | None:
        """How many bytes the record has; None if there is no such record."""
        record = self.records.get(name)
        return record.end - record.start if record else None

    def record(self, name: str) -> Record:
        """The record of this name, once its bytes have proved to be those that were written."""
        record = self.records[name]
        if name not in self._sound:
            with memoryview(self.file.data)[record.start : record.end] as content:
                crc = zlib.crc32(content)
            if crc != record.crc and record.crc == 0:
                raise self.file.error(
                    f"record {quoted(name)} has no checksum;"
                    " save it again after torch.serialization.set_crc32_options(True)"
                )
            if crc != record.crc:
                raise self.file.damaged(
                    f"record {quoted(name)} doesn't match its checksum", record.start
                )
            self._sound.add(name)
        return record

    def read(self, name: str) -> bytes:
        """The bytes of a record."""
        record = self.record(name)
        return self.file.data[record.start : record.end]

    def beginning(self, name: str, size: int) -> bytes:
        """So many of a record's first bytes, or all; their checksum isn't known."""
        record = self.records[name]
        if not record.packed:
            return self.file.data[record.start : min(record.end, record.start + size)]
        packed = self.file.data[record.start : min(record.end, record.start + 2 * size)]
        try:
            return _inflater().decompress(packed, size)
        except zlib.error as exc:
            raise self._broken(name) from exc

    def unpacked(self, name: str) -> tuple[WeightsFile, int, int]:
        """A file, in memory if need be, and where in it the bytes of a record begin and end."""
        record = self.records[name]
        if not record.packed:
            self.record(name)
            return self.file, record.start, record.end
        content = mmap(-1, max(record.size, 1))  # taken only as it is filled
        try:
            crc = self._inflate(record, content)
        except (zlib.error, ValueError) as exc:
            raise self._broken(name) from exc
        if crc != record.crc or content.tell() != record.size:
            raise self._broken(name)
        return _Unpacked(self.file.path / name, content), 0, record.size

    def _inflate(self, record: Record, content: mmap) -> int:
        """Fill `content`; returns the checksum."""
        inflater, crc = _inflater(), 0
        for start in range(record.start, record.end, _PIECE):
            packed = self.file.data[start : min(start + _PIECE, record.end)]
            while piece := inflater.decompress(packed, _PIECE):  # may hold back more of it
                packed = inflater.unconsumed_tail
                crc = zlib.crc32(piece, crc)
                content.write(piece)  # a ValueError if there is more than announced
        return crc

    def _broken(self, name: str) -> CheckpointError:
        return self.file.damaged(
            f"record {quoted(name)} can't be unpacked, or doesn't match its checksum",
            self.records[name].start,
        )


def contents(file: WeightsFile) -> list[str]:
    """The names of the records; none if it isn't a zip archive, or has a broken directory."""
    if file.data[:4] != b"PK\3\4":
        return []
    try:
        return [info.orig_filename for info in _directory(file).infolist()]
    except CheckpointError:
        return []


def _inflater() -> "zlib._Decompress":
    return zlib.decompressobj(-zlib.MAX_WBITS)  # without a header


class _Pieces:
    """The file as `zipfile` reads it: no piece is larger than the directory may be."""

    def __init__(self, data: mmap) -> None:
        self.seek, self.tell = data.seek, data.tell
        self._data = data

    def read(self, count: int = -1) -> bytes:
        if count < 0:
            count = len(self._data) - self.tell()
        if count > MAX_DIRECTORY:
            raise ValueError(f"directory of more than {MAX_DIRECTORY} bytes")
        return self._data.read(count)


def _directory(file: WeightsFile) -> zipfile.ZipFile:
    if file.data[-22:-18] != b"PK\5\6":
        raise file.damaged("zip archive that doesn't end with its directory")
    try:
        return zipfile.ZipFile(cast("IO[bytes]", _Pieces(file.data)))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error) as exc:
        reason = one_line(str(exc), 80)
        raise file.damaged(f"zip archive with a broken directory ({reason})") from exc


def _read_directory(file: WeightsFile, *, packed: bool) -> dict[str, Record]:
    archive = _directory(file)
    infos = archive.infolist()
    if int.from_bytes(file.data[-12:-10], "little") not in (len(infos), _MANY):
        raise file.damaged("zip archive with another number of records than its directory says")
    names = [info.orig_filename for info in infos]
    folder = "" if packed else _folder(file, names)
    if len(set(names)) < len(names) or not all(name.startswith(folder) for name in names):
        raise file.damaged("a record twice or outside the folder of data.pkl")
    unread = tuple(folder + name for name in _UNREAD)
    records = {
        info.orig_filename.removeprefix(folder): _locate(
            file, info, packed=packed or info.orig_filename.startswith(unread)
        )
        for info in infos
    }
    _check_order(file, records, archive.start_dir)
    return records


def _folder(file: WeightsFile, names: list[str]) -> str:
    for name in names:
        if name.endswith("/" + _PICKLE):
            return name[: -len(_PICKLE)]
    raise file.error(
        "a zip archive, but not PyTorch's: it has no data.pkl; nor Keras' with"
        " model.weights.h5, nor NumPy's, all .npy"
    )


def _locate(file: WeightsFile, info: zipfile.ZipInfo, *, packed: bool) -> Record:
    label = f"record {quoted(info.orig_filename)}"
    stored = info.compress_type == zipfile.ZIP_STORED
    if info.flag_bits & ~(_SIZES_FOLLOW | _UTF8 | (_LEVEL if packed else 0)) or not (
        stored or (packed and info.compress_type == zipfile.ZIP_DEFLATED)
    ):
        form = "not deflated but otherwise packed" if packed else "compressed"
        writer = "NumPy or Keras" if packed else "PyTorch"
        raise file.error(
            f"{label} is {form} or encrypted, as {writer} never has it;"
            " unpack the archive and pack it with no compression"
        )
    name = info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "cp437")
    start = info.header_offset + _HEADER.size
    header = file.data[info.header_offset : start] if info.header_offset >= 0 else b""
    if len(header) < _HEADER.size:
        raise file.damaged(f"{label} is outside the file")
    magic, _, flags, method, _, _, *sums, name_size, extra_size = _HEADER.unpack(header)
    known = (info.CRC, info.compress_size, info.file_size)
    if (
        (magic, flags, method) != (b"PK\3\4", info.flag_bits, info.compress_type)
        or file.data[start : start + name_size] != name
        or not all(_agree(*pair, flags) for pair in zip(sums, known, strict=True))
        or (stored and info.compress_size != info.file_size)
    ):
        raise file.damaged(f"{label} differs between header and directory", info.header_offset)
    start += name_size + extra_size
    end = start + info.compress_size
    return Record(info.header_offset, start, end, info.CRC, info.file_size, not stored)


def _agree(here: int, in_directory: int, flags: int) -> bool:
    return here in (in_directory, _IN_EXTRA_FIELD) or (here == 0 and bool(flags & _SIZES_FOLLOW))


def _check_unpacked(file: WeightsFile, records: Mapping[str, Record]) -> None:
    total = sum(record.size for record in records.values() if record.packed)
    largest = max(records, key=lambda name: records[name].size, default="")
    if total > unpacked_limit(file.size) or (largest and records[largest].size > MAX_UNPACKED):
        raise file.error(
            f"records of {total} bytes unpacked, of which {quoted(largest)} is the largest;"
            " unpack the archive and pack it with no compression"
        )


def _check_order(file: WeightsFile, records: Mapping[str, Record], directory: int) -> None:
    ordered = sorted(records.items(), key=lambda item: item[1].header)
    if not ordered or ordered[0][1].header != 0:
        raise file.damaged("something before the first record", 0)
    ends = [*(record.header for _, record in ordered[1:]), directory]
    for (name, record), end in zip(ordered, ends, strict=True):
        if record.end > end:
            raise file.damaged(f"record {quoted(name)} overlaps what follows", record.header)
