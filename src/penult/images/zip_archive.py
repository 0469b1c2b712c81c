"""Zip archives as sources of images: members that are stored or deflated, read anywhere."""

import stat
import struct
import zlib
from array import array
from collections.abc import Iterator
from functools import partial
from zipfile import BadZipFile, ZipFile, ZipInfo

from penult.errors import ImageError
from penult.images.addresses import is_address
from penult.images.blobs import Blob, BlobFile
from penult.images.items import Version
from penult.images.members import Archive
from penult.images.names import as_key
from penult.images.sidecars import Entry
from penult.util.text import quoted

MAX_DIRECTORY = 64 << 20  # bytes of an archive's list, which is in memory while it is read
STORED, DEFLATED = 0, 8
_NAME_BYTES = 256  # before a member's bytes that are read along with them
_LOCAL = struct.Struct("<4s22xHH")  # before a member's bytes: lengths of its name and of the rest
_METHODS = {12: "bzip2", 14: "LZMA", 93: "Zstandard", 99: "encryption (AES)"}


class _Bounded(BlobFile):
    """A file of which nothing large is read at once: `zipfile` takes a directory's word for it."""

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = self.size - self.tell() if size in (None, -1) else size
        if wanted is None or not 0 <= wanted <= MAX_DIRECTORY:
            raise BadZipFile(f"its list of members has more than {MAX_DIRECTORY:,} bytes")
        return super().read(wanted) or b""


class Zip(Archive):
    """A zip archive."""

    def __init__(self, path: str, version: Version) -> None:
        super().__init__(path, version)
        self._packed = array("q")  # bytes that each image takes in it
        self._methods = array("i")
        self._sums = array("L")
        with self.opened() as blob:
            for info in _members(_Bounded(blob)):
                self._add(info)

    @property
    def is_far(self) -> bool:
        """Whether it is in a bucket."""
        return is_address(self.path)

    def _add(self, info: ZipInfo) -> None:
        if stat.S_ISLNK(info.external_attr >> 16):
            return
        before = len(self.index.names)
        self.index.add(info.filename, info.header_offset, info.file_size, _complaint(info))
        if len(self.index.names) > before:
            self._packed.append(info.compress_size)
            self._methods.append(info.compress_type)
            self._sums.append(info.CRC)

    def entries(self) -> Iterator[Entry]:
        """Yield all of its members that can be read."""
        with self.opened() as blob:
            for info in _members(_Bounded(blob)):
                if not (_complaint(info) or stat.S_ISLNK(info.external_attr >> 16)):
                    name = as_key(info.filename.removeprefix("./"))
                    yield Entry(name, info.file_size, partial(_content, blob, info))

    def read(self, number: int, max_bytes: int) -> bytes:
        """Read an image."""
        size, packed = self.index.sizes[number], self._packed[number]
        if packed > max_bytes:
            raise ImageError("too_large", f"{packed:,} bytes packed, the limit is {max_bytes:,}")
        with self.opened() as blob:
            data = _packed(blob, self.index.at[number], packed)
        if self._methods[number] == DEFLATED:
            data = _inflated(data, size)
        if len(data) == size and zlib.crc32(data) != self._sums[number]:
            raise ImageError("damaged", "its checksum in the archive is another one")
        return data


def _members(file: _Bounded) -> list[ZipInfo]:
    try:
        return ZipFile(file).infolist()
    except (BadZipFile, NotImplementedError, LookupError, struct.error) as error:
        raise ValueError(f"no zip archive, or one that is cut: {error}") from error


def _complaint(info: ZipInfo) -> ImageError | None:
    """Why a member can't be read."""
    if info.flag_bits & 1:
        return ImageError("unsupported_format", "encrypted: unpack it with its password")
    if info.compress_type not in (STORED, DEFLATED):
        how = _METHODS.get(info.compress_type, f"method {info.compress_type}")
        return ImageError("unsupported_format", f"packed by {how}: pack it by deflate, or not")
    return None


def _content(blob: Blob, info: ZipInfo) -> bytes:
    """A small member, whole."""
    if info.compress_size > MAX_DIRECTORY:
        raise ValueError(f"{info.compress_size:,} bytes packed")
    data = _packed(blob, info.header_offset, info.compress_size)
    data = _inflated(data, info.file_size) if info.compress_type == DEFLATED else data
    if zlib.crc32(data) != info.CRC:
        raise ValueError(f"{quoted(info.filename)}: its checksum in the archive is another one")
    return data


def _packed(blob: Blob, at: int, size: int) -> bytes:
    """A member's bytes as they lie in a file, behind a header, mostly read along with it."""
    data = blob.pread(_LOCAL.size + _NAME_BYTES + size, at)
    if len(data) < _LOCAL.size or not data.startswith(b"PK\3\4"):
        raise ValueError(f"byte {at}: no member of a zip archive")
    _, name, rest = _LOCAL.unpack_from(data)
    start = _LOCAL.size + name + rest
    if name + rest > _NAME_BYTES:
        return blob.pread(size, at + start)
    return data[start : start + size]


def _inflated(data: bytes, size: int) -> bytes:
    """What bytes unpack to; no more than one byte above a size, by which that is noticed."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size + 1)
    except zlib.error as error:
        raise ValueError(f"can't be unpacked ({error})") from error
