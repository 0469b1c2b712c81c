"""Files of many images read at any place, whether they lie here or in a bucket."""

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from penult.errors import ImageError
from penult.images.addresses import is_address, parse
from penult.images.items import Version
from penult.images.stores import store_of, store_to_read
from penult.util.files import held_time

if TYPE_CHECKING:
    import pyarrow as pa
    from _typeshed import WriteableBuffer

CHANGED = "the file that holds it was written to since it was listed"
PIECE_BYTES = 2 << 20  # that are read ahead from a bucket: to fetch them takes little longer


class Blob(Protocol):
    """A file that is open."""

    size: int

    def pread(self, size: int, at: int) -> bytes:
        """Read bytes from a place on; fewer only at the end."""


class _Here:
    """A file of this machine."""

    def __init__(self, file: int, size: int) -> None:
        self._file = file
        self.size = size

    def pread(self, size: int, at: int) -> bytes:
        return os.pread(self._file, size, at)


class _Far:
    """A file in a bucket.

    Args:
        path: Its address.
        version: Which one of it is read.
        ahead: Bytes that are fetched at least, and held for what is asked for next.
    """

    def __init__(self, path: str, version: Version, ahead: int) -> None:
        address = parse(path)
        self._store, self._name = store_to_read(address), address.name
        self._version = version
        self._ahead = ahead
        self._held, self._start = b"", 0
        self.size = version.bytes

    def pread(self, size: int, at: int) -> bytes:
        size = max(0, min(size, self.size - at))
        place = at - self._start
        if not 0 <= place <= place + size <= len(self._held):
            end = at + max(size, self._ahead)
            self._held, self._start = self._store.read(self._name, self._version, at, end), at
            place = 0
        return self._held[place : place + size]


def version_of(file: int | str) -> Version:
    """Size and time of change of a file of many images; of a Lance table its newest version's.

    One in a bucket was looked at a few seconds ago at most.

    Raises:
        OSError: It isn't there, or is a device or a pipe.
    """
    if isinstance(file, str) and is_address(file):
        address = parse(file)
        return store_of(address).looked(address.name)
    status = os.stat(file)  # noqa: PTH116 -- by text
    if stat.S_ISDIR(status.st_mode):
        return Version(0, held_time(os.stat(f"{file}/_versions").st_mtime_ns))  # noqa: PTH116
    if not stat.S_ISREG(status.st_mode):
        raise OSError("a device or a pipe, not a file")
    return Version(status.st_size, held_time(status.st_mtime_ns))


@contextmanager
def opened(path: str, version: Version, *, ahead: bool = False) -> Iterator[Blob]:
    """Open a file that has to be of a version.

    Args:
        path: Where it is.
        version: What it was when it was listed.
        ahead: Whether it is read forward, so that more may be fetched than is asked for.

    Raises:
        ImageError: It is another one now.
        OSError: It can't be opened.
    """
    if is_address(path):
        yield _Far(path, version, PIECE_BYTES if ahead else 0)
        return
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        require(version_of(file.fileno()), version)
        yield _Here(file.fileno(), version.bytes)


def require(now: Version, version: Version) -> None:
    """Raise an ImageError if a file isn't what was listed."""
    if now != version:
        raise ImageError("changed", CHANGED)


def arrow_file(path: str, version: Version) -> "pa.NativeFile":
    """Open a file for Arrow, which reads it a mebibyte or so at a time."""
    import pyarrow as pa

    if is_address(path):
        return pa.PythonFile(BlobFile(_Far(path, version, PIECE_BYTES)), mode="r")
    return pa.OSFile(os.fsencode(path))


class BlobFile(io.RawIOBase):
    """An open file as Python has it."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._at = 0

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Read into memory."""
        view = memoryview(buffer).cast("B")
        data = self._blob.pread(len(view), self._at)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a place."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._blob.size}[whence]
        if start + offset < 0:
            raise OSError("a place before the start")
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        """The place that comes next."""
        return self._at

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    @property
    def size(self) -> int:
        """Bytes."""
        return self._blob.size
