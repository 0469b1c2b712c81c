"""What a table knows of its images' files, by key, in some 60 bytes a key.

Rows lie in pieces of columns that never change, so that a plan may go through them in a thread of
its own while the table is written to. They are found by hashes of their keys; what has changed last
is in a dict, and moves to a piece when there is much of it.
"""

from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from sys import intern
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from penult.errors import StoreError
from penult.store.facts import Facts, Names, Places, column_of, concatenated, joined, spread
from penult.store.layout import File
from penult.store.messages import DamageError
from penult.util.files import held_time
from penult.util.machine import return_memory

if TYPE_CHECKING:
    import pyarrow as pa
    from lance import LanceDataset

PIECE_ROWS = 1 << 15
READ_ROWS = 1 << 13
FEW_ROWS = 1 << 12  # that may have changed since, and a 64th of all
Renewed: TypeAlias = Callable[[Sequence[str]], Sequence[File]]
"""Of some keys, the files about which there is something new."""

_COLUMNS = ["key", "path", "bytes", "mtime", "sha256", "error"]


class Known(NamedTuple):
    """What a table knows of an image's file, and how the image failed.

    Attributes:
        bytes: Size of the file.
        mtime_ns: Its last change.
        failure: The kind of failure, one of `penult.images.CODES`; None if the row has features.
        sha256: Digest of its content, if that was asked for.
        path: Where it was, written like a key, if the table says so.
    """

    bytes: int
    mtime_ns: int
    failure: str | None = None
    sha256: str | None = None
    path: str | None = None

    @classmethod
    def of(cls, file: File, failure: str | None) -> "Known":
        """What is known of a file whose row has been written."""
        return cls(file.bytes, held_time(file.mtime_ns), failure, file.sha256, file.path)


class Piece(NamedTuple):
    """Some rows."""

    keys: "pa.StringArray"
    facts: Facts
    failures: NDArray[np.int32]  # numbers of their kinds

    def known(self, failures: Names, places: Places) -> "list[tuple[str, Known]]":
        """Some of these rows, with their keys."""
        facts = self.facts.take(places)
        keys = self.keys.take(places).to_pylist()
        kinds = map(failures.text, self.failures[places].tolist())
        columns = (facts.sizes.tolist(), facts.times.tolist(), kinds)
        rows = map(Known, *columns, facts.sha256(), facts.paths(keys))
        return list(zip(keys, rows, strict=True))


class Snapshot:
    """Rows as they were at one moment; a row has a number, and each key one row.

    Attributes:
        pieces: The rows, and others that have been replaced since.
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        names: tuple[Names, Names],
        hashes: NDArray[np.int64],
        order: NDArray[np.integer],
    ) -> None:
        self.pieces = pieces
        self.names = names  # of places, and of failures
        self.hashes = hashes  # of the keys, sorted
        self.order = order  # the row of each
        self.starts = [0, *accumulate(len(piece.keys) for piece in pieces)]

    def __len__(self) -> int:
        return len(self.order)

    @property
    def numbers(self) -> int:
        """What all numbers of rows are below."""
        return self.starts[-1]

    def find(self, keys: Sequence[str]) -> Places:
        """The numbers of keys' rows; -1 where there is none."""
        rows = np.full(len(keys), -1, np.int64)
        hashes = hashes_of(keys)
        at = np.searchsorted(self.hashes, hashes)
        left = np.arange(len(keys))
        while len(left):  # once, but for keys of one hash
            left = left[at[left] < len(self.hashes)]
            left = left[self.hashes[at[left]] == hashes[left]]
            found = self.order[at[left]].astype(np.int64)
            there = zip(self.keys(found), left.tolist(), strict=True)
            equal = np.fromiter((key == keys[place] for key, place in there), bool, len(left))
            rows[left[equal]] = found[equal]
            left = left[~equal]
            at[left] += 1
        return rows

    def keys(self, rows: Places) -> list[str]:
        """Keys of rows by their numbers."""
        keys = [""] * len(rows)
        for places, piece, inside in spread(self.starts[:-1], self.pieces, rows):
            some = piece.keys.take(inside).to_pylist()
            for place, key in zip(places.tolist(), some, strict=True):
                keys[place] = key
        return keys

    def rows(self, rows: Places) -> list[tuple[str, Known]]:
        """Keys of rows by their numbers, and what is known of them."""
        found: dict[int, tuple[str, Known]] = {}
        for places, piece, inside in spread(self.starts[:-1], self.pieces, rows):
            found |= zip(places.tolist(), piece.known(self.names[1], inside), strict=True)
        return [found[place] for place in range(len(rows))]

    def parts(self) -> Iterator[tuple[int, Piece, Places]]:
        """Yield pieces: the number of the first row, the piece, and which places in it count."""
        live = np.zeros(self.numbers, bool)
        live[self.order] = True
        for start, piece in zip(self.starts, self.pieces, strict=False):
            yield start, piece, np.flatnonzero(live[start : start + len(piece.keys)])

    def doubled(self) -> int:
        """How many keys are there more than once."""
        same = np.flatnonzero(self.hashes[1:] == self.hashes[:-1])
        first, second = (self.keys(self.order[same + n].astype(np.int64)) for n in (0, 1))
        return sum(map(str.__eq__, first, second))


class Digests:
    """Rows by the digests of their content, of those that have features."""

    def __init__(self, snapshot: Snapshot) -> None:
        hashes, rows = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for first, piece, places in snapshot.parts():
            right = places[piece.failures[places] < 0]
            digests = piece.facts.take(right).sha256()
            some = [place for place, digest in enumerate(digests) if digest]
            hashes.append(hashes_of([str(digests[place]) for place in some]))
            rows.append(first + right[some])
        unsorted = np.concatenate(hashes)
        order = np.argsort(unsorted, kind="stable")
        self._snapshot = snapshot
        self._hashes, self._rows = unsorted[order], np.concatenate(rows)[order]

    def find(self, digest: str) -> tuple[int, str, Known] | None:
        """The last row of some content: its number, its key, and what is known of it."""
        low, high = (np.searchsorted(self._hashes, hash(digest), s) for s in ("left", "right"))
        for place in range(high - 1, low - 1, -1):
            row = int(self._rows[place])
            [(key, known)] = self._snapshot.rows(np.array([row]))
            if known.sha256 == digest:
                return row, key, known
        return None


class KnownRows(Mapping[str, Known]):
    """For each key in a table, what later runs compare its file with.

    Args:
        snapshot: What the table has when it is opened.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._recent: dict[str, Known | None] = {}  # None: its row is gone

    @classmethod
    def read(cls, dataset: "LanceDataset") -> "KnownRows":
        """Read a table's, a piece at a time.

        Raises:
            StoreError: A key occurs twice.
            DamageError: A row has no key.
        """
        names = Names(), Names()
        scanner = dataset.scanner(columns=_COLUMNS, batch_size=READ_ROWS, batch_readahead=1)
        pieces = _gathered(_piece(names, batch) for batch in scanner.to_batches())
        hashes = [hashes_of(piece.keys.to_pylist()) for piece in pieces]
        unsorted = np.concatenate([np.empty(0, np.int64), *hashes])
        del hashes
        return_memory()  # what Lance took to read them
        order = np.argsort(unsorted, kind="stable").astype(_width(len(unsorted)))
        snapshot = Snapshot(pieces, names, unsorted[order], order)
        if count := snapshot.doubled():
            raise StoreError(f"{count} keys occur twice: delete this table")
        return cls(snapshot)

    def snapshot(self) -> Snapshot:
        """All rows as they are now."""
        self._settle()
        return self._snapshot

    def update(self, rows: Mapping[str, Known | None]) -> None:
        """Note what rows are now; None for those that are gone."""
        self._recent.update(rows)
        if len(self._recent) > max(FEW_ROWS, len(self._snapshot) // 64):
            self._settle()

    def renew(self, renewed: Renewed) -> None:
        """Note what is new about files of rows, all at once."""
        before = self.snapshot()
        pieces = []
        for _, piece, places in before.parts():
            keys = piece.keys.to_pylist()
            if files := renewed([keys[place] for place in places]):
                at = {keys[place]: place for place in places.tolist()}
                all_files = piece.facts.files(keys)
                for file in files:
                    all_files[at[file.key]] = file
                piece = piece._replace(facts=Facts.of_files(before.names[0], all_files))  # noqa: PLW2901
            pieces.append(piece)
        self._snapshot = Snapshot(pieces, before.names, before.hashes, before.order)

    def _settle(self) -> None:
        """Move what has changed to the snapshot, a new one."""
        if not self._recent:
            return
        before = self._snapshot
        stay = np.ones(before.numbers, bool)
        replaced = before.find([*self._recent])
        stay[replaced[replaced >= 0]] = False
        kept = stay[before.order]
        hashes, order = before.hashes[kept], before.order[kept]
        rows = {key: row for key, row in self._recent.items() if row is not None}
        pieces = _gathered([*before.pieces, _made(before.names, rows)])
        new = hashes_of([*rows])
        sort = np.argsort(new)
        at = np.searchsorted(hashes, new[sort])
        width = _width(before.numbers + len(rows))
        self._snapshot = Snapshot(
            pieces,
            before.names,
            np.insert(hashes, at, new[sort]),
            np.insert(order.astype(width, copy=False), at, (before.numbers + sort).astype(width)),
        )
        self._recent = {}
        if self._snapshot.numbers > 2 * len(self._snapshot) + PIECE_ROWS:
            self._snapshot = _without_gaps(self._snapshot)

    def _one(self, key: str) -> Known | None:
        if key in self._recent:
            return self._recent[key]
        [row] = self._snapshot.find([key])
        return self._snapshot.rows(np.array([row]))[0][1] if row >= 0 else None

    def has_any(self, keys: Sequence[str]) -> bool:
        """Whether there are rows of some of these keys."""
        if any(self._recent.get(key) for key in keys):
            return True
        others = [key for key in keys if key not in self._recent]
        return bool((self._snapshot.find(others) >= 0).any())

    def __getitem__(self, key: str) -> Known:
        row = self._one(key)
        if row is None:
            raise KeyError(key)
        return row

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._one(key) is not None

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self.items())

    def __len__(self) -> int:
        return len(self.snapshot())

    def items(self) -> ItemsView[str, Known]:
        """Keys and rows, as they were first written or written anew."""
        return _Items(self)


class _Items(ItemsView[str, Known]):
    """Rows with their keys, a piece at a time."""

    def __init__(self, rows: KnownRows) -> None:
        super().__init__(rows)
        self._rows = rows

    def __iter__(self) -> Iterator[tuple[str, Known]]:
        snapshot = self._rows.snapshot()
        for _, piece, places in snapshot.parts():
            yield from piece.known(snapshot.names[1], places)


def code(error: str | None) -> str | None:
    """The kind of a failure, which its reason begins with."""
    return error and intern(error.partition(":")[0])


def hashes_of(keys: Sequence[str]) -> NDArray[np.int64]:
    """Hashes of keys, of this process only."""
    return np.fromiter(map(hash, keys), np.int64, len(keys))


def _width(rows: int) -> type[np.integer]:
    return np.int32 if rows < 1 << 31 else np.int64


def _piece(names: tuple[Names, Names], batch: "pa.RecordBatch") -> Piece:
    import pyarrow as pa

    if batch["key"].null_count:
        raise DamageError("there are rows without a key: extract into another table")
    sizes, times = (
        batch[name].cast(pa.int64()).fill_null(-1).to_numpy() for name in ("bytes", "mtime")
    )
    keys, paths, digests = (batch[name].to_pylist() for name in ("key", "path", "sha256"))
    facts = Facts.of(names[0], keys, paths, sizes, times, digests)
    failures = (names[1].number(code(error)) for error in batch["error"].to_pylist())
    own = column_of(keys, "string")  # what the batch has may hold more of Lance's memory
    return Piece(own, facts, np.fromiter(failures, np.int32, len(batch)))


def _made(names: tuple[Names, Names], rows: Mapping[str, Known]) -> Piece:
    columns = zip(*rows.values(), strict=True) if rows else [()] * len(Known._fields)
    sizes, times, failures, digests, paths = map(list, columns)
    facts = Facts.of(names[0], [*rows], paths, sizes, times, digests)
    kinds = np.fromiter(map(names[1].number, failures), np.int32, len(rows))
    return Piece(column_of([*rows], "string"), facts, kinds)


def _gathered(pieces: Iterable[Piece]) -> list[Piece]:
    """Pieces in their order, small ones joined."""
    found: list[Piece] = []
    for piece in pieces:
        if found and len(found[-1].keys) + len(piece.keys) <= PIECE_ROWS:
            last = found.pop()
            keys = concatenated([last.keys, piece.keys])
            facts = joined([last.facts, piece.facts])
            found.append(Piece(keys, facts, np.concatenate([last.failures, piece.failures])))
        elif len(piece.keys):
            found.append(piece)
    return found


def _without_gaps(snapshot: Snapshot) -> Snapshot:
    """The same without the rows that don't count."""
    number = np.zeros(snapshot.numbers, snapshot.order.dtype)
    pieces, count = [], 0
    for start, piece, places in snapshot.parts():
        number[start + places] = count + np.arange(len(places))
        count += len(places)
        pieces.append(
            Piece(piece.keys.take(places), piece.facts.take(places), piece.failures[places])
        )
    return Snapshot(_gathered(pieces), snapshot.names, snapshot.hashes, number[snapshot.order])
