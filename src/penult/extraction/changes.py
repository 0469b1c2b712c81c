"""What a rerun has to do: which images are new, changed, moved or gone since the last run."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Self, TypeAlias, TypeVar

from penult.extraction.row_files import RowFile, same
from penult.images import TRANSIENT, Item, Version, from_key
from penult.images.containers import is_gone
from penult.images.names import within
from penult.store import File, Known, Reassignment
from penult.util.machine import cores
from penult.util.progress import Counts

HASHED_AHEAD = 1024  # files whose digests are waited for together

T = TypeVar("T")
R = TypeVar("R")
_Roots: TypeAlias = tuple[str, str]


class Job(NamedTuple):
    """An image of a run, and what it was like when it was listed."""

    item: Item
    version: Version
    sha256: str | None

    @property
    def file(self) -> File:
        """The same, as a table records it."""
        return File(self.item.key, *self.version, self.item.place, self.sha256)

    @property
    def decoded(self) -> File:
        """The same once it is decoded: without its digest, if it was touched meanwhile."""
        return decoded(self.file, self.item)


class _Kept(NamedTuple):
    """A row whose features are right for an image, of which something else is new."""

    key: str  # of the row
    row: Known
    job: Job
    file: File  # of the image; its digest is the row's, as that is of the same content

    @classmethod
    def of(cls, key: str, row: Known, job: Job) -> Self:
        place, digest = job.item.place, job.sha256 or row.sha256
        return cls(key, row, job, File(job.item.key, *job.version, place, digest))

    @property
    def roots(self) -> _Roots | None:
        """The folders that the image's key starts from, before and now, if it has moved."""
        before, now = _root(self.key, self.row.path), _root(self.file.key, self.file.path)
        return (before, now) if before and now and self.key == self.file.key else None


class Changes:
    """What differs between the images of a run and the rows of a table.

    Args:
        items: The images, listed once.
        known: What the table has.
        checksum: Tell changes by content, which is then read twice. By default by size and mtime.
        retry_failed: Compute images that failed although they haven't changed; those that failed
            for what may have passed (`TRANSIENT`) are computed anyhow.

    Attributes:
        keys: Of all images of the run.
        compute: The images that the table has no features of.
    """

    def __init__(
        self,
        items: Iterable[Item],
        known: Mapping[str, Known],
        *,
        checksum: bool = False,
        retry_failed: bool = False,
    ) -> None:
        self.keys: set[str] = set()
        self.compute: list[Job] = []
        self._kept: list[_Kept] = []
        self._skipped = self._failed = 0  # rows about which nothing is new
        copies: list[tuple[Known, Job]] = []  # of files that are still where they were
        contents = {
            row.sha256: key for key, row in known.items() if row.sha256 and row.failure is None
        }
        for job in _jobs(items, checksum=checksum):
            self.keys.add(job.item.key)
            row = known.get(job.item.key)
            if row and row.failure is not None and (retry_failed or row.failure in TRANSIENT):
                self.compute.append(job)
            elif row and same(row, job.version, job.sha256):
                if _may_be_another(row, job):
                    copies.append((row, job))
                else:
                    self._keep(row, job)
            elif job.sha256 in contents:
                key = contents[job.sha256]
                self._kept.append(_Kept.of(key, known[key], job))
            else:
                self.compute.append(job)
        for (row, job), equal in zip(copies, _in_threads(_has_content, copies), strict=True):
            if equal:
                self._keep(row, job)
            else:
                self.compute.append(job)

    def _keep(self, row: Known, job: Job) -> None:
        """Note whether there is something new about an image that hasn't changed."""
        kept = _Kept.of(job.item.key, row, job)
        if kept.file != File(kept.key, row.bytes, row.mtime_ns, row.path, row.sha256):
            self._kept.append(kept)
        elif row.failure is None:
            self._skipped += 1
        else:
            self._failed += 1

    def reassignments(self, known: Mapping[str, Known]) -> list[Reassignment]:
        """Say which rows get another file, or new facts about their own."""
        kept = [
            Reassignment(
                each.key, each.file, moved=each.key not in self.keys and _is_gone(each.row.path)
            )
            for each in self._kept
        ]
        return kept + [Reassignment(file.key, file) for file in self._left_behind(known)]

    def _left_behind(self, known: Mapping[str, Known]) -> Iterator[File]:
        """Yield where files would be that are missing from a folder that moved.

        So they are gone from there, rather than from a folder that nobody will name again. A folder
        has moved if it's gone and most of its rows are found in another one.
        """
        moved = Counter(roots for each in self._kept if (roots := each.roots))
        if not moved:
            return
        missing = defaultdict[str, list[str]](list)
        for key, row in known.items():
            if key not in self.keys and (root := _root(key, row.path)):
                missing[root].append(key)
        for (before, now), count in moved.items():
            if len(missing[before]) < count and is_gone(before):
                for key in missing[before]:
                    row = known[key]
                    yield File(key, row.bytes, row.mtime_ns, now + key, row.sha256)

    def counts(self, given: Set[str]) -> Counts:
        """Count the images that need no computing if `reassignments` have given rows to these."""
        kept = [each for each in self._kept if each.file.key in given]
        right = [each for each in kept if each.row.failure is None]
        own = [each for each in right if each.key == each.file.key]
        return Counts(
            listed=len(self.keys),
            failed_before=self._failed + len(kept) - len(right),
            skipped=self._skipped + len(right),
            moved=sum(each.row.path not in (None, each.file.path) for each in own),
            renamed=len(right) - len(own),
        )

    def remaining(self, given: Set[str]) -> list[Job]:
        """The images to compute if `reassignments` have given rows to these keys."""
        return self.compute + [each.job for each in self._kept if each.file.key not in given]

    def gone(self, known: Mapping[str, Known], covers: Callable[[str], bool]) -> list[str]:
        """List the rows whose file this run would have listed, had it not gone.

        Args:
            known: What the table has, after `reassignments`.
            covers: Tells of a place whether the run's sources include it.
        """
        return [
            key
            for key, row in known.items()
            if key not in self.keys and row.path and covers(row.path) and _is_gone(row.path)
        ]


def decoded(file: File, item: Item) -> File:
    """What a table records of an image's file that was decoded just now."""
    if file.sha256 and look(item).version == (file.bytes, file.mtime_ns):
        return file
    return replace(file, sha256=None) if file.sha256 else file


def look(item: Item, *, checksum: bool = False) -> Job:
    """Look at an image; what can't be looked at, decoding will complain of."""
    try:
        version, sha256 = item.version(), item.digest() if checksum else None
    except (OSError, ValueError):
        version, sha256 = Version(0, 0), None
    return Job(item, version, sha256)


def _root(key: str, place: str | None) -> str | None:
    """The folder that a key starts from, written like one, if its file is there."""
    root = place.removesuffix(key) if place else ""
    return root if root.endswith("/") and root + key == place else None


def _is_gone(place: str | None) -> bool:
    return place is not None and is_gone(place)


def _may_be_another(row: Known, job: Job) -> bool:
    """Whether a row's file is still where it was, beside one of the same size and time elsewhere.

    Of a file that is found there no longer, size and time say enough: it has moved.
    """
    if not row.path or row.path == job.item.place or (row.sha256 and job.sha256):
        return False
    if within(row.path) or within(job.item.place):
        return not is_gone(row.path)
    try:
        return not Path(from_key(row.path)).samefile(from_key(job.item.place))
    except (OSError, ValueError):
        return False


def _has_content(copy: tuple[Known, Job]) -> bool:
    """Whether an image's content is that of a row, whose file is in another place."""
    row, job = copy
    file = RowFile(row.path or "", row.bytes, row.mtime_ns)
    try:
        expected = row.sha256 or file.digest()
        return expected is not None and expected == job.item.digest()
    except (OSError, ValueError):
        return False


def _jobs(items: Iterable[Item], *, checksum: bool) -> Iterator[Job]:
    if checksum:
        return _in_threads(partial(look, checksum=True), items)
    return map(look, items)


def _in_threads(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield what a function that reads files makes of each item, in order."""
    items = iter(items)
    with ThreadPoolExecutor(cores()) as pool:
        while chunk := list(islice(items, HASHED_AHEAD)):
            yield from pool.map(function, chunk)
