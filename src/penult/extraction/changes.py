"""What a rerun has to do: which images are new, changed, moved or gone since the last run.

Images come bit by bit while they are listed, and are told apart at once as far as that can be done:
those to compute first of all. What needs the whole list waits for its end: rows that get another
key, files and folders that have moved, and images whose old row may be wanted under a new key.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from penult.extraction.backlog import Job, Packed
from penult.extraction.row_files import RowFile, same
from penult.images import TRANSIENT, from_key
from penult.images.containers import is_gone
from penult.images.names import within
from penult.store import File, Known, Reassignment
from penult.store.facts import FactsLog, Names, Places
from penult.store.known import Digests, Piece, Snapshot

RENAMED_TOGETHER = 1024  # lest files that swap their names lose each other's rows


class _Copy(NamedTuple):
    """A file like that of a row, which is still where it was: only their content can tell."""

    number: int
    row: Known
    job: Job


class Tally:
    """Counts of what has been listed."""

    def __init__(self) -> None:
        self.listed = self.skipped = self.failed = self.moved = 0


class _Renamed(NamedTuple):
    """Rows whose features are right for other files, whose digests they have."""

    numbers: NDArray[np.int64]
    jobs: Packed


class Changes:
    """What differs between the images of a run and the rows of a table.

    Args:
        known: What the table has.
        pool: Reads files.
        checksum: Whether jobs have digests, by which changes are told.
        retry_failed: Compute images that failed although they haven't changed; those that failed
            for what may have passed (`TRANSIENT`) are computed anyhow.

    Attributes:
        tally: Counts of what was listed so far.
        late: Images to compute after that, as their rows may be wanted before.
    """

    def __init__(
        self, known: Snapshot, pool: Executor, *, checksum: bool, retry_failed: bool
    ) -> None:
        self.tally = Tally()
        self.late: list[Packed] = []
        self._renamed: list[_Renamed] = []
        self._known = known
        self._pool = pool
        self._retry_failed = retry_failed
        self._contents = Digests(known) if checksum else None
        self._names = Names()
        self._listed = np.zeros(known.numbers, bool)  # rows whose key was listed
        self._news = FactsLog(self._names)  # about the files of rows
        self._new = np.full(known.numbers, -1, np.int32)  # where in these each row's is
        self._moves = Counter[tuple[str, str]]()  # files by the folders they were in and are in

    def sort(self, jobs: Sequence[Job]) -> list[Job]:
        """Take the next images that were listed; return those that are to be computed."""
        self.tally.listed += len(jobs)
        numbers = self._known.find([job.item.key for job in jobs])
        there = numbers[numbers >= 0]
        self._listed[there] = True
        rows = dict(zip(there.tolist(), (row for _, row in self._known.rows(there)), strict=True))
        compute: list[Job | None] = []
        kept: list[_Copy] = []
        copies: list[tuple[int, _Copy]] = []  # and where in `compute` they would go
        renamed: list[tuple[int, Job]] = []
        late: list[Job] = []
        for number, job in zip(numbers.tolist(), jobs, strict=True):
            row = rows.get(number)
            if row and row.failure is not None and self._tries_again(row.failure):
                compute.append(job)
            elif row and same(row, job.version, job.sha256):
                if _may_be_another(row, job):
                    copies.append((len(compute), _Copy(number, row, job)))
                    compute.append(None)
                else:
                    kept.append(_Copy(number, row, job))
            elif (found := self._with_content(job.sha256)) is not None:
                renamed.append((found, job))
            elif self._contents and row and row.failure is None and row.sha256:
                late.append(job)
            else:
                compute.append(job)
        alike = self._pool.map(_has_content, [copy for _, copy in copies])
        for (place, copy), equal in zip(copies, alike, strict=True):
            if equal:
                kept.append(copy)
            else:
                compute[place] = copy.job
        self._keep(kept)
        self._postpone(renamed, late)
        return [job for job in compute if job]

    def _tries_again(self, failure: str) -> bool:
        return self._retry_failed or failure in TRANSIENT

    def _with_content(self, sha256: str | None) -> int | None:
        found = self._contents.find(sha256) if self._contents and sha256 else None
        return found[0] if found else None

    def _keep(self, kept: Sequence[_Copy]) -> None:
        """Note what is new about images that haven't changed."""
        news, places = [], []
        for number, row, job in kept:
            key, place, digest = job.item.key, job.item.place, job.sha256 or row.sha256
            file = File(key, *job.version, place, digest)
            if file != File(key, row.bytes, row.mtime_ns, row.path, row.sha256):
                news.append(file)
                places.append(number)
                roots = _root(key, row.path), _root(key, place)
                if roots[0] and roots[1] and roots[0] != roots[1]:
                    self._moves[roots[0], roots[1]] += 1
            if row.failure is None:
                self.tally.skipped += 1
                self.tally.moved += row.path not in (None, place)
            else:
                self.tally.failed += 1
        self._note(places, news)

    def _note(self, numbers: Places | Sequence[int], files: Sequence[File]) -> None:
        self._new[numbers] = len(self._news) + np.arange(len(files))
        self._news.append(files)

    def _postpone(self, renamed: Sequence[tuple[int, Job]], late: Sequence[Job]) -> None:
        if renamed:
            jobs = Packed.of(self._names, [job for _, job in renamed])
            self._renamed.append(_Renamed(np.array([number for number, _ in renamed]), jobs))
        if late:
            self.late.append(Packed.of(self._names, late))

    def finish(self) -> bool:
        """Take it that all is listed; tell whether there is something new about rows' files."""
        if self._moves:
            self._leave_behind()
        return len(self._news) > 0

    def renewed(self, keys: Sequence[str]) -> list[File]:
        """Of some keys, the files about which there is something new."""
        numbers = self._known.find(keys)
        places = np.flatnonzero(numbers >= 0)
        new = self._new[numbers[places]].astype(np.int64)
        some = [keys[place] for place in places[new >= 0].tolist()]
        return self._news.files(some, new[new >= 0])

    def reassignments(self) -> Iterator[list[tuple[Reassignment, Job]]]:
        """Yield what rows are to be given to other files, some together, and the files."""
        pairs = chain.from_iterable(map(self._reassignments, self._renamed))
        while some := list(islice(pairs, RENAMED_TOGETHER)):
            yield some

    def _reassignments(self, renamed: _Renamed) -> Iterator[tuple[Reassignment, Job]]:
        rows = self._known.rows(renamed.numbers)
        for number, (key, row), job in zip(renamed.numbers, rows, renamed.jobs, strict=True):
            gone = not self._listed[number] and row.path is not None and is_gone(row.path)
            yield Reassignment(key, job.file, moved=gone), job

    def _leave_behind(self) -> None:
        """Note where files would be that are missing from a folder that moved.

        So they are gone from there, rather than from a folder that nobody will name again. A folder
        has moved if it's gone and most of its rows are found in another one.
        """
        names = self._known.names[0]
        missing = np.zeros(len(names.texts), np.int64)
        for _, piece, places in self._unlisted():
            starts = piece.facts.starts()[places]
            missing += np.bincount(starts[starts >= 0], minlength=len(missing))
        moved = {
            number: now
            for (before, now), count in self._moves.items()
            if (number := names.known(before)) is not None
            and 0 < missing[number] < count
            and is_gone(before)
        }
        for start, piece, places in self._unlisted() if moved else ():
            some = places[np.isin(piece.facts.starts()[places], [*moved])]
            roots = piece.facts.roots[some].tolist()
            files = [
                File(key, row.bytes, row.mtime_ns, moved[root] + key, row.sha256)
                for root, (key, row) in zip(
                    roots, piece.known(self._known.names[1], some), strict=True
                )
            ]
            self._note(start + some, files)

    def _unlisted(self) -> Iterator[tuple[int, Piece, Places]]:
        """Yield the rows whose keys weren't listed, as `Snapshot.parts` does."""
        for start, piece, places in self._known.parts():
            yield start, piece, places[~self._listed[start + places]]

    def unlisted(self) -> Iterator[str]:
        """Yield the keys that the table had and that weren't listed."""
        for _, piece, places in self._unlisted():
            yield from piece.keys.take(places).to_pylist()


def _root(key: str, place: str | None) -> str | None:
    """The folder that a key starts from, written like one, if its file is there."""
    root = place.removesuffix(key) if place else ""
    return root if root.endswith("/") and root + key == place else None


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


def _has_content(copy: _Copy) -> bool:
    """Whether an image's content is that of a row, whose file is in another place."""
    file = RowFile(copy.row.path or "", copy.row.bytes, copy.row.mtime_ns)
    try:
        expected = copy.row.sha256 or file.digest()
        return expected is not None and expected == copy.job.item.digest()
    except (OSError, ValueError):
        return False
