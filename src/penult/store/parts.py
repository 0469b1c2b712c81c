"""Rows that other processes write where a table lies, for its one writer to make a version of.

They are files that no version names: whatever becomes of the processes, the table holds what its
writer has taken in, and nothing else.
"""

import json
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from penult.errors import StoreError
from penult.store import columns as added
from penult.store import durable
from penult.store.layout import File, Kind, Row
from penult.store.messages import DamageError, wrap_errors
from penult.store.versions import METADATA_BYTES, PROBE, files, require_whole, uri
from penult.util.files import sync
from penult.util.text import quoted

if TYPE_CHECKING:
    from lance import FragmentMetadata, LanceDataset, LanceOperation

_TRIAL = ".tmp-penult-"  # begins the name of a file that shows that a folder can be written to


class Part(NamedTuple):
    """Rows that are written, in the order in which they were asked for.

    Attributes:
        fragments: Lance's description of their files, as JSON.
        rows: How many there are.
        errors: Why rows have no vectors, by place.
        undigested: The places of those whose digest wasn't that of what was decoded.
    """

    fragments: Sequence[str]
    rows: int
    errors: Mapping[int, str]
    undigested: Collection[int]

    def as_written(self, files: Sequence[File]) -> list[File]:
        """The files of its rows, of which these were asked for, as the rows have them."""
        gone = set(self.undigested)
        return [replace(f, sha256=None) if n in gone else f for n, f in enumerate(files)]

    @property
    def reasons(self) -> list[str | None]:
        """Why rows have no vectors, a value a row."""
        return [self.errors.get(place) for place in range(self.rows)]

    def metadata(self) -> "list[FragmentMetadata]":
        """The fragments, as Lance takes them."""
        from lance import FragmentMetadata

        return [FragmentMetadata.from_json(text) for text in self.fragments]


class PartWriter:
    """Writes rows of a table in another process than the table's writer.

    Args:
        path: The table's folder, as this machine sees it.
        kind: What its rows have in common.

    Raises:
        StoreError: There is no such table.
    """

    def __init__(self, path: Path, kind: Kind) -> None:
        import lance

        self._path, self._kind = path, kind
        with wrap_errors(f"can't open {quoted(path)}"):
            self._dataset = lance.dataset(uri(path), metadata_cache_size_bytes=METADATA_BYTES)

    def write(self, rows: Sequence[Row]) -> Part:
        """Write rows, each key once; they are on the disk when this returns.

        Raises:
            StoreError: A row doesn't fit the table, or it can't be written.
        """
        from lance.fragment import write_fragments

        batch = added.completed(self._kind.table(rows), self._dataset.schema)
        with wrap_errors(f"{quoted(self._path)}: can't write {len(rows)} rows"):
            fragments = write_fragments(batch, self._dataset)
            sync(file for each in fragments for file, _ in files(self._path, each))
        return Part(
            [json.dumps(fragment.to_json()) for fragment in fragments],
            len(rows),
            {place: row.error for place, row in enumerate(rows) if row.error is not None},
            [place for place, row in enumerate(rows) if row.sha256 is None],
        )


def take_in(
    path: Path,
    dataset: "LanceDataset",
    fragments: "Sequence[FragmentMetadata]",
    replaced: Collection[str] = (),
) -> "LanceDataset":
    """Name fragments that lie there already in one version, on disk when this returns.

    Args:
        path: Folder of the table.
        dataset: Its newest version.
        fragments: Rows, each key once, in files that are on the disk.
        replaced: Those of their keys that are in the table; the old rows go.
    """
    import lance

    try:
        for fragment in fragments:
            for file, size in files(path, fragment):
                require_whole(file, size)
    except DamageError as exc:
        where = "does each machine see the table in the same place?"
        raise StoreError(f"{quoted(path)}: what another process wrote: {exc}: {where}") from exc
    operation: LanceOperation.BaseOperation = lance.LanceOperation.Append(list(fragments))
    updated: list[FragmentMetadata] = []
    if replaced:
        removed, updated = _without(dataset, replaced)
        operation = lance.LanceOperation.Update(
            removed_fragment_ids=removed,
            updated_fragments=updated,
            new_fragments=list(fragments),
            update_mode="rewrite_rows",
        )
    transaction = lance.Transaction(dataset.version, operation)
    return durable.committed(path, dataset, transaction, [*fragments, *updated])


def _without(
    dataset: "LanceDataset", keys: Collection[str]
) -> "tuple[list[int], list[FragmentMetadata]]":
    """The fragments that have nothing but rows of some keys, and others with marks on these."""
    import pyarrow.compute as pc

    condition = durable.among(keys)
    found = dataset.to_table(columns=[], filter=condition, with_row_address=True)["_rowaddr"]
    removed, updated = [], []
    for number in pc.unique(pc.shift_right(found, 32)).to_pylist():
        fragment = dataset.get_fragment(number)
        left = fragment.delete(condition) if fragment else None
        if left is None:
            removed.append(number)
        else:
            updated.append(left)
    return removed, updated


@contextmanager
def probe(path: Path) -> Iterator[str]:
    """Leave a file in a table's folder, by which other machines know it; yield what it says."""
    token = secrets.token_hex(16)
    file = path / PROBE
    with wrap_errors(f"can't write {quoted(file)}"):
        file.write_text(token, encoding="ascii")
    try:
        yield token
    finally:
        with suppress(OSError):
            file.unlink()


def require_shared(path: Path, token: str) -> None:
    """Refuse a folder that isn't the one in which `probe` left a file, or can't be written to.

    Raises:
        StoreError: It's another one, or this machine may not write there.
    """
    try:
        found = (path / PROBE).read_text(encoding="ascii")
    except (OSError, ValueError):
        found = ""
    if found != token:
        raise StoreError(
            f"the table {quoted(path)} isn't there: put it where all machines see it (-o)"
        )
    trial = path / "_versions" / f"{_TRIAL}{secrets.token_hex(8)}"
    with wrap_errors(f"can't write to the table {quoted(path)}"):
        trial.touch()
        trial.unlink()
