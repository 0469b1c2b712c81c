"""The feature store: a table of vectors that survives kills.

Writing: `TableWriter` with `Row`, and `File`, `Known` and `Reassignment` for what has changed
since; `Part` and `PartWriter` where other processes write rows too. Reading: `TableReader`, to
which `annotate` adds columns. Lance and Arrow are imported where a table is first opened, not by
this package.
"""

from penult.store.annotation import annotate
from penult.store.known import Known, KnownRows
from penult.store.layout import File, Row
from penult.store.parts import Part, PartWriter
from penult.store.reader import Table, TableReader, open_table
from penult.store.writer import Reassignment, TableWriter

__all__ = [
    "File",
    "Known",
    "KnownRows",
    "Part",
    "PartWriter",
    "Reassignment",
    "Row",
    "Table",
    "TableReader",
    "TableWriter",
    "annotate",
    "open_table",
]
