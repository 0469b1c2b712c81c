"""Tar archives as sources of images: plain ones read anywhere, compressed ones forward.

A compressed one is unpacked in memory, never to disk: once to list it, and once more to read it, if
its images are asked for in its order. Images that are passed over on the way to another one are
kept for a while, as several threads read ahead of each other; to go back is to begin anew.
"""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import Any

from penult.errors import ImageError
from penult.images.addresses import is_address
from penult.images.blobs import Blob, arrow_file
from penult.images.items import Version
from penult.images.kept import KEPT
from penult.images.members import Archive
from penult.images.names import as_key
from penult.images.sidecars import Entry
from penult.images.tar import Bytes, Header, TarError, headers
from penult.util.text import plural

MAX_EXPANSION = 200  # times its size that an archive may unpack to
SMALL = 16 << 20  # bytes that any may
_PIECE = 1 << 20
_COMPRESSIONS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}


def compression(start: bytes) -> str | None:
    """How a file that begins so is compressed; None if it isn't, in a way that is known."""
    return next((name for magic, name in _COMPRESSIONS.items() if start.startswith(magic)), None)


class PlainTar(Archive):
    """A tar archive that isn't compressed."""

    def __init__(self, path: str, version: Version) -> None:
        super().__init__(path, version)
        with self.opened(ahead=True) as blob:
            _fill(self, _PlainBytes(blob))

    @property
    def is_far(self) -> bool:
        """Whether it is in a bucket."""
        return is_address(self.path)

    def entries(self) -> Iterator[Entry]:
        """Yield all of its members."""
        with self.opened(ahead=True) as blob:
            yield from _entries(_PlainBytes(blob))

    def read(self, number: int, max_bytes: int) -> bytes:
        """Read an image."""
        with self.opened() as blob:
            return blob.pread(self.index.sizes[number], self.index.at[number])


class PackedTar(Archive):
    """A tar archive that is compressed as a whole."""

    def __init__(self, path: str, version: Version, how: str) -> None:
        super().__init__(path, version)
        self._how = how
        self._lock = Lock()
        self._stream: _PackedBytes | None = None
        self._next = 0  # the number of the image that comes next in it
        stream = _PackedBytes(self, how)
        _fill(self, stream)
        if self.index.is_whole:
            self._check_end(stream)

    def _check_end(self, stream: "_PackedBytes") -> None:
        """Read on, to where the sum of all bytes is; zeros are before it, if anything."""
        try:
            stream.skip(_PIECE)
        except EOFError as error:
            if str(error):
                self.index.close(ImageError("damaged", f"the archive is damaged ({error})"))

    def entries(self) -> Iterator[Entry]:
        """Yield all of its members."""
        return _entries(_PackedBytes(self, self._how))

    def read(self, number: int, max_bytes: int) -> bytes:
        """Read an image."""
        with self._lock:
            kept = KEPT.pop(self, number)
            if kept is not None:
                return kept
            if self._stream is None or number < self._next:
                self._stream, self._next = _PackedBytes(self, self._how), 0
            return self._forward(self._stream, number, max_bytes)

    def _forward(self, stream: "_PackedBytes", number: int, max_bytes: int) -> bytes:
        at, sizes = self.index.at, self.index.sizes
        try:
            while self._next < number:
                if sizes[self._next] <= max_bytes and self._next not in self.index.errors:
                    stream.skip(at[self._next] - stream.tell())
                    KEPT.put(self, self._next, stream.read(sizes[self._next]))
                self._next += 1
            self._next += 1
            stream.skip(at[number] - stream.tell())
            return stream.read(sizes[number])
        except EOFError as error:
            self._stream = None
            raise ImageError("truncated", f"the archive ends early {error}".rstrip()) from error


class _PlainBytes:
    """A file as `tar.headers` reads it: only what it asks for."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._at = 0

    def read(self, size: int) -> bytes:
        data = self._blob.pread(size, self._at)
        self._at += len(data)
        return data

    def skip(self, size: int) -> None:
        if self._at + size > self._blob.size:
            self._at = self._blob.size
            raise EOFError
        self._at += size

    def tell(self) -> int:
        return self._at


class _PackedBytes:
    """What a compressed file unpacks to, within limits."""

    def __init__(self, archive: PackedTar, how: str) -> None:
        import pyarrow as pa

        archive.require_unchanged()
        file = arrow_file(archive.path, archive.version)
        self._stream: Any = pa.CompressedInputStream(file, how)
        self._limit = SMALL + MAX_EXPANSION * archive.version.bytes
        self._at = 0

    def read(self, size: int) -> bytes:
        try:
            data = bytes(self._stream.read(size))
        except OSError as error:  # Arrow's word for damage
            raise EOFError(str(error)) from error
        self._at += len(data)
        if self._at > self._limit:
            raise TarError(f"it unpacks to more than {MAX_EXPANSION} times its size")
        return data

    def skip(self, size: int) -> None:
        while size:
            passed = len(self.read(min(size, _PIECE)))
            if not passed:
                raise EOFError
            size -= passed

    def tell(self) -> int:
        return self._at


def _fill(archive: PlainTar | PackedTar, stream: Bytes) -> None:
    """List an archive; what is cut off or damaged ends its list, and isn't lost without a word."""
    count = 0
    last: Header | None = None
    try:
        for last in headers(stream):
            _add(archive, last)
            count += 1
    except (EOFError, TarError) as error:
        if last is None:
            what = str(error) or "it ends before its first member"
            raise TarError(f"no tar archive, or a damaged one: {what}") from error
        if isinstance(error, EOFError) and last.at + last.size > stream.tell():
            count -= 1
            if _is_last(archive, last):
                archive.index.drop_last()
        code = "truncated" if isinstance(error, EOFError) else "damaged"
        lost = f"from byte {stream.tell():,} on, after {plural(count, 'member')}"
        cause = f" ({error})" if str(error) else ""
        archive.index.close(ImageError(code, f"the archive is {code} {lost}{cause}"))


def _entries(stream: Bytes) -> Iterator[Entry]:
    with suppress(EOFError, TarError):  # as it was listed
        for header in headers(stream):
            if header.kind == "file":
                name = as_key(header.name.removeprefix("./"))
                yield Entry(name, header.size, partial(stream.read, header.size))


def _is_last(archive: Archive, header: Header) -> bool:
    return bool(archive.index.at) and archive.index.at[-1] == header.at


def _add(archive: PlainTar | PackedTar, header: Header) -> None:
    index = archive.index
    if header.kind == "file":
        index.add(header.name, header.at, header.size)
    elif header.kind == "sparse":
        error = ImageError("unsupported_format", "a sparse member: pack it without holes")
        index.add(header.name, header.at, header.size, error)
    elif header.kind == "hardlink":
        _add_link(archive, header)


def _add_link(archive: PlainTar | PackedTar, header: Header) -> None:
    """A further name of a member before it: tar writes a file's bytes once."""
    index = archive.index
    number = index.named(header.link)
    if number is None:
        return
    if isinstance(archive, PlainTar):
        index.add(header.name, index.at[number], index.sizes[number], index.errors.get(number))
    else:
        error = ImageError("unsupported_format", "a link in a compressed archive: pack the file")
        index.add(header.name, header.at, 0, error)
