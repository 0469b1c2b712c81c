"""The records of a zip archive as PyTorch writes it: stored, each whole and by itself.

The standard library reads the central directory. Here it is checked that the archive is one that
all readers read alike: no compression, no encryption, no name twice, nothing before the first
record or after the directory, no overlaps, and the header before each record agrees with the
directory. A record's bytes are compared with their CRC-32 when they are first asked for.
"""

import struct
import zipfile
import zlib
from collections.abc import Mapping
from mmap import mmap
from typing import IO, NamedTuple, cast

from penult.checkpoints.base import WeightsFile
from penult.text import one_line, quoted

MAX_DIRECTORY = 2 << 20  # bytes; a record takes about 70
_PICKLE = "data.pkl"  # is in every archive, and in its folder all other records
_HEADER = struct.Struct("<4s5H3I2H")  # before each record, followed by name and extra field
_SIZES_FOLLOW = 1 << 3  # flag: checksum and sizes may be 0 here, they stand after the record too
_UTF8 = 1 << 11  # flag: the name is UTF-8, not code page 437
_IN_EXTRA_FIELD = 2**32 - 1  # a size that stands in the extra field, with 64 bits


class Record(NamedTuple):
    """Where the header and the bytes of a record are, and their checksum."""

    header: int
    start: int
    end: int
    crc: int


class Archive:
    """The records of one archive, by their names without the folder that all of them are in."""

    def __init__(self, file: WeightsFile) -> None:
        self.file = file
        self.records = _read_directory(file)
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


def _read_directory(file: WeightsFile) -> dict[str, Record]:
    if file.data[-22:-18] != b"PK\5\6":
        raise file.damaged("zip archive that doesn't end with its directory")
    try:
        archive = zipfile.ZipFile(cast("IO[bytes]", _Pieces(file.data)))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error) as exc:
        reason = one_line(str(exc), 80)
        raise file.damaged(f"zip archive with a broken directory ({reason})") from exc
    infos = archive.infolist()
    names = [info.orig_filename for info in infos]
    folder = next((name[: -len(_PICKLE)] for name in names if name.endswith("/" + _PICKLE)), None)
    if folder is None:
        raise file.error("a zip archive, but not PyTorch's: it has no data.pkl")
    if len(set(names)) < len(names) or not all(name.startswith(folder) for name in names):
        raise file.damaged("a record twice or outside the folder of data.pkl")
    records = {info.orig_filename.removeprefix(folder): _located(file, info) for info in infos}
    _check_order(file, records, archive.start_dir)
    return records


def _located(file: WeightsFile, info: zipfile.ZipInfo) -> Record:
    label = f"record {quoted(info.orig_filename)}"
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & ~(_SIZES_FOLLOW | _UTF8):
        raise file.error(
            f"{label} is compressed or encrypted, as PyTorch never has it;"
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
        (magic, flags, method) != (b"PK\3\4", info.flag_bits, zipfile.ZIP_STORED)
        or file.data[start : start + name_size] != name
        or not all(_agree(*pair, flags) for pair in zip(sums, known, strict=True))
        or info.compress_size != info.file_size
    ):
        raise file.damaged(f"{label} differs between header and directory", info.header_offset)
    start += name_size + extra_size
    return Record(info.header_offset, start, start + info.file_size, info.CRC)


def _agree(here: int, in_directory: int, flags: int) -> bool:
    return here in (in_directory, _IN_EXTRA_FIELD) or (here == 0 and bool(flags & _SIZES_FOLLOW))


def _check_order(file: WeightsFile, records: Mapping[str, Record], directory: int) -> None:
    ordered = sorted(records.items(), key=lambda item: item[1].header)
    if ordered[0][1].header != 0:
        raise file.damaged("something before the first record", 0)
    ends = [*(record.header for _, record in ordered[1:]), directory]
    for (name, record), end in zip(ordered, ends, strict=True):
        if record.end > end:
            raise file.damaged(f"record {quoted(name)} overlaps what follows", record.header)
