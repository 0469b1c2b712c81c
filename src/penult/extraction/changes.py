"""What a rerun has to do: which images are new, changed, moved or gone since the last run."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import NamedTuple

from penult.extraction.row_files import is_gone, same
from penult.images import Item, Version, from_key
from penult.store import File, Known, Reassignment
from penult.util.machine import cores

HASHED_AHEAD = 1024  # files whose digests are waited for together


class Job(NamedTuple):
    """An image of a run, and what it was like when it was listed."""

    item: Item
    version: Version
    sha256: str | None

    @property
    def file(self) -> File:
        """The same, as a table records it."""
        return File(self.item.key, *self.version, self.item.place, self.sha256)

    def decoded_digest(self) -> str | None:
        """The digest of what was decoded, unless the file was touched since it was listed."""
        return self.sha256 if self.sha256 and look(self.item).version == self.version else None


class Changes:
    """What differs between the images of a run and the rows of a table.

    Args:
        items: The images, listed once.
        known: What the table has.
        checksum: Tell changes by content, which is then read twice. By default by size and mtime.
        retry_failed: Compute images that failed although they haven't changed.

    Attributes:
        keys: Of all images of the run.
        compute: The images that the table has no features of.
        skipped: How many images need nothing.
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
        self.skipped = 0
        self._kept: list[tuple[str, Job]] = []  # keys of rows, the images that they belong to now
        contents = {row.sha256: key for key, row in known.items() if row.sha256 and not row.failed}
        for job in _jobs(items, checksum=checksum):
            self.keys.add(job.item.key)
            row = known.get(job.item.key)
            if row and row.failed and retry_failed:
                self.compute.append(job)
            elif row and same(row, job.version, job.sha256):
                self._keep(job, row, checksum=checksum)
            elif job.sha256 in contents:
                self._kept.append((contents[job.sha256], job))
            else:
                self.compute.append(job)

    def _keep(self, job: Job, row: Known, *, checksum: bool) -> None:
        """Note whether there is something new about an image that hasn't changed."""
        now = (*job.version, job.sha256)
        if checksum and now != (row.bytes, row.mtime_ns, row.sha256):
            self._kept.append((job.item.key, job))
        else:
            self.skipped += 1

    def reassignments(self, paths: Callable[[], Mapping[str, str]]) -> list[Reassignment]:
        """Say which rows get another file, or new facts about their own.

        Args:
            paths: Reads where the table's files were, by key; called if a file has another name.
        """
        others = any(row != job.item.key for row, job in self._kept)
        places = paths() if others else {}
        return [
            Reassignment(row, job.file, moved=row not in self.keys and _is_gone(places.get(row)))
            for row, job in self._kept
        ]

    def remaining(self, given: set[str]) -> list[Job]:
        """The images to compute if `reassignments` have given rows to these keys."""
        return self.compute + [job for _, job in self._kept if job.item.key not in given]

    def gone(self, paths: Mapping[str, str], covers: Callable[[str], bool]) -> list[str]:
        """List the rows whose file this run would have listed, had it not gone.

        Args:
            paths: Where the table's files were, by key.
            covers: Tells of a place whether the run's sources include it.
        """
        return [
            key
            for key, place in paths.items()
            if key not in self.keys and covers(place) and _is_gone(place)
        ]


def look(item: Item, *, checksum: bool = False) -> Job:
    """Look at an image; what can't be looked at, decoding will complain of."""
    try:
        version, sha256 = item.version(), item.digest() if checksum else None
    except (OSError, ValueError):
        version, sha256 = Version(0, 0), None
    return Job(item, version, sha256)


def _is_gone(place: str | None) -> bool:
    return place is not None and is_gone(from_key(place))


def _jobs(items: Iterable[Item], *, checksum: bool) -> Iterator[Job]:
    if not checksum:
        yield from map(look, items)
        return
    items = iter(items)
    with ThreadPoolExecutor(cores()) as pool:
        while chunk := list(islice(items, HASHED_AHEAD)):
            yield from pool.map(partial(look, checksum=True), chunk)
