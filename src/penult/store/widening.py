"""Further layers for the rows of a table, from a table beside it that has them for each row."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from penult.store import durable
from penult.store.layout import Kind, Shape, column

if TYPE_CHECKING:
    import pyarrow as pa
    from lance import LanceDataset

BATCH_BYTES = 8 << 20  # of vectors that are copied at a time


def widen(
    path: Path,
    dataset: "LanceDataset",
    kind: Kind,
    beside: "LanceDataset",
    new: Mapping[str, Shape],
) -> "LanceDataset":
    """Lay the vectors of layers beside the rows that have their keys, in one version.

    Args:
        path: Folder of the table.
        dataset: Its newest version.
        kind: What the table is from then on.
        beside: Another table, which has these layers for each row that hasn't failed.
        new: The layers.
    """
    import pyarrow as pa

    keys = beside.to_table(columns=["key"])["key"]
    schema = pa.schema([kind.schema().field(column(name)) for name in new])
    rows = max(1, BATCH_BYTES // Kind(dict(new), {}, {}).row_bytes)

    def vectors(there: "pa.Table") -> "pa.RecordBatchReader":
        return pa.RecordBatchReader.from_batches(
            schema, _batches(there, beside, keys, schema, rows)
        )

    return durable.widen(path, dataset, kind.document, vectors)


def _batches(
    there: "pa.Table",
    beside: "LanceDataset",
    keys: "pa.ChunkedArray",
    schema: "pa.Schema",
    rows: int,
) -> "Iterator[pa.RecordBatch]":
    """Yield the vectors of rows, in their order; none for those that have failed."""
    import pyarrow as pa
    import pyarrow.compute as pc

    places = pc.index_in(there["key"], value_set=keys)
    places = pc.if_else(pc.is_valid(there["error"]), pa.scalar(None, pa.int32()), places)
    for start in range(0, len(places), rows):
        some = places.slice(start, rows)
        found = beside.take(some.drop_null().to_pylist(), columns=schema.names)
        order = pc.cumulative_sum(pc.is_valid(some).cast(pa.int64()))
        order = pc.if_else(pc.is_valid(some), pc.subtract(order, 1), pa.scalar(None, pa.int64()))
        yield from found.take(order).select(schema.names).cast(schema).combine_chunks().to_batches()
