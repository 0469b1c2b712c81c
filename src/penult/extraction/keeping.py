"""What tables and archives say of images, carried along into the table of their features."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from penult.images import containers, datasets
from penult.images.names import is_container, within
from penult.store import TableReader, TableWriter
from penult.store.columns import Values, require_name

_INT32 = range(-(2**31), 2**31)


def keep(table: TableWriter, columns: Sequence[str], metadata: Sequence[str] = ()) -> None:
    """Give rows what columns of their images' tables, or sidecars, say of them, as added columns.

    Whole numbers become int32, others, and both together, float32, and all else texts; so do whole
    numbers that don't fit. A row of another source, or of a table that has changed since, keeps
    what it had.

    Args:
        table: The table of features.
        columns: Their names, the same in both.
        metadata: Lists beside images, see `penult.images.datasets`.

    Raises:
        SourceError: A table or an archive has no such thing, or it can't be read.
    """
    rows = defaultdict[str, list[tuple[str, str, int]]](list)
    files: dict[str, str] = {}  # keys by place
    for key, row in table.known().items():
        inside = within(row.path or "")
        if inside and row.path and row.failure is None and is_container(inside.container):
            rows[inside.container].append((key, row.path, row.mtime_ns))
        elif metadata and row.path and row.failure is None:
            files[row.path] = key
    for name in columns:
        found = _present(table, name)
        for some in rows.values():
            found.update(_carried(some, name))
        for path in metadata:
            said = datasets.said(path, name)
            found.update({files[place]: said[place] for place in said.keys() & files.keys()})
        there = {key: value for key, value in found.items() if value is not None}
        table.annotate([*there], {name: _values([*there.values()])})


def require_names(table: TableWriter, columns: Sequence[str]) -> None:
    """Raise a UsageError unless columns of these names can be added."""
    for name in columns:
        require_name(table.kind, name)


def _present(table: TableWriter, name: str) -> dict[str, Any]:
    """What rows have in a column already."""
    features = TableReader(table.path)
    if name not in features.columns:
        return {}
    return dict(zip(features.keys, features.facts([name])[name].to_pylist(), strict=True))


def _carried(rows: Sequence[tuple[str, str, int]], name: str) -> dict[str, Any]:
    """What a column says of rows of one container, unless that is gone or has changed."""
    container = containers.holder_of(rows[0][1])
    if container is None:
        return {}
    same = {
        key: container.find(within_name)
        for key, place, mtime_ns in rows
        if container.version.mtime_ns == mtime_ns and (within_name := _name(place))
    }
    numbers = {key: number for key, number in same.items() if number is not None}
    if not numbers:
        return {}
    return dict(zip(numbers, container.values(name, [*numbers.values()]), strict=True))


def _name(place: str) -> str:
    inside = within(place)
    return inside.name if inside else ""


def _values(values: Sequence[Any]) -> Values:
    """Values as a column can have them."""
    kinds = {type(value) for value in values}
    if kinds <= {int, bool} and all(value in _INT32 for value in values):
        return np.array(values, np.int32)
    if kinds <= {int, float} and (float in kinds or not kinds):
        return np.array(values, np.float32)
    return [str(value) for value in values]
