"""The feature store: a table of vectors that survives kills, and its exports.

Writing: `FeatureTable` and `Row`. Reading: `Features`. Exports: `penult.store.export`. Lance and
Arrow are imported where a table is first opened, not by this package.
"""

from penult.store.features import Features, open_features
from penult.store.layout import Row
from penult.store.table import FeatureTable

__all__ = ["FeatureTable", "Features", "Row", "open_features"]
