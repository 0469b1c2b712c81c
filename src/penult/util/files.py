"""Files that outlive a power cut, and are replaced whole or not at all."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

CACHE = "PENULT_CACHE"
FURTHEST = 2**63 - 1  # nanoseconds before or after 1970 that a table can hold, up to 2262


def held_time(nanoseconds: int) -> int:
    """A file's time as a table can hold it, so that what was stored is what is found again.

    >>> held_time(1), held_time(2**64) == FURTHEST
    (1, True)
    """
    return max(-FURTHEST, min(nanoseconds, FURTHEST))


def cache_folder() -> Path:
    """Penult's cache: where `PENULT_CACHE` says, or where the platform keeps such files."""
    import platformdirs

    return Path(os.environ.get(CACHE) or platformdirs.user_cache_dir("penult")).expanduser()


@contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """A file to write that takes the place of `out` when all went well."""
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        sync([temporary])
        temporary.replace(out)
        sync([out])
    finally:
        temporary.unlink(missing_ok=True)


def sync(paths: Iterable[Path]) -> None:
    """Wait until files, and their names in their folders, are on the disk."""
    paths = list(paths)
    for path in paths:
        sync_one(path)
    for folder in dict.fromkeys(path.parent for path in paths):
        sync_one(folder)


def sync_one(path: Path) -> None:
    """Sync a file or, where the system knows such a thing, a folder."""
    if os.name == "nt" and path.is_dir():  # pragma: no cover
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
