"""What a table knows of its images beside their vectors, as exports hold it.

A row's key, its image's path, size and time of change, and the columns that were added.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from penult.extraction.row_files import RowFile
from penult.store import TableReader

if TYPE_CHECKING:
    import pyarrow as pa


def types(features: TableReader) -> "dict[str, pa.DataType]":
    """Arrow's types by name."""
    import pyarrow as pa

    own = {
        "key": pa.string(),
        "path": pa.string(),
        "width": pa.int32(),
        "height": pa.int32(),
        "bytes": pa.int64(),
        "mtime": pa.timestamp("ns"),
    }
    return own | {name: pa.type_for_alias(kind) for name, kind in features.columns.items()}


def tables(features: TableReader, layers: Sequence[str] = ()) -> "Iterator[pa.Table]":
    """Facts and layers of all rows, in bounded pieces in the order of keys."""
    for piece in features.tables([*types(features)], layers):
        yield with_paths(piece)


def with_paths(piece: "pa.Table") -> "pa.Table":
    """Rows whose `path` is as people and programs write it, rather than like a key."""
    import pyarrow as pa

    paths = pa.array([shown(place) for place in piece["path"].to_pylist()], pa.string())
    return piece.set_column(piece.schema.get_field_index("path"), "path", paths)


def shown(place: str | None) -> str | None:
    """Where an image is, fit for any text: bytes that aren't UTF-8 are written as escapes."""
    path = RowFile(place or "", 0, 0).shown
    return path and path.encode("utf-8", "backslashreplace").decode()


def arrays(features: TableReader) -> Iterator[tuple[str, NDArray[Any] | list[str]]]:
    """Each of the facts but the key, for formats of arrays: numbers and times, or texts.

    Where a row has none there is an empty text, NaN (so whole numbers become float64) or NaT.
    """
    names = [name for name in types(features) if name != "key"]
    facts = with_paths(features.facts(names))
    for name in names:
        values = facts[name].combine_chunks()
        if str(values.type) == "string":
            yield name, values.fill_null("").to_pylist()
        else:
            yield name, values.to_numpy(zero_copy_only=False)


def seconds(times: NDArray[Any]) -> NDArray[Any]:
    """Times as seconds since 1970, for formats that have none; other values as they are."""
    if times.dtype.kind != "M":
        return times
    return np.where(np.isnat(times), np.nan, times.astype(np.int64) / 1e9)
