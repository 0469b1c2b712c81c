"""`outliers`: images that are unlike all others."""

from typing import NamedTuple

import numpy as np

from penult.analysis.vectors import Floats, pieces, rows, sample_places
from penult.errors import UsageError
from penult.store import Table, TableReader, open_table
from penult.util.checks import require_at_least
from penult.util.text import plural, quoted

NEIGHBOURS = 10  # a handful of odd images that are alike are found too
COMPARED = 20_000  # rows that all are compared with: a sample of a larger table


class Outlier(NamedTuple):
    """An image, and how far it is from others.

    Attributes:
        key: Its name in the table.
        distance: 1 - cosine, the mean over its 10 nearest.
    """

    key: str
    distance: float


def outliers(table: Table, n: int = 20, *, layer: str | None = None) -> list[Outlier]:
    """Find the images that are farthest from their nearest neighbours, the farthest first.

    Args:
        table: A table, open or by its path. Of more than 20,000 rows a random sample of that
            many are the neighbours that all rows are compared with.
        n: How many to find.
        layer: The layer to compare, by default the table's first.

    Raises:
        UsageError: `n` isn't above 0, or the table has fewer than 3 rows.
        StoreError: The table can't be read.

    Example:
        >>> import penult
        >>> penult.outliers("photos.lance", 3)  # doctest: +SKIP
    """
    require_at_least(1, "n", n)
    features = open_table(table)
    if len(features) < 3:
        raise UsageError(
            f"{quoted(features.path)} has {plural(len(features), 'row')}: outliers need at least 3"
        )
    distances = _distances(features, features.layer(layer))
    far = np.argsort(-distances, kind="stable")[:n]
    return [Outlier(features.keys[place], float(distances[place])) for place in far]


def _distances(features: TableReader, layer: str) -> Floats:
    """Mean distance of each row to its nearest, itself left out."""
    compared = sample_places(len(features), COMPARED)
    others = rows(features, layer, compared)
    count = min(NEIGHBOURS, len(compared) - 1)
    distances = np.empty(len(features), np.float32)
    for place, vectors in pieces(features, layer, unit=True):
        cosines = vectors @ others.T
        here = np.arange(place.start, place.stop)
        column = np.searchsorted(compared, here).clip(max=len(compared) - 1)
        itself = compared[column] == here
        cosines[np.flatnonzero(itself), column[itself]] = -np.inf
        nearest = np.partition(cosines, -count, axis=1)[:, -count:]
        distances[place] = 1 - nearest.mean(axis=1)
    return distances
