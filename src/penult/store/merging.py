"""Several tables as one: each a part of the images, made alike."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from penult.errors import StoreError, UsageError
from penult.store import durable
from penult.store.layout import Kind
from penult.store.messages import wrap_errors
from penult.store.versions import local, newest, require_table
from penult.util.files import sync_one
from penult.util.text import quoted

if TYPE_CHECKING:
    import pyarrow as pa
    from lance import LanceDataset

BATCH_BYTES = 8 << 20  # of rows that are copied at a time
_SHOWN = 3  # keys in a message


def merge(out: str | os.PathLike[str], tables: Sequence[str | os.PathLike[str]]) -> Path:
    """Join tables of one recipe, such as those of the shards of a run, in a new one.

    Rows are copied in the order of the tables, in bounded memory, but for their keys; failed ones
    too. Columns that were added (clusters, say) are left out: they were of parts. The new table
    appears when it is whole, so a merge that was killed is only to be run again.

    Args:
        out: The new table, a folder that doesn't exist.
        tables: The tables, which stay as they are.

    Returns:
        Its path.

    Raises:
        UsageError: There is no table to join.
        StoreError: The tables weren't made alike, two have a key, one can't be read, or `out`
            exists.
    """
    if not tables:
        raise UsageError("no tables to merge: name those that the shards wrote")
    path = local(out)
    if os.path.lexists(path):
        raise StoreError(f"{quoted(path)} exists: name another table, or delete this one")
    parts = [local(table) for table in tables]
    opened = [_open(part) for part in parts]
    kind = opened[0][1]
    for part, (_, other, _) in zip(parts, opened, strict=True):
        if differences := kind.differences(other):
            raise StoreError(
                f"{quoted(part)} holds other features than {quoted(parts[0])}: "
                f"{'; '.join(differences[:3])}: extract it alike, or leave it out"
            )
    _require_distinct(parts, [keys for *_, keys in opened])
    unfinished = path.with_name(f".{path.name}.merging")
    with wrap_errors(f"can't write {quoted(path)}"):
        shutil.rmtree(unfinished, ignore_errors=True)
        _copy(unfinished, kind, [dataset for dataset, *_ in opened])
        unfinished.rename(path)
        sync_one(path.absolute().parent)
    return path


def _open(path: Path) -> "tuple[LanceDataset, Kind, pa.ChunkedArray]":
    require_table(path)
    with wrap_errors(f"can't open {quoted(path)}"):
        dataset, (kind, keys), damage = newest(path, _kind_and_keys)
    if damage:
        raise StoreError(f"{damage}: run its extract again before merging")
    return dataset, kind, keys


def _kind_and_keys(dataset: "LanceDataset") -> "tuple[Kind, pa.ChunkedArray]":
    import pyarrow as pa

    kind = Kind.read(dataset.schema)
    return kind, dataset.to_table(columns=["key"])["key"].cast(pa.large_string())


def _require_distinct(paths: Sequence[Path], keys: "Sequence[pa.ChunkedArray]") -> None:
    """Refuse keys that two tables have, with the names of both."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for place, (path, some) in enumerate(zip(paths, keys, strict=True)):
        earlier = [chunk for each in keys[:place] for chunk in each.chunks]
        before = pa.chunked_array(earlier, pa.large_string())
        twice = some.filter(pc.is_in(some, value_set=before))
        if len(twice):
            first = next(
                name
                for name, each in zip(paths, keys, strict=True)
                if pc.is_in(twice[0], value_set=each).as_py()
            )
            some_keys = ", ".join(quoted(key.as_py()) for key in twice[:_SHOWN])
            raise StoreError(
                f"{quoted(path)} and {quoted(first)} both have {some_keys}"
                f"{', …' * (len(twice) > _SHOWN)} ({len(twice):,} keys twice): leave one table out"
            )


def _copy(path: Path, kind: Kind, datasets: "Sequence[LanceDataset]") -> None:
    import lance

    schema = kind.schema()
    durable.create(path, schema)
    merged = lance.dataset(str(path.resolve()))
    rows = max(1, BATCH_BYTES // kind.row_bytes)
    for dataset in datasets:
        if dataset.count_rows():
            scanner = dataset.scanner(columns=schema.names, batch_size=rows, batch_readahead=2)
            merged = durable.commit(path, merged, scanner.to_reader(), replace=False)
