"""Images that are listed and wait for their turn: looked at, and held as columns."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from threading import Condition
from typing import TYPE_CHECKING, NamedTuple

from penult.images import Item, Origin, Version
from penult.store import File
from penult.store.facts import Facts, Names, column_of

if TYPE_CHECKING:
    import pyarrow as pa


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


@dataclass(frozen=True, slots=True)
class Packed:
    """Some jobs, which are made again when their turn comes."""

    keys: "pa.StringArray"
    facts: Facts
    origins: Sequence[tuple[Origin, int]]  # and how many images in a row each has

    @classmethod
    def of(cls, names: Names, jobs: Sequence[Job]) -> "Packed":
        """Pack jobs; places share their beginnings in `names`."""
        groups = groupby((job.item.origin for job in jobs), id)
        origins = [(some[0], len(some)) for _, group in groups if (some := list(group))]
        facts = Facts.of_files(names, [job.file for job in jobs])
        return cls(column_of([job.item.key for job in jobs], "string"), facts, origins)

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[Job]:
        files = iter(self.facts.files(self.keys.to_pylist()))
        for origin, count in self.origins:
            for _, file in zip(range(count), files, strict=False):
                version = Version(file.bytes, file.mtime_ns)
                item = origin.item(file.key, file.path or "", version)
                yield Job(item, version, file.sha256)


class Backlog:
    """A queue of jobs from the thread that lists to the one that computes; nothing bounds it.

    Attributes:
        count: How many jobs there were so far, those that are taken among them.
        is_closed: Whether no more will come from the thread that lists.
    """

    def __init__(self) -> None:
        self._names = Names()
        self._waiting: deque[Packed] = deque()
        self.count = 0
        self._changed = Condition()
        self.is_closed = False

    def put(self, jobs: Sequence[Job]) -> None:
        """Add jobs."""
        if jobs:
            packed = Packed.of(self._names, jobs)
            with self._changed:
                self._waiting.append(packed)
                self.count += len(packed)
                self._changed.notify()

    def extend(self, jobs: Iterable[Packed]) -> None:
        """Add jobs that are packed already."""
        with self._changed:
            for packed in jobs:
                self._waiting.append(packed)
                self.count += len(packed)

    def close(self) -> None:
        """Say that no more will come from the thread that lists."""
        with self._changed:
            self.is_closed = True
            self._changed.notify()

    def take(self) -> Packed | None:
        """The next ones, once there are some; None if there are none and no more will come."""
        with self._changed:
            while not (self._waiting or self.is_closed):
                self._changed.wait()
            return self._waiting.popleft() if self._waiting else None
