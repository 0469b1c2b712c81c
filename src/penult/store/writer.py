"""The writer's side of a table of features: one process, one commit a batch."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from penult.errors import StoreError
from penult.store import columns as added
from penult.store import durable
from penult.store.columns import Values
from penult.store.known import Known, KnownRows, Renewed, code
from penult.store.layout import DOCUMENT, File, Kind, Row, Shape, column, file_facts, with_files
from penult.store.lock import Lock
from penult.store.messages import wrap_errors
from penult.store.parts import Part, take_in
from penult.store.versions import (
    LOCK,
    is_empty,
    local,
    manifest,
    newest,
    require_free,
    require_table,
    set_aside,
    versions,
)
from penult.store.widening import widen
from penult.util.files import sync
from penult.util.text import quoted

if TYPE_CHECKING:
    import pyarrow as pa
    from lance import LanceDataset

FRAGMENT_BYTES = 64 << 20  # what compaction joins small fragments up to
BATCH_BYTES = 8 << 20  # what compaction holds in memory at a time
MANY_FRAGMENTS = 16  # small fragments, one a commit, that are worth joining at the end of a run
SMALL_ROWS = 1000  # of a fragment that counts as one of them
CLEAN_VERSIONS = 64  # that make it worth removing old ones in the middle of a run
TOO_MANY_FRAGMENTS = 256  # that are joined in the middle of it: each commit writes a list of all
KEEP = 4  # versions that stay for falling back: compaction makes two, so two commits before it
GRACE = timedelta(minutes=1)  # that older ones stay for those who have just opened them

CHUNK = 1024  # rows that are given to other files, or removed, in one commit


class Reassignment(NamedTuple):
    """A file that a row now belongs to, as its content is what the row was computed from."""

    key: str  # of the row
    file: File
    moved: bool = False  # whether the row is taken from its key, or copied

    @property
    def keeps_key(self) -> bool:
        """Whether it's the row's own file, of which something new is known."""
        return self.key == self.file.key


class TableWriter:
    """A table open for writing, by one process at a time; close it or use it in a `with`.

    At any moment, after a kill or a power cut too, the table on disk holds what was appended up to
    some finished `append`, and each key once.

    Attributes:
        path: Its folder.
        kind: Layers and provenance of all its rows.
        recovered: A line to print if newest versions couldn't be read and were passed over.
    """

    def __init__(
        self, path: str | os.PathLike[str], asked: Kind | None, *, any_layers: bool = False
    ) -> None:
        self.path = local(path)
        self._lock = Lock(self.path / LOCK)
        try:
            with wrap_errors(f"can't open {quoted(self.path)}"):
                self._start(asked, any_layers=any_layers)
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Continue a table, whatever it holds.

        Raises:
            StoreError: If there is no table, it is damaged, or another process writes to it.
        """
        require_table(local(path))
        return cls(path, None)

    @classmethod
    def open_or_create(
        cls,
        path: str | os.PathLike[str],
        layers: Mapping[str, Shape],
        provenance: Mapping[str, Any],
        notes: Mapping[str, Any] = MappingProxyType({}),
        *,
        any_layers: bool = False,
    ) -> Self:
        """Continue a table of the same kind, or begin it.

        Args:
            path: Its folder, made if it doesn't exist.
            layers: Name and shape of each layer's output.
            provenance: What makes the vectors, as plain data by name. To continue the table all of
                it must be the same.
            notes: What is worth knowing of how they are made, likewise, but needn't be the same.
            any_layers: Continue a table of other layers too, made alike.

        Raises:
            StoreError: If the table holds features that were made in another way.
        """
        asked = Kind.of(layers, provenance, notes)
        folder = local(path)
        if not versions(folder):
            require_free(folder)
            with wrap_errors(f"can't make {quoted(folder)}"):
                folder.mkdir(parents=True, exist_ok=True)
        return cls(folder, asked, any_layers=any_layers)

    def _start(self, asked: Kind | None, *, any_layers: bool) -> None:
        if asked and is_empty(self.path):
            durable.create(self.path, asked.schema())
        self._dataset, (self.kind, self._known), self.recovered = newest(self.path, _load)
        if asked and any_layers:
            asked = asked.with_layers_of(self.kind)
        if asked and (differences := self.kind.differences(asked)):
            raise StoreError(
                f"{quoted(self.path)} holds other features: {'; '.join(differences[:3])}: "
                "ask for the same, write to another table (-o) or delete this one"
            )
        if set_aside(self.path, self._dataset.version):
            sync([manifest(self.path, self._dataset.version)])
        self._count_small()

    def known(self) -> KnownRows:
        """For each key in the table, what later runs compare its file with."""
        return self._known

    def append(self, rows: Sequence[Row]) -> None:
        """Save rows in one commit; a row whose key is in the table takes the old one's place.

        When this returns, the rows are on the disk. When it raises, the table is closed: open it
        again to see whether they are.

        Raises:
            StoreError: If a row doesn't fit the table, or it can't be written.
        """
        latest = {row.key: row for row in rows}
        if latest:
            self._commit(self.kind.table(list(latest.values())), [*latest.values()])

    def reassign(self, asked: Sequence[Reassignment]) -> set[str]:
        """Give rows to other files of the same content, or renew what is known of their own.

        As durable as `append`. Rows that have gone or changed meanwhile are passed over.

        Returns:
            The keys that have a row now.
        """
        own = {each.key: each.file for each in asked if each.keeps_key and each.key in self._known}
        if own:
            self.refresh(lambda keys: [own[key] for key in keys if key in own])
        given = set(own)
        others = [each for each in asked if not each.keeps_key]
        rows = min(CHUNK, self.fragment_rows)  # maps take much memory
        for start in range(0, len(others), rows):
            given |= self._reassign(others[start : start + rows])
        return given

    def refresh(self, renewed: Renewed) -> None:
        """Renew what is known of rows' own files, in one commit that writes no vectors.

        Args:
            renewed: Is asked about all keys, some at a time, twice.
        """
        with self._writing("can't renew what is known of files"):
            schema = self._dataset.schema
            self._dataset = durable.refresh(
                self.path, self._dataset, lambda keys: file_facts(schema, renewed(keys))
            )
        self._known.renew(renewed)

    def _reassign(self, asked: Sequence[Reassignment]) -> set[str]:
        with wrap_errors(f"{quoted(self.path)}: can't read rows"):
            rows = self._dataset.to_table(filter=durable.among({each.key for each in asked}))
        digests = dict(zip(rows["key"].to_pylist(), rows["sha256"].to_pylist(), strict=True))
        valid = [each for each in asked if _is_valid(each, digests)]
        if not valid:
            return set()
        place = {key: index for index, key in enumerate(digests)}
        files = [each.file for each in valid]
        given = {file.key for file in files}
        batch = with_files(rows.take([place[each.key] for each in valid]), files)
        self._commit(batch, files, {each.key for each in valid if each.moved} - given)
        return given

    def remove(self, keys: Sequence[str]) -> None:
        """Remove rows, as durably as `append` adds them."""
        for start in range(0, len(keys), CHUNK):
            self._commit(self.kind.schema().empty_table(), [], keys[start : start + CHUNK])

    def note(self, notes: Mapping[str, Any]) -> None:
        """Renew notes on what makes the features, as durably as `append`; the others stay."""
        kind = replace(self.kind, notes=self.kind.notes | dict(notes))
        if kind != self.kind:
            with self._writing("can't renew its notes"):
                facts = {DOCUMENT.decode(): kind.document}
                self._dataset = durable.describe(self.path, self._dataset, facts)
            self.kind = kind

    def annotate(self, keys: Sequence[str], columns: Mapping[str, Values]) -> int:
        """Add columns, or replace added ones: a value a key, and null in all other rows.

        As durable as `append`. Rows that have gone meanwhile are passed over.

        Args:
            keys: Keys of rows, each once.
            columns: Values in the order of `keys`: int32 or float32 arrays, or texts, by names of
                a-z, 0-9 and _ that the table doesn't have itself.

        Returns:
            How many rows got values.

        Raises:
            UsageError: A name or values can't be added.
            StoreError: The table can't be written.
        """
        values = added.checked(self.kind, keys, columns)
        stay = added.names(self.kind, self._dataset.schema)
        with self._writing(f"can't add {quoted(', '.join(columns))}"):
            rows = self._dataset.to_table(columns=["key", *stay])
            beside, given = added.beside(rows, keys, values)
            if len(rows) and columns:
                own = self.kind.schema()
                self._dataset = durable.annotate(self.path, self._dataset, beside, own)
        self.compact()
        return given

    def add_layers(self, beside: "TableWriter", order: Sequence[str]) -> None:
        """Give all rows the layers of another table, which has them for each that hasn't failed.

        As durable as `append`, in one commit; nothing that the table has is written again.

        Args:
            beside: The other table, open too.
            order: All layers, as they are to be listed from then on.
        """
        layers = self.kind.layers | beside.kind.layers
        kind = replace(self.kind, layers={name: layers[name] for name in order})
        with self._writing(f"can't add {quoted(', '.join(beside.kind.layers))}"):
            self._dataset = widen(
                self.path, self._dataset, kind, beside._dataset, beside.kind.layers
            )
        self.kind = kind

    def _commit(
        self, batch: "pa.Table", files: Sequence[File], remove: Collection[str] = ()
    ) -> None:
        with self._writing(f"can't save {len(files)} rows"):
            replace = self._known.has_any([file.key for file in files])
            batch = added.completed(batch, self._dataset.schema)
            self._dataset = durable.commit(
                self.path, self._dataset, batch, replace=replace, remove=remove
            )
        self._known.update(dict.fromkeys(remove))
        self._learn(files, batch["error"].to_pylist())
        self._small += 1
        if self._small >= TOO_MANY_FRAGMENTS:
            self._compact()

    def _learn(self, files: Sequence[File], errors: Sequence[str | None]) -> None:
        rows = zip(files, map(code, errors), strict=True)
        self._known.update({file.key: Known.of(file, error) for file, error in rows})

    def adopt(self, parts: Sequence[tuple[Sequence[File], Part]]) -> None:
        """Take in what other processes have written, in one commit, as durable as `append`.

        Rows come in the order of the parts; those whose key is in the table take the old one's
        place. Nothing is compacted, and what is yet to be taken in stays.

        Args:
            parts: What was written, each with the files that its rows are of.

        Raises:
            StoreError: The files of a part aren't there, or the table can't be written.
        """
        fragments = [each for _, part in parts for each in part.metadata()]
        replaced = [file.key for files, _ in parts for file in files if file.key in self._known]
        with self._writing(f"can't take in {sum(part.rows for _, part in parts)} rows"):
            self._dataset = take_in(self.path, self._dataset, fragments, replaced)
            for files, part in parts:
                self._learn(part.as_written(files), part.reasons)
            if len(versions(self.path)) >= CLEAN_VERSIONS:
                durable.clean(self.path, self._dataset, keep=KEEP, grace=GRACE, others=True)
        self._small += sum(each.num_rows < self._small_rows for each in fragments)

    def index(self, layer: str, metric: str) -> None:
        """Make an index of a layer for `TableReader.nearest`, durably; an older one is replaced.

        Rows that are appended later are found too, though not by the index.
        """
        with self._writing(f"can't index {quoted(layer)}"):
            self._dataset = durable.index(self.path, self._dataset, column(layer), metric)

    def compact(self, at_least: int = MANY_FRAGMENTS) -> None:
        """Join small fragments and remove old versions, if there are many of either.

        Args:
            at_least: How many are many.
        """
        if self._small >= at_least or len(versions(self.path)) >= KEEP + at_least:
            self._compact()

    def _compact(self) -> None:
        with self._writing("can't compact"):
            self._dataset = durable.compact(
                self.path,
                self._dataset,
                fragment_rows=self.fragment_rows,
                batch_rows=max(1, BATCH_BYTES // self.kind.row_bytes),
                keep=KEEP,
                grace=GRACE,
            )
            self._count_small()

    def clean(self) -> None:
        """Remove old versions, and what other processes have written that wasn't taken in.

        None of them is at work any more, or what it writes is lost.
        """
        with self._writing("can't remove old versions"):
            durable.clean(self.path, self._dataset, keep=KEEP, grace=GRACE)

    @property
    def fragment_rows(self) -> int:
        """How many rows a fragment gets, at most."""
        return max(1, FRAGMENT_BYTES // self.kind.row_bytes)

    def _count_small(self) -> None:
        rows = [fragment.metadata.num_rows for fragment in self._dataset.get_fragments()]
        self._small = sum(count < self._small_rows for count in rows)

    @property
    def _small_rows(self) -> int:
        return min(self.fragment_rows, SMALL_ROWS)

    @contextmanager
    def _writing(self, failing: str) -> Iterator[None]:
        """Close the table if a step fails: what is on disk then is known only by reading it."""
        if not self._lock.guards():
            raise StoreError(f"{quoted(self.path)} was closed, moved or deleted: open it again")
        try:
            then = "what was saved before is safe, run again to go on"
            with wrap_errors(f"{quoted(self.path)}: {failing}", then):
                yield
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let other processes write to the table."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()


def _is_valid(asked: Reassignment, digests: Mapping[str, str | None]) -> bool:
    """Whether a row is still there and of the same content as the file that gets it."""
    return asked.key in digests and asked.file.sha256 == digests[asked.key]


def _load(dataset: "LanceDataset") -> tuple[Kind, KnownRows]:
    return Kind.read(dataset.schema), KnownRows.read(dataset)
