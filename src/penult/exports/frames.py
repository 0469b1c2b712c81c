"""`to_pandas`: a table as pandas has them, in memory."""

from typing import TYPE_CHECKING

from penult.errors import MissingExtraError
from penult.exports import facts
from penult.store import Table, open_table

if TYPE_CHECKING:
    import pandas as pd


def to_pandas(table: Table) -> "pd.DataFrame":
    """One row an image, indexed by key, with the columns of an export to Parquet in its order.

    Args:
        table: A table, open or by its path.

    Returns:
        The image's `path` (None if the table doesn't say where it is), `width` and `height` in
        pixels, size in `bytes`, time of change `mtime` (UTC), columns that were added, and a column
        a layer of float32 arrays in the layer's shape.

    Raises:
        StoreError: It isn't a table, or can't be read.
        MissingExtraError: pandas isn't installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise MissingExtraError("to_pandas", "pandas") from None
    features = open_table(table)
    known = features.facts([name for name in facts.types(features) if name != "key"])
    frame: pd.DataFrame = facts.with_paths(known).to_pandas()
    frame.index = pd.Index(features.keys, name="key")
    for name in features.layers:
        frame[name] = pd.Series(list(features.numpy(name)), index=frame.index, dtype=object)
    return frame
