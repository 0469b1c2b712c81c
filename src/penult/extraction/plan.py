"""What a run has to do, found while it goes on: a thread lists, another one computes.

Images are computed as soon as they are listed, in the order of the listing. What needs the whole
list is done when that ends: rows get new facts, then new keys, in commits of their own; images that
turned out to have no row after all, or whose old row was waited for, are computed last.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Thread
from types import TracebackType
from typing import Self

from penult.extraction.backlog import Backlog, Job, Packed, look
from penult.extraction.changes import Changes
from penult.images import Item, Source
from penult.images.containers import is_gone
from penult.store import Known, TableWriter
from penult.store.facts import Names
from penult.util.machine import cores
from penult.util.progress import Counts

TOGETHER = 1024  # images that are compared with the table together; at first fewer
STOP_SECONDS = 5.0  # that a source may take to give its next image before it's left behind


class Plan:
    """The images that a run has to compute; use it in a `with`, and from one thread.

    Args:
        table: Is told what is new of its rows when all is listed.
        source: All images that there are now.
        retry_failed: As in `extract`.
        checksum: As in `extract`.
        prune: As in `extract`.
    """

    def __init__(
        self, table: TableWriter, source: Source, *, retry_failed: bool, checksum: bool, prune: bool
    ) -> None:
        self._table = table
        self._source = source
        self._checksum = checksum
        self._prune = prune
        self._pool = ThreadPoolExecutor(cores())
        known = table.known().snapshot()
        how = {"checksum": checksum, "retry_failed": retry_failed}
        self._changes: Changes | None = Changes(known, self._pool, **how)
        self._tally = self._changes.tally
        self._backlog = Backlog()
        self._renamed = self._removed = 0
        self._error: BaseException | None = None
        self._stops = False
        self._lister = Thread(target=self._list, args=(self._changes,), daemon=True)

    def __enter__(self) -> Self:
        self._lister.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None
    ) -> None:
        self._stops = True
        self._lister.join(STOP_SECONDS)
        self._pool.shutdown(wait=not self._lister.is_alive(), cancel_futures=True)

    def __iter__(self) -> Iterator[Job]:
        """Yield the images to compute; waits for those that are still to be listed.

        Raises:
            SourceError: The listing breaks off.
            StoreError: The table can't be told what is new of its rows.
        """
        while True:
            packed = self._backlog.take()
            if packed is not None:
                yield from packed
            elif not self._settle():
                return

    def is_listing(self, seconds: float) -> bool:
        """Wait for the end of the listing, so long at most; tell whether it still goes on."""
        self._lister.join(seconds)
        return self._lister.is_alive()

    def __len__(self) -> int:
        """How many images there are to compute, as far as they are listed."""
        return self._backlog.count

    def update(self, counts: Counts) -> None:
        """Count what was listed; once all is, do what waited for that. Raises as `__iter__`."""
        if self._backlog.is_closed:
            self._settle()
            counts.listing = False
        counts.failed_before = self._tally.failed
        counts.moved, counts.renamed = self._tally.moved, self._renamed
        counts.skipped = self._tally.skipped + self._renamed
        counts.removed = self._removed
        counts.listed = self._tally.listed

    def _list(self, changes: Changes) -> None:
        """List the source, in a thread of its own."""
        try:
            for items in self._listed():
                if self._checksum:
                    jobs = [*self._pool.map(partial(look, checksum=True), items)]
                else:
                    jobs = [look(item) for item in items]
                self._backlog.put(changes.sort(jobs))
        except BaseException as error:  # noqa: BLE001 -- raised where the images are taken
            self._error = error
        finally:
            self._backlog.close()

    def _listed(self) -> Iterator[list[Item]]:
        """Yield the images, few at first, so that the first needn't wait for many."""
        size, some = 1, list[Item]()
        for item in self._source:
            if self._stops:
                return
            some.append(item)
            if len(some) == size:
                yield some
                size, some = min(2 * size, TOGETHER), []
        yield some

    def _settle(self) -> bool:
        """Do what waits for the end of the listing, once; tell whether it was done now."""
        if self._error:
            raise self._error
        changes, self._changes = self._changes, None
        if changes is None:
            return False
        if changes.finish():
            self._table.refresh(changes.renewed)
        names = Names()
        for some in changes.reassignments():
            given = self._table.reassign([asked for asked, _ in some])
            self._renamed += len(given)
            left = [job for _, job in some if job.item.key not in given]
            changes.late.append(Packed.of(names, left))
        if self._prune:
            self._remove(changes)
        self._backlog.extend(changes.late)
        return True

    def _remove(self, changes: Changes) -> None:
        """Remove the rows whose file this run would have listed, had it not gone."""
        known = self._table.known()
        gone = [key for key in changes.unlisted() if self._is_missing(known.get(key))]
        self._table.remove(gone)
        self._removed = len(gone)

    def _is_missing(self, row: Known | None) -> bool:
        return bool(row and row.path and self._source.covers(row.path) and is_gone(row.path))
