"""Copies of a table's images in a folder, as they are; nothing is moved and nothing overwritten.

A table may be a stranger's, so it chooses neither what is read nor what is written. Copied is only
what is an image by its first bytes and, by size and time or digest, the one that the features are
of; this is asked of the open file that is read, not of a name. What is written has an image's
ending and lies below the folder, to which no link leads.
"""

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from penult.errors import ImageError, UsageError
from penult.extraction.row_files import RowFile, same
from penult.images import Limits, Stored, Version
from penult.images.containers import item_at
from penult.images.formats import format_of
from penult.images.members import IMAGE_SUFFIXES
from penult.images.names import parts_below, reason
from penult.store.versions import versions
from penult.util.files import held_time
from penult.util.refusals import refusal
from penult.util.text import quoted

START = 4096  # bytes that tell a format
_OF_ONE = {errno.EEXIST, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EINVAL, errno.EILSEQ}
_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP}


class Copied(NamedTuple):
    """What became of an image.

    Attributes:
        key: Its key.
        path: The file that it is now, too; None if it was left out.
        left_out: Why.
    """

    key: str
    path: Path | None = None
    left_out: str = ""


class _LeftOutError(Exception):
    """Why an image can't be copied."""


def require_folder(folder: str | Path, table: Path, root: str | Path | None = None) -> Path:
    """The folder that images may be copied to, by its real path.

    Args:
        folder: Empty, new in a folder that there is, or anywhere below `root`.
        table: The table, which no image may be copied into.
        root: A folder below which others needn't be empty.

    Raises:
        UsageError: It's none of these.
    """
    path = Path(os.path.realpath(_expanded(folder)))
    if path.is_relative_to(table.resolve()) or versions(path):
        raise UsageError(f"{quoted(path)} is a table of features: name another folder")
    try:
        empty = not any(path.iterdir())
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise UsageError(f"there is no folder {quoted(path.parent)}: make it first") from None
        return path
    except OSError as error:
        raise UsageError(f"{quoted(path)}: {reason(error)}: name another folder") from error
    if empty or (root is not None and path.is_relative_to(Path(root).resolve())):
        return path
    others = (
        "start view with --root to allow others" if root is None else f"one below {quoted(root)}"
    )
    raise UsageError(f"{quoted(path)} isn't empty: name a new or empty folder, or {others}")


def _expanded(folder: str | Path) -> Path:
    if not str(folder).strip() or "\0" in str(folder) or "://" in str(folder):
        raise UsageError(f"{quoted(folder)} is no folder of this machine")
    try:
        return Path(folder).expanduser()
    except RuntimeError as error:
        raise UsageError(f"{quoted(folder)}: {error}") from error


def copies(
    images: Iterable[tuple[str, RowFile]], folder: Path, *, link: bool = False
) -> Iterator[Copied]:
    """Copy images, one when it is asked for, to the places in a folder that their keys say.

    Args:
        images: Their keys, and their files as a table records them.
        folder: As of `require_folder`; it is made.
        link: Give the files second names there, rather than copies; those in archives are left out.

    Raises:
        UsageError: The folder can't be written to: it's full, say.
    """
    for key, file in images:
        try:
            with _source(file) as source:
                path = _placed(key, source, folder, link=link)
        except _LeftOutError as error:
            yield Copied(key, left_out=str(error))
        else:
            yield Copied(key, path)


class _Source(NamedTuple):
    """An image that is open.

    Attributes:
        start: Its first bytes.
        write: Writes all of it to a file.
        mtime_ns: When it was last changed.
        path: Its file, and None for one in an archive.
        status: That of the file.
    """

    start: bytes
    write: Callable[[IO[bytes]], None]
    mtime_ns: int
    path: str | None = None
    status: os.stat_result | None = None


@contextmanager
def _source(file: RowFile) -> Iterator[_Source]:
    """A row's image, if it's there and still the same."""
    if not file.place:
        raise _LeftOutError("the table doesn't say where it is")
    if file.is_within:
        with _readable():
            member = _member(file)
        yield member
        return
    with _readable():
        opened = os.open(file.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(opened, "rb") as stream:
        with _readable():
            regular = _regular(file, stream)
        yield regular


@contextmanager
def _readable() -> Iterator[None]:
    """Leave out what can't be read."""
    try:
        yield
    except (OSError, ValueError, ImageError) as error:
        raise _LeftOutError(f"it can't be read: {reason(error)}") from error


def _member(file: RowFile) -> _Source:
    item = item_at(file.place)
    version = item.version()
    if not isinstance(item.image, Stored) or not same(file, version):
        raise _LeftOutError("it isn't the one that the features are of")
    data = item.image.read(Limits().bytes)

    def write(target: IO[bytes]) -> None:
        target.write(data)

    return _Source(data[:START], write, version.mtime_ns)


def _regular(file: RowFile, stream: IO[bytes]) -> _Source:
    status = os.fstat(stream.fileno())
    version = Version(status.st_size, held_time(status.st_mtime_ns))
    if not stat.S_ISREG(status.st_mode) or not _is_same(file, version, stream):
        raise _LeftOutError("it isn't the one that the features are of")

    def write(target: IO[bytes]) -> None:
        stream.seek(0)
        shutil.copyfileobj(stream, target, 1 << 20)
        now = os.fstat(stream.fileno())
        if (now.st_size, now.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
            raise _LeftOutError("it changed while it was copied")

    stream.seek(0)
    return _Source(stream.read(START), write, status.st_mtime_ns, file.path, status)


def _is_same(file: RowFile, version: Version, stream: IO[bytes]) -> bool:
    if same(file, version):
        return True
    if file.sha256 is None or file.bytes != version.bytes:
        return False
    return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256  # type: ignore[arg-type]


def _placed(key: str, source: _Source, folder: Path, *, link: bool) -> Path:
    """Put an image where its key says."""
    try:
        kind = format_of(source.start)
    except ImageError as error:
        raise _LeftOutError(str(error)) from error
    *parents, name = parts_below(key) or ("image",)
    if not name.lower().endswith(IMAGE_SUFFIXES):
        name += _SUFFIXES.get(kind, f".{kind.lower()}")
    try:
        target = _made_below(folder, parents) / name
        if link:
            _link(source, target)
        else:
            _copy(source, target)
    except OSError as error:
        if error.errno in _OF_ONE:
            place = "/".join([*parents, name])
            named = "" if place == key else f"{place}: "
            raise _LeftOutError(f"{named}{reason(error)}") from error
        raise UsageError(
            f"can't copy to {quoted(folder)}: {refusal(error) or reason(error)}"
        ) from error
    return target


_SUFFIXES = {"JPEG": ".jpg", "TIFF": ".tif", "HEIF": ".heic"}


def _made_below(folder: Path, parents: list[str]) -> Path:
    """A folder below another, which no link leads out of."""
    path = folder.joinpath(*parents)
    path.mkdir(parents=True, exist_ok=True)
    if os.path.realpath(path) != str(path):
        raise _LeftOutError(f"{'/'.join(parents)} is or leads over a link")
    return path


def _copy(source: _Source, target: Path) -> None:
    with target.open("xb") as file:
        try:
            source.write(file)
            file.flush()
        except BaseException:
            target.unlink()
            raise
    os.utime(target, ns=(source.mtime_ns, source.mtime_ns))


def _link(source: _Source, target: Path) -> None:
    if source.path is None or source.status is None:
        raise _LeftOutError("it is in a file of many images, so it can only be copied")
    try:
        os.link(source.path, target)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        raise _LeftOutError("no link can be made to it from there: copy it") from error
    if not os.path.samestat(os.lstat(target), source.status):
        target.unlink()  # a link, or what has taken the file's place since it was opened
        raise _LeftOutError("it is a link: copy it")
