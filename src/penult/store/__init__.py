"""The feature store: a table of vectors that survives kills, and its exports.

Writing: `FeatureTable` and `Row`. Reading: `Features`. Lance and Arrow are imported where a table
is first opened, not by this package.
"""

from penult.store.export import FORMATS, export
from penult.store.features import Features, open_features
from penult.store.layout import Row
from penult.store.table import FeatureTable

__all__ = ["FORMATS", "FeatureTable", "Features", "Row", "export", "open_features"]
