"""The feature store: a table of vectors that survives kills.

Writing: `FeatureTable` with `Row`, and `File`, `Known` and `Reassignment` for what has changed
since. Reading: `Features`. Lance and Arrow are imported where a table is first opened, not by this
package.
"""

from penult.store.features import Features, open_features
from penult.store.layout import File, Row
from penult.store.table import FeatureTable, Known, Reassignment

__all__ = ["FeatureTable", "Features", "File", "Known", "Reassignment", "Row", "open_features"]
