"""What a rerun has to do: which files are new, changed, moved or gone since the last run."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from penult.engine import cores
from penult.images import ImageFile, as_key, from_key
from penult.store import File, Heir, Known

HASHED_AHEAD = 1024  # files whose digests are waited for together


class Job(NamedTuple):
    """An image of a run: where it is read, and what its file was like when it was listed."""

    path: Path
    file: File


@dataclass(slots=True)
class Plan:
    """What to do with the images of a run."""

    compute: list[Job] = field(default_factory=list)
    adopt: dict[str, tuple[str, Job]] = field(default_factory=dict)  # key: the row's key, the job
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
    for job in _jobs(files, checksum=checksum):
        file, row = job.file, known.get(job.file.key)
        if row and row.failed and retry_failed:
            todo.compute.append(job)
        elif row and _same(file, row):
            if _as_known(file, row) or not checksum:
                todo.skipped += 1
            else:
                todo.adopt[file.key] = file.key, job
        elif file.sha256 in by_content:
            todo.adopt[file.key] = by_content[file.sha256], job
        else:
            todo.compute.append(job)
    return todo


def heirs(todo: Plan, files: Sequence[ImageFile], paths: Mapping[str, str]) -> list[Heir]:
    """Say for each image to adopt whether its row leaves its old key, as no file is there."""
    listed = {file.key for file in files}
    return [
        Heir(row, job.file, leaves=row not in listed and is_gone(paths.get(row)))
        for row, job in todo.adopt.values()
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


def is_gone(path: str | None) -> bool:
    """Whether no file is where a row's was; what can't be looked at is not known to be gone."""
    if path is None:
        return False
    try:
        os.lstat(from_key(path))
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def digest(path: str | os.PathLike[str]) -> str | None:
    """The SHA-256 of a regular file's content; None if it can't be read, as decoding will say."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116
            return None
        with open(path, "rb") as file:  # noqa: PTH123
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return None


def _jobs(files: Sequence[ImageFile], *, checksum: bool) -> Iterator[Job]:
    if not checksum:
        yield from map(_job, files)
        return
    with ThreadPoolExecutor(cores()) as pool:
        for start in range(0, len(files), HASHED_AHEAD):
            yield from pool.map(_hashed_job, files[start : start + HASHED_AHEAD])


def _hashed_job(file: ImageFile) -> Job:
    return _job(file, digest(file.path))


def _job(file: ImageFile, sha256: str | None = None) -> Job:
    path = str(file.path)
    try:
        found = os.stat(path)  # noqa: PTH116
        size, mtime = found.st_size, found.st_mtime_ns
    except (OSError, ValueError):  # gone since it was listed: decoding will say so
        size = mtime = 0
    return Job(file.path, File(file.key, size, mtime, as_key(path), sha256))


def _same(file: File, row: Known) -> bool:
    """Whether features are still right: by content where both are known, else by size and mtime."""
    if file.sha256 and row.sha256:
        return file.sha256 == row.sha256
    return (file.bytes, file.mtime_ns) == (row.bytes, row.mtime_ns)


def _as_known(file: File, row: Known) -> bool:
    """Whether a table needs nothing new about an image that hasn't changed."""
    return (file.bytes, file.mtime_ns, file.sha256) == (row.bytes, row.mtime_ns, row.sha256)
