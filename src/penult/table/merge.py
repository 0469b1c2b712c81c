"""`merge`: the tables of a run's shards as one."""

import os
from collections.abc import Sequence

from penult.store import merging
from penult.table.features import Features


def merge(out: str | os.PathLike[str], tables: Sequence[str | os.PathLike[str]]) -> Features:
    """Join tables that were made alike, such as those of the shards of a run, in a new one.

    Failed images come along; so do columns that were added, of labels or clusters, where all tables
    have them: `left_out` of the result names the others. The new table appears when it is whole,
    and shares files with the others where it can.

    Args:
        out: The new table, a folder that doesn't exist.
        tables: The tables, which stay as they are.

    Raises:
        UsageError: There is no table to join.
        StoreError: The tables weren't made alike, two have a key, one can't be read, or `out`
            exists.

    Example:
        >>> import penult
        >>> parts = [
        ...     penult.extract("photos", shard=f"{i}/2", out=f"{i}.lance").path for i in (1, 2)
        ... ]  # doctest: +SKIP
        >>> penult.merge("photos.lance", parts)  # doctest: +SKIP
    """
    path, left_out = merging.merge(out, tables)
    features = Features(path)
    features.left_out = left_out
    return features
