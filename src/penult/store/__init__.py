"""The feature store: a table of vectors that survives kills.

Writing: `TableWriter` with `Row`, and `File`, `Known` and `Heir` for what has changed since.
Reading: `Features`. Lance and Arrow are imported where a table is first opened, not by this
package.
"""

from penult.store.layout import File, Row
from penult.store.reader import Features, open_features
from penult.store.writer import Heir, Known, TableWriter

__all__ = ["Features", "File", "Heir", "Known", "Row", "TableWriter", "open_features"]
