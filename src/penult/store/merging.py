"""Several tables as one: each a part of the images, made alike."""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from penult.errors import StoreError, UsageError
from penult.store import adoption, durable
from penult.store.columns import described
from penult.store.known import READ_ROWS, hashes_of
from penult.store.layout import Kind
from penult.store.messages import DamageError, wrap_errors
from penult.store.versions import local, newest, require_table
from penult.util.files import sync_one
from penult.util.text import quoted

if TYPE_CHECKING:
    from lance import LanceDataset

_SHOWN = 3  # keys in a message
_TOGETHER = 1000  # hashes that are looked up among all keys


class Merged(NamedTuple):
    """What came of a merge.

    Attributes:
        path: The new table.
        left_out: Columns that were added to some of the tables, but not to all alike.
    """

    path: Path
    left_out: tuple[str, ...]


class _Part(NamedTuple):
    path: Path
    dataset: "LanceDataset"
    kind: Kind
    hashes: NDArray[np.int64]  # of its keys


def merge(out: str | os.PathLike[str], tables: Sequence[str | os.PathLike[str]]) -> Merged:
    """Join tables of one recipe, such as those of the shards of a run, in a new one.

    Rows come in the order of the tables, failed ones too. Their files are taken over as they are,
    as hard links or copies, where nothing was removed from them; else rows are copied. Columns that
    were added come along where all tables have them. Memory is 24 bytes a key. The new table
    appears when it is whole, so a merge that was killed is only to be run again.

    Args:
        out: The new table, a folder that doesn't exist.
        tables: The tables, which stay as they are.

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
    parts = [_open(local(table)) for table in tables]
    for part in parts:
        if differences := parts[0].kind.differences(part.kind):
            raise StoreError(
                f"{quoted(part.path)} holds other features than {quoted(parts[0].path)}: "
                f"{'; '.join(differences[:3])}: extract it alike, or leave it out"
            )
    _require_distinct(parts)
    kept, left_out = _added(parts)
    unfinished = path.with_name(f".{path.name}.merging")
    with wrap_errors(f"can't write {quoted(path)}"):
        shutil.rmtree(unfinished, ignore_errors=True)
        _join(unfinished, parts, kept)
        unfinished.rename(path)
        sync_one(path.absolute().parent)
    return Merged(path, left_out)


def _open(path: Path) -> _Part:
    require_table(path)
    with wrap_errors(f"can't open {quoted(path)}"):
        dataset, (kind, hashes), damage = newest(path, _kind_and_hashes)
    if damage:
        raise StoreError(f"{damage}: run its extract again before merging")
    return _Part(path, dataset, kind, hashes)


def _kind_and_hashes(dataset: "LanceDataset") -> tuple[Kind, NDArray[np.int64]]:
    hashes = [hashes_of(keys) for keys in _keys(dataset)]
    return Kind.read(dataset.schema), np.concatenate([np.empty(0, np.int64), *hashes])


def _keys(dataset: "LanceDataset") -> Iterator[list[str]]:
    scanner = dataset.scanner(columns=["key"], batch_size=READ_ROWS, batch_readahead=1)
    for batch in scanner.to_batches():
        if batch["key"].null_count:
            raise DamageError("there are rows without a key: extract into another table")
        yield batch["key"].to_pylist()


def _require_distinct(parts: Sequence[_Part]) -> None:
    """Refuse keys that two tables have, with the names of both."""
    hashes = np.sort(np.concatenate([part.hashes for part in parts]))
    twice = hashes[1:][hashes[1:] == hashes[:-1]]
    for start in range(0, len(twice), _TOGETHER):
        if found := _doubled(parts, twice[start : start + _TOGETHER]):
            _, first, second = found[0]
            keys = [key for key, *where in found if where == [first, second]]
            raise StoreError(
                f"{quoted(second)} and {quoted(first)} both have "
                f"{', '.join(map(quoted, keys[:_SHOWN]))}{', …' * (len(keys) > _SHOWN)} "
                f"({len(twice):,} keys twice): leave one table out"
            )


def _doubled(parts: Sequence[_Part], hashes: NDArray[np.int64]) -> list[tuple[str, Path, Path]]:
    """Keys of some hashes that are there twice, and the tables that have them."""
    seen: dict[str, Path] = {}
    doubled = []
    for part in parts:
        if not np.isin(hashes, part.hashes).any():
            continue
        for keys in _keys(part.dataset):
            for place in np.flatnonzero(np.isin(hashes_of(keys), hashes)).tolist():
                if keys[place] in seen:
                    doubled.append((keys[place], seen[keys[place]], part.path))
                seen[keys[place]] = part.path
    return doubled


def _added(parts: Sequence[_Part]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Added columns and their types: those that all tables with rows have, and the other names."""
    all_columns = [described(p.kind, p.dataset.schema) for p in parts if len(p.hashes)]
    names = dict.fromkeys(name for columns in all_columns for name in columns)
    kept = {
        name: columns[name]
        for name in names
        for columns in all_columns[:1]
        if all(each.get(name) == columns.get(name) is not None for each in all_columns)
    }
    return kept, tuple(name for name in names if name not in kept)


def _join(path: Path, parts: Sequence[_Part], kept: dict[str, str]) -> None:
    import pyarrow as pa

    kind = parts[0].kind
    schema = kind.schema()
    for name, type_ in kept.items():
        schema = schema.append(pa.field(name, pa.type_for_alias(type_)))
    durable.create(path, schema)
    adoption.adopt(path, [(p.path, p.dataset) for p in parts if len(p.hashes)], kind.row_bytes)
