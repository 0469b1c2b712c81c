"""The feature store: a table of vectors that survives kills.

Writing: `FeatureTable` with `Row`, and `File`, `Known` and `Heir` for what has changed since.
Reading: `Features`. Lance and Arrow are imported where a table is first opened, not by this
package.
"""

from penult.store.layout import File, Row
from penult.store.reader import Features, open_features
from penult.store.writer import FeatureTable, Heir, Known

__all__ = ["FeatureTable", "Features", "File", "Heir", "Known", "Row", "open_features"]
