"""`sample`: some images of a table, at random or as unlike each other as possible."""

import numpy as np
from numpy.typing import NDArray

from penult.analysis.vectors import rows
from penult.store import Table, TableReader, open_table
from penult.util.checks import require_at_least
from penult.util.keys import Keys


def sample(
    table: Table,
    n: int = 100,
    *,
    diverse: bool = False,
    where: str | None = None,
    keys: Keys | None = None,
    seed: int = 0,
    layer: str | None = None,
) -> list[str]:
    """Choose images, for instance those to label first.

    Args:
        table: A table, open or by its path.
        n: How many; all if there aren't as many.
        diverse: Begin with the image nearest to the mean, and add the one farthest from all chosen
            again and again: any first part of the list is diverse too. Otherwise they are drawn at
            random, and listed by key.
        where: A condition in SQL that they must meet, such as `width > 1000`.
        keys: Those to choose from; or a file with one a line, `-` for standard input.
        seed: Another number draws other images; it doesn't matter to a diverse sample.
        layer: The layer to compare, by default the table's first.

    Returns:
        Keys.

    Raises:
        UsageError: `n` isn't above 0, or the condition or a key can't be used.
        StoreError: The table can't be read.

    Example:
        >>> import penult
        >>> penult.sample("photos.lance", 5, diverse=True)  # doctest: +SKIP
    """
    require_at_least(1, "n", n)
    features = open_table(table)
    layer = features.layer(layer)
    chosen_from = features.chosen(where, keys)
    places = np.arange(len(features)) if chosen_from is None else chosen_from
    n = min(n, len(places))
    if diverse:
        chosen = _farthest(features, layer, places, n)
    else:
        chosen = np.sort(np.random.default_rng(seed).choice(places, n, replace=False))
    return [features.keys[place] for place in chosen]


def _farthest(
    features: TableReader, layer: str, places: NDArray[np.int64], n: int
) -> NDArray[np.int64]:
    """Places of rows, each the farthest from those before it."""
    unit = rows(features, layer, places)
    nearest = np.full(len(unit), -np.inf, np.float32)  # cosine with the nearest chosen row
    chosen: list[int] = []
    for _ in range(n):
        row = int(nearest.argmin() if chosen else (unit @ unit.mean(axis=0)).argmax())
        chosen.append(row)
        np.maximum(nearest, unit @ unit[row], out=nearest)
        nearest[row] = np.inf
    return places[chosen]
