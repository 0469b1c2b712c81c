"""Commits that outlive a power cut.

Lance puts a version's files in place by renaming them and syncs none of them. Here each commit
syncs what a manifest names before that manifest exists, and the manifest before it returns.
"""

import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from penult.errors import StoreError
from penult.store.layout import DOCUMENT
from penult.store.messages import wrap_errors
from penult.store.versions import files, manifest, uri
from penult.util.files import sync, sync_one
from penult.util.machine import return_memory

if TYPE_CHECKING:
    import pyarrow as pa
    from lance import FragmentMetadata, LanceDataset, LanceOperation, Transaction
    from lance.schema import LanceSchema

_APART = "_versions/d*.manifest"  # versions outside of the sequence

_Prepared: TypeAlias = "tuple[Transaction, Iterable[FragmentMetadata]]"


def create(path: Path, schema: "pa.Schema") -> None:
    """Make an empty table in place of an empty one or none."""
    import lance

    shutil.rmtree(path / "_versions", ignore_errors=True)
    lance.write_dataset(schema.empty_table(), uri(path), mode="create")
    sync(file for file in path.rglob("*") if file.is_file())
    sync_one(path)
    sync_one(path.parent)


def commit(
    path: Path,
    dataset: "LanceDataset",
    batch: "pa.Table | pa.RecordBatchReader",
    *,
    replace: bool,
    remove: Collection[str] = (),
) -> "LanceDataset":
    """Add and remove rows in one version, on disk when this returns.

    Args:
        path: Folder of the table.
        dataset: Its newest version.
        batch: The rows, each key once; a reader's are written as they come.
        replace: Whether keys may be in the table; their old rows go then.
        remove: Keys of further rows that go; none of them is in the batch.
    """
    if replace or remove:
        transaction, fragments = _replacement(dataset, batch, remove)
    else:
        transaction, fragments = _addition(dataset, batch)
    return committed(path, dataset, transaction, fragments)


def committed(
    path: Path,
    dataset: "LanceDataset",
    transaction: "Transaction",
    fragments: "Iterable[FragmentMetadata]",
) -> "LanceDataset":
    """Commit a version, on disk when this returns, once the files of its new fragments are."""
    import lance

    sync(file for fragment in fragments for file, _ in files(path, fragment))
    after = lance.LanceDataset.commit(dataset, transaction)
    _sync_versions(path, dataset.version, after.version)
    return after


def _addition(dataset: "LanceDataset", batch: "pa.Table | pa.RecordBatchReader") -> _Prepared:
    """Write files that no version names yet."""
    import lance
    from lance.fragment import write_fragments

    fragments = write_fragments(batch, dataset)
    return lance.Transaction(dataset.version, lance.LanceOperation.Append(fragments)), fragments


def among(keys: Collection[str]) -> str:
    """A condition that holds for the rows of some keys."""
    literals = ("'" + key.replace("'", "''") + "'" for key in keys)
    return f"key IN ({', '.join(literals)})"


def _replacement(dataset: "LanceDataset", batch: "pa.Table", remove: Collection[str]) -> _Prepared:
    """As `_addition`, with marks on the old rows of the batch's keys and of those to remove."""
    merge = dataset.merge_insert("key").when_matched_update_all().when_not_matched_insert_all()
    if remove:
        merge = merge.when_not_matched_by_source_delete(among(remove))
    transaction, _ = merge.execute_uncommitted(batch)
    operation = cast("LanceOperation.Update", transaction.operation)
    return transaction, [*operation.new_fragments, *operation.updated_fragments]


def refresh(
    path: Path, dataset: "LanceDataset", facts: "Callable[[Sequence[str]], pa.Table]"
) -> "LanceDataset":
    """Replace a few columns of rows in one version, on disk when this returns.

    Only these columns are written, of whole fragments; vectors and their indexes stay as they are.

    Args:
        path: Folder of the table.
        dataset: Its newest version.
        facts: Gives `key` and the columns for some of the keys of a fragment.
    """
    import lance

    fragments, fields = [], set[int]()
    for fragment in dataset.get_fragments():
        renewed = facts(fragment.to_table(columns=["key"])["key"].to_pylist())
        if len(renewed):
            metadata, modified = fragment.update_columns(renewed, "key")
            fragments.append(metadata)
            fields.update(modified)
    if not fragments:
        return dataset
    sync(file for fragment in fragments for file, _ in files(path, fragment))
    operation = lance.LanceOperation.Update(
        updated_fragments=fragments, fields_modified=[*fields], update_mode="rewrite_columns"
    )
    after = lance.LanceDataset.commit(dataset, lance.Transaction(dataset.version, operation))
    _sync_versions(path, dataset.version, after.version)
    return after


def annotate(
    path: Path, dataset: "LanceDataset", columns: "pa.Table", own: "pa.Schema"
) -> "LanceDataset":
    """Lay columns beside the rows, in place of those there now, on disk when this returns.

    Args:
        path: Folder of the table.
        dataset: Its newest version.
        columns: All added columns, in the order of the table's rows.
        own: The columns that the table was made with.
    """
    import lance

    with _plain(path, dataset, own) as plain:
        fragments, start = [], 0
        for fragment in plain.get_fragments():
            piece = columns.slice(start, fragment.count_rows())
            metadata, schema = fragment.merge_columns(piece.to_reader())
            fragments.append(metadata)
            start += len(piece)
    sync(file for fragment in fragments for file, _ in files(path, fragment))
    operation = lance.LanceOperation.Merge(fragments, schema)
    after = lance.LanceDataset.commit(dataset, operation, read_version=dataset.version)
    _sync_versions(path, dataset.version, after.version)
    return after


def widen(
    path: Path,
    dataset: "LanceDataset",
    document: str,
    vectors: "Callable[[pa.Table], pa.RecordBatchReader]",
) -> "LanceDataset":
    """Lay columns of vectors beside the rows and renew the document, on disk when this returns.

    Nothing that there is is written again. Both are one version, made from one apart that has the
    new document already.

    Args:
        path: Folder of the table.
        dataset: Its newest version.
        document: What the table is from then on.
        vectors: Gives the columns of rows, of which it gets `key` and `error`, in their order.
    """
    import lance

    updates = lance.LanceOperation.UpdateMap({DOCUMENT.decode(): document})
    operation = lance.LanceOperation.UpdateConfig(schema_metadata_updates=updates)
    with _apart(path, dataset, operation) as apart:
        fragments = []
        for fragment in apart.get_fragments():
            rows = fragment.to_table(columns=["key", "error"])
            metadata, schema = fragment.merge_columns(vectors(rows))
            fragments.append(metadata)
    sync(file for fragment in fragments for file, _ in files(path, fragment))
    merge = lance.LanceOperation.Merge(fragments, schema)
    after = lance.LanceDataset.commit(dataset, merge, read_version=dataset.version)
    _sync_versions(path, dataset.version, after.version)
    return after


def describe(path: Path, dataset: "LanceDataset", facts: Mapping[str, str]) -> "LanceDataset":
    """Replace entries of the schema's metadata, on disk when this returns."""
    import lance

    updates = lance.LanceOperation.UpdateMap(dict(facts))
    operation = lance.LanceOperation.UpdateConfig(schema_metadata_updates=updates)
    after = lance.LanceDataset.commit(dataset, operation, read_version=dataset.version)
    _sync_versions(path, dataset.version, after.version)
    return after


@contextmanager
def _plain(path: Path, dataset: "LanceDataset", own: "pa.Schema") -> "Iterator[LanceDataset]":
    """The table without added columns: a version apart, which no reader sees and nothing needs.

    Lance adds a column only where there is none of its name; to drop that first, in a version of
    its own, would lose it to a kill in between.
    """
    import lance

    if set(dataset.schema.names) == set(own.names):
        yield dataset
        return
    operation = lance.LanceOperation.Project(_schema_of(dataset, own.names))
    with _apart(path, dataset, operation) as apart:
        yield apart


def _schema_of(dataset: "LanceDataset", names: Collection[str]) -> "LanceSchema":
    """The schema of some columns, with the numbers that they have in the table.

    Lance makes schemas of Arrow's, but numbers fields anew; so they are taken from how it pickles
    the table's own: what makes one, of its metadata and a message for each field.
    """
    schema = dataset.lance_schema
    pickled: Any = schema.__reduce__()
    make, (metadata, *messages) = pickled
    columns = [field.name() for field in schema.fields() for _ in range(_size(field))]
    some = [m for m, name in zip(messages, columns, strict=True) if name in names]
    return cast("LanceSchema", make(metadata, *some))


def _size(field: Any) -> int:  # noqa: ANN401 -- a type of Lance that has no name in Python
    """How many fields one is, with those in it."""
    return 1 + sum(map(_size, field.children()))


@contextmanager
def _apart(
    path: Path, dataset: "LanceDataset", operation: "LanceOperation.BaseOperation"
) -> "Iterator[LanceDataset]":
    """A version outside of the sequence, which goes again: nothing that stays needs it."""
    import lance

    apart = lance.LanceDataset.commit(
        dataset, operation, read_version=dataset.version, detached=True
    )
    try:
        yield apart
    finally:
        for leftover in path.glob(_APART):
            leftover.unlink()


def compact(
    path: Path,
    dataset: "LanceDataset",
    *,
    fragment_rows: int,
    batch_rows: int,
    keep: int,
    grace: timedelta,
) -> "LanceDataset":
    """Join fragments, then remove old versions.

    Args:
        path: Folder of the table.
        dataset: Its newest version; Lance moves it on to the one that it makes.
        fragment_rows: How many rows a fragment gets.
        batch_rows: How many rows are in memory at a time.
        keep: How many of the last versions stay.
        grace: How old those are at least that go.
    """
    before, old = dataset.version, {fragment.fragment_id for fragment in dataset.get_fragments()}
    dataset.optimize.compact_files(target_rows_per_fragment=fragment_rows, batch_size=batch_rows)
    joined = [f.metadata for f in dataset.get_fragments() if f.fragment_id not in old]
    sync(file for fragment in joined for file, _ in files(path, fragment))
    sync(path.glob("_indices/*/*"))  # those that point at joined rows were written anew
    _sync_versions(path, before, dataset.version)
    clean(path, dataset, keep=keep, grace=grace)
    return_memory()
    return dataset


def index_kind(values: int) -> str:
    """The kind of index for vectors of so many values; benchmarks/search.py compares them."""
    return "IVF_SQ" if values % 8 else "IVF_RQ"  # which Lance makes of whole bytes of bits only


def index(path: Path, dataset: "LanceDataset", column: str, metric: str) -> "LanceDataset":
    """Make an index of a column of vectors, on disk when this returns; an older one is replaced."""
    prepared = dataset.create_index_uncommitted(
        column,
        index_kind(dataset.schema.field(column).type.list_size),
        name=column,
        metric=metric,
        replace=True,
        fragment_ids=[fragment.fragment_id for fragment in dataset.get_fragments()],
    )
    folder = path / "_indices" / str(prepared.uuid)
    sync([*folder.iterdir(), folder])
    before = dataset.version
    after = dataset.commit_existing_index_segments(column, column, [prepared])
    _sync_versions(path, before, after.version)
    return after


def clean(
    path: Path, dataset: "LanceDataset", *, keep: int, grace: timedelta, others: bool = False
) -> None:
    """Remove old versions and what killed runs left; the lock says that no other is alive.

    Args:
        path: Folder of the table.
        dataset: Its newest version.
        keep: How many of the last versions stay.
        grace: How old those are at least that go.
        others: Whether there are fragments that are yet to be adopted, which stay then.
    """
    with suppress(StoreError):  # an old version that is damaged costs space, not the run
        _clean(path, dataset, keep, grace, others=others)


def _clean(
    path: Path, dataset: "LanceDataset", keep: int, grace: timedelta, *, others: bool
) -> None:
    with wrap_errors("can't remove old versions"):
        dataset.cleanup_old_versions(
            grace, keep, delete_unverified=not others, error_if_tagged_old_versions=False
        )
        for leftover in [
            *path.glob("_*/.tmp*"),
            *path.glob("_versions/*.unreadable"),
            *path.glob(_APART),
        ]:
            leftover.unlink()


def _sync_versions(path: Path, before: int, after: int) -> None:
    """Sync manifests and transactions of the versions behind `before`."""
    steps = range(before, after)
    transactions = [t for v in steps for t in (path / "_transactions").glob(f"{v}-*.txn")]
    sync(transactions + [manifest(path, v + 1) for v in steps])
    sync_one(path)
