"""What a rerun has to do: which files are new, changed, moved or gone since the last run."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from penult.images import ImageFile, as_key, from_key
from penult.store import File, Known, Reassignment
from penult.util.machine import cores

HASHED_AHEAD = 1024  # files whose digests are waited for together


class Job(NamedTuple):
    """An image of a run: where it is read, and what its file was like when it was listed."""

    path: str
    file: File


@dataclass(slots=True)
class Plan:
    """What to do with the images of a run."""

    compute: list[Job] = field(default_factory=list)
    kept: dict[str, tuple[str, Job]] = field(default_factory=dict)  # key: the row's key, the job
    skipped: int = 0


def plan(
    files: Sequence[ImageFile],
    known: Mapping[str, Known],
    *,
    checksum: bool = False,
    retry_failed: bool = False,
) -> Plan:
    """Sort images into those to compute and those whose features a table has.

    Args:
        files: All images of the run.
        known: What the table has.
        checksum: Tell changes by content, which is then read twice. By default by size and mtime.
        retry_failed: Compute images that failed although they haven't changed.
    """
    todo = Plan()
    by_content = {row.sha256: key for key, row in known.items() if row.sha256 and not row.failed}
    for each in _jobs(files, checksum=checksum):
        file, row = each.file, known.get(each.file.key)
        if row and row.failed and retry_failed:
            todo.compute.append(each)
        elif row and same(file, row):
            if _as_known(file, row) or not checksum:
                todo.skipped += 1
            else:
                todo.kept[file.key] = file.key, each
        elif file.sha256 in by_content:
            todo.kept[file.key] = by_content[file.sha256], each
        else:
            todo.compute.append(each)
    return todo


def reassignments(
    todo: Plan, files: Sequence[ImageFile], paths: Mapping[str, str]
) -> list[Reassignment]:
    """Say which rows get which files, and whether they leave their keys, as no file is there."""
    listed = {file.key for file in files}
    return [
        Reassignment(
            row, each.file, moved=row not in listed and row in paths and is_gone(paths[row])
        )
        for row, each in todo.kept.values()
    ]


def gone(
    files: Sequence[ImageFile], paths: Mapping[str, str], covers: Callable[[str], bool]
) -> list[str]:
    """List the rows whose file a run would have found, had it not gone."""
    listed = {file.key for file in files}
    return [
        key
        for key, path in paths.items()
        if key not in listed and covers(from_key(path)) and is_gone(path)
    ]


def is_gone(path: str) -> bool:
    """Whether no file is where a row's was; what can't be looked at is not known to be gone."""
    try:
        os.lstat(from_key(path))
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def job(image: ImageFile, *, checksum: bool = False) -> Job:
    """Look at an image's file; what can't be looked at, decoding will complain of."""
    try:
        found = os.stat(image.path)  # noqa: PTH116 -- by text, as in ImageFile
        size, mtime = found.st_size, found.st_mtime_ns
        regular = stat.S_ISREG(found.st_mode)  # to open a pipe would wait for ever
        sha256 = _digest(image.path) if checksum and regular else None
    except (OSError, ValueError):
        size, mtime, sha256 = 0, 0, None
    return Job(image.path, File(image.key, size, mtime, as_key(image.path), sha256))


def true_digest(done: Job) -> str | None:
    """The digest of what was decoded, unless the file was touched between the two readings."""
    if not done.file.sha256:
        return None
    now = job(ImageFile(done.file.key, done.path)).file
    untouched = (now.bytes, now.mtime_ns) == (done.file.bytes, done.file.mtime_ns)
    return done.file.sha256 if untouched else None


def is_unchanged(path: str, size: int, mtime_ns: int) -> bool:
    """Whether a file has the size and time of change of the one that features are of."""
    file = job(ImageFile("", path)).file
    return (file.bytes, file.mtime_ns) == (size, mtime_ns)


def same(file: File, row: Known) -> bool:
    """Whether features are still right: by content where both are known, else by size and mtime."""
    if file.sha256 and row.sha256:
        return file.sha256 == row.sha256
    return (file.bytes, file.mtime_ns) == (row.bytes, row.mtime_ns)


def _as_known(file: File, row: Known) -> bool:
    """Whether a table needs nothing new about an image that hasn't changed."""
    return (file.bytes, file.mtime_ns, file.sha256) == (row.bytes, row.mtime_ns, row.sha256)


def _jobs(files: Sequence[ImageFile], *, checksum: bool) -> Iterator[Job]:
    if not checksum:
        yield from map(job, files)
        return
    with ThreadPoolExecutor(cores()) as pool:
        for start in range(0, len(files), HASHED_AHEAD):
            chunk = files[start : start + HASHED_AHEAD]
            yield from pool.map(partial(job, checksum=True), chunk)


def _digest(path: str) -> str:
    with open(path, "rb") as file:  # noqa: PTH123 -- by text, as in ImageFile
        return hashlib.file_digest(file, "sha256").hexdigest()
