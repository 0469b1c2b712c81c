"""The neighbours of every row: exactly, in blocks of bounded size."""

import numpy as np
from numpy.typing import NDArray

from penult.analysis.vectors import Floats, unit_matrix
from penult.store import TableReader

PRODUCTS_BYTES = 64 << 20  # of the cosines of a block with all rows


def neighbours(features: TableReader, layer: str, k: int) -> tuple[NDArray[np.int32], Floats]:
    """The rows nearest to each by cosine, itself left out, nearest first.

    Returns:
        Their places in the order of keys, and 1 - cosine: (rows, k), fewer if there are no more.
    """
    unit = unit_matrix(features, layer, np.arange(len(features)))
    rows = len(unit)
    k = max(0, min(k, rows - 1))
    ids, distances = np.empty((rows, k), np.int32), np.empty((rows, k), np.float32)
    step = max(1, PRODUCTS_BYTES // (4 * max(1, rows)))
    for start in range(0, rows, step):
        cosines = unit[start : start + step] @ unit.T
        block = np.arange(len(cosines))
        cosines[block, start + block] = -np.inf
        least = np.partition(cosines, rows - k - 1, axis=1)[:, rows - k :].min(axis=1, initial=1)
        for row, values in enumerate(cosines):  # faster than an argpartition of all
            found = np.flatnonzero(values >= least[row])
            found = found[np.argsort(-values[found], kind="stable")][:k]
            ids[start + row], distances[start + row] = found, 1 - values[found]
    return ids, np.maximum(distances, 0)
