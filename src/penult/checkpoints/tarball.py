"""Checkpoints in a `.tar.gz`, `.tgz` or `.tar`, as TensorFlow's were published.

The archive is unpacked in memory, up to `MAX_UNPACKED` bytes and `unpacked_limit`, and never to
disk; names in it never become paths. Where several of its folders hold a checkpoint, one of them is
named by a path that goes on inside the archive, or by the end of it: `v3-small.tgz/ema`.
"""

import zlib
from collections import defaultdict
from mmap import mmap
from pathlib import Path
from typing import IO, cast

from penult.checkpoints import tensorflow_v1, tensorflow_v2
from penult.checkpoints.base import Checkpoint, Format, WeightsFile
from penult.checkpoints.tensorflow_files import MAX_STATE, STATE, chosen
from penult.util.budget import Budget, unpacked_limit
from penult.util.text import one_line, quoted

Folders = dict[str, dict[str, mmap]]  # contents of files by their names, by folder

MAX_UNPACKED = 2 << 30  # bytes; VGG-19 takes 0.6 GB
MAX_MEMBERS = 1000
MAX_HEADERS = 2 << 20  # bytes that describe the members
MAX_SQUARES = 2 * 10**8  # of the bytes of headers in free form: of some, tarfile takes these steps
MAX_GZIPPED = 50_000  # members of gzip's; bgzip makes one of each 64 KiB

_PIECE = 1 << 20  # bytes read at once
_PACKED_PIECE = 1 << 16  # bytes unpacked at once; what is left of one is copied after each member
_BLOCK = 512  # bytes, of tar
_SHORT = 1 << 17  # bytes that gzip's header and the packed start of an archive fit into
_CAUSED = (ValueError, LookupError, ArithmeticError, RecursionError)


class _Member(WeightsFile):
    """A file in the archive, in memory."""

    def __init__(self, archive: Path, name: str, members: dict[str, mmap]) -> None:
        self.path = archive / name
        self.data = members[name]
        self.size = len(self.data)
        self._archive, self._members = archive, members

    def beside(self, name: str) -> WeightsFile:
        if name not in self._members:
            raise FileNotFoundError("not in the archive")
        return _Member(self._archive, name, self._members)


class _Stream:
    """The unpacked archive, as `tarfile` reads it: headers only, and never back."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self.tell = stream.tell
        self._stream, self._limit = stream, limit
        self._headers = Budget(MAX_HEADERS, "bytes of headers", ValueError)
        self._squares = Budget(MAX_SQUARES, "steps for its headers", ValueError)

    def read(self, size: int) -> bytes:
        self._headers.spend(size if size >= 0 else MAX_HEADERS + 1)
        self._squares.spend(size**2 if size > _BLOCK else 0)
        return self._stream.read(size)

    def seek(self, offset: int) -> int:
        if not self.tell() <= offset <= self._limit:
            raise ValueError("a member beyond the end")
        return self._stream.seek(offset)


class _Gunzipped:
    """What a gzip file unpacks to, forwards only; zlib compares the checksums."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._members = Budget(MAX_GZIPPED, "gzipped members", ValueError)
        self._packed, self._unpacked = b"", b""
        self._at = 0

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int) -> int:
        while self._at < offset:
            if not self.read(min(offset - self._at, _PIECE)):
                raise EOFError("it ends within a member")
        return self._at

    def read(self, size: int) -> bytes:
        parts, wanted = list[bytes](), size
        while wanted:
            if not self._unpacked:
                self._unpacked = self._some()
            if not self._unpacked:
                break
            parts.append(self._unpacked[:wanted])
            self._unpacked = self._unpacked[wanted:]
            wanted -= len(parts[-1])
        self._at += size - wanted
        return b"".join(parts)

    def _some(self) -> bytes:
        """The next bytes; none at the end."""
        while True:
            if not self._packed:
                self._packed = self._stream.read(_PACKED_PIECE)
            ended = not self._packed
            if self._inflater.eof:
                self._packed = self._packed.lstrip(b"\0")  # which may fill up a tape's block
                if ended:
                    return b""
                if not self._packed:
                    continue
                self._members.spend()
                self._inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
            unpacked = self._inflater.decompress(self._packed, _PIECE)
            self._packed = self._inflater.unconsumed_tail or self._inflater.unused_data
            if ended and not unpacked:
                raise EOFError("it ends within what is gzipped")
            if unpacked:
                return unpacked


def _is_tar(file: WeightsFile) -> bool:
    return _is_gzip(file) or file.data[257:262] == b"ustar"


def _is_gzip(file: WeightsFile) -> bool:
    return file.data[:2] == b"\x1f\x8b"


def _open(file: WeightsFile) -> Checkpoint:
    folders = _unpack(file)
    found = {}
    for folder, members in folders.items():
        state = members[STATE][:MAX_STATE] if STATE in members else b""
        name = chosen(file.path / folder, members, state) if _is_in(folder, file.inside) else None
        if name:
            found[folder] = name
    if not found:
        place = f"folder {quoted(file.inside)}" if file.inside else "TensorFlow checkpoint"
        raise file.error(f"an archive without a {place}; unpack it and name a file")
    if len(found) > 1:
        some = ", ".join(quoted(file.path / folder) for folder in sorted(found)[:3])
        raise file.error(f"{len(found)} checkpoints, name one: {some}")
    ((folder, name),) = found.items()
    first = _Member(file.path / folder, name, folders[folder])
    for each in (tensorflow_v2.V2, tensorflow_v1.V1):
        if each.recognises(first):
            checkpoint = each.open(first)
            checkpoint.files = (file,)
            return checkpoint
    raise first.damaged("not a TensorFlow checkpoint")


def _is_in(folder: str, asked: str) -> bool:
    return not asked or f"/{folder}".endswith(f"/{asked}")


def _unpack(file: WeightsFile) -> Folders:
    import tarfile

    packed = _is_gzip(file)
    if packed and not _is_tar_inside(file):
        raise file.error("a gzipped file, and no archive; unpack it (gunzip)")
    limit = min(MAX_UNPACKED, unpacked_limit(file.size))
    try:
        with file.path.open("rb") as raw:
            stream = cast("IO[bytes]", _Gunzipped(raw)) if packed else raw
            return _members(file, stream, limit)
    # Whatever else tarfile raises is the bytes' doing.
    except (tarfile.TarError, zlib.error, EOFError, OSError, *_CAUSED) as exc:
        raise file.damaged(f"a broken archive ({one_line(str(exc), 80)})") from exc


def _is_tar_inside(file: WeightsFile) -> bool:
    """Whether what is gzipped begins as a tar archive, or can't be unpacked so far."""
    import tarfile

    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        start = inflater.decompress(file.data[:_SHORT], tarfile.BLOCKSIZE)
        tarfile.TarInfo.frombuf(start, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return len(start) < tarfile.BLOCKSIZE and not inflater.eof
    except zlib.error:
        pass
    return True


def _members(file: WeightsFile, stream: IO[bytes], limit: int) -> Folders:
    import tarfile

    archive = tarfile.TarFile(fileobj=cast("IO[bytes]", _Stream(stream, limit)))
    folders: Folders = defaultdict(dict)
    for count, info in enumerate(archive):
        folder, _, name = info.name.removeprefix("./").rpartition("/")
        if count == MAX_MEMBERS or name in folders[folder]:
            raise ValueError(f"more than {MAX_MEMBERS} members, or two of a name")
        if info.isdir() or name.startswith("._"):  # macOS keeps attributes in such files
            continue
        if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or info.issparse():
            raise file.error(f"{quoted(info.name)} in it is no regular file; unpack it")
        if not 0 <= info.size <= limit - stream.tell():
            raise ValueError(f"{quoted(name)} of {info.size} bytes, {limit} are the limit")
        if info.size:
            folders[folder][name] = _content(stream, info.size)
    while stream.tell() <= limit and stream.read(_PIECE):  # up to gzip's checksum at the end
        pass
    return folders


def _content(stream: IO[bytes], size: int) -> mmap:
    """The next bytes, in memory that is taken only as it is filled."""
    content = mmap(-1, size)
    while content.tell() < size:
        piece = stream.read(min(_PIECE, size - content.tell()))
        if not piece:
            raise EOFError("it ends within a member")
        content.write(piece)
    return content


TAR = Format("TensorFlow (tar)", _is_tar, _open)
