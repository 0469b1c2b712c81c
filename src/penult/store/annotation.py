"""Columns for a table that is open for reading."""

from collections.abc import Mapping

from penult.store.columns import Values
from penult.store.reader import TableReader
from penult.store.writer import TableWriter


def annotate(features: TableReader, columns: Mapping[str, Values]) -> None:
    """Store columns with a table, a value a key, and let the open table see them.

    It sees the rows that came meanwhile too.

    Raises:
        UsageError: A name or values can't be added.
        StoreError: The table can't be written.
    """
    with TableWriter.open(features.path) as writer:
        writer.annotate(features.keys, columns)
    features.reload()
