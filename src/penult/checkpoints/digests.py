"""Digests of large files that were computed before, so that a query needn't read 600 MB anew.

They are kept in Penult's cache folder, in a file that only its user may write: a line a file, with
what the system says of it, which changes with every change of the content. Whoever can forge that
can replace the files themselves; tables, which may be strangers', are compared with it only.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from penult.util.files import cache_folder, replacing

LEAST = 32 << 20  # bytes of a file that is worth a line: they take 20 to 150 ms
MOST = 500  # lines; the oldest go first
SETTLED = 2_000_000_000  # nanoseconds, the coarsest tick of a file system's clock (FAT's)

_LINE = re.compile(r"(\d{1,20}(?: -?\d{1,20}){4}) ([0-9a-f]{64})")
_BYTES = 200 * MOST

Version = tuple[int, int, int, int, int]


def version(status: os.stat_result) -> Version:
    """What changes with a file's content; nobody can set its time of change (ctime)."""
    times = status.st_mtime_ns, status.st_ctime_ns
    return status.st_dev, status.st_ino, status.st_size, *times


def known(file: Version) -> bytes | None:
    """The SHA-256 that a file had, if one was noted since it last changed."""
    if not _is_kept(file):
        return None
    with suppress(OSError, RuntimeError):  # no home folder
        return dict(_read(_path())).get(file)
    return None


def note(file: Version, digest: bytes, path: Path, began: int) -> None:
    """Note a SHA-256 for the next time, if that is possible.

    Args:
        file: What the system said of the file before it was read.
        digest: The SHA-256.
        path: Where the file is.
        began: When it was read, in nanoseconds since 1970. What changed just before may change
            again without another time.
    """
    if not _is_kept(file) or file[-1] > began - SETTLED:
        return
    with suppress(OSError, RuntimeError):  # a full disk, a home that is read-only
        if version(path.stat()) != file:
            return
        notes = _path()
        notes.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        others = [line for line in _read(notes) if line[0] != file]
        _write(notes, [*others[1 - MOST :], (file, digest)])


def _is_kept(file: Version) -> bool:
    return file[2] >= LEAST and hasattr(os, "geteuid")  # Windows has no such time of change


def _path() -> Path:
    return cache_folder() / "digests.txt"


def _read(path: Path) -> Iterator[tuple[Version, bytes]]:
    """Yield the lines of the file, of none that another may have written."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # none, a link, another's
        return
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        is_private = status.st_uid == os.geteuid() and not status.st_mode & 0o077
        if not (is_private and stat.S_ISREG(status.st_mode)):
            return
        text = stream.read(_BYTES).decode("ascii", "replace")
    for line in text.splitlines():
        if found := _LINE.fullmatch(line):
            device, inode, size, changed, touched = map(int, found[1].split())
            yield (device, inode, size, changed, touched), bytes.fromhex(found[2])


def _write(path: Path, lines: Iterable[tuple[Version, bytes]]) -> None:
    with replacing(path) as temporary:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.writelines(f"{' '.join(map(str, v))} {d.hex()}\n" for v, d in lines)
