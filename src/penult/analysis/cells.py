"""Cells: places by what they are near to, so that a vector needn't be compared with all others.

Each place is in the cell of its nearest centre, and a vector is compared with what is in the cells
of its nearest few centres: an inverted file, as in "Video Google" (Sivic and Zisserman, 2003).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from penult.analysis.vectors import PIECE, Floats, sample_places

PROBES = 32  # cells that a vector is compared with
SAMPLED = 32  # rows for each cell, from which the centres come
ROUNDS = 5  # of k-means

Places = NDArray[np.int64]


class Cells:
    """Places by their nearest centre.

    Args:
        unit: Vectors of length 1, among which the centres are looked for.
        threshold: The product from which on two are the same, of which one is centre enough: else
            many copies of an image would have more cells than are looked into.
    """

    def __init__(self, unit: Floats, threshold: float) -> None:
        count = max(1, int(2 * len(unit) ** 0.5))
        sample = unit[sample_places(len(unit), SAMPLED * count)]
        self._centres = _centres(sample, count, threshold)
        self._places: list[Places] = [np.zeros(0, np.int64)] * len(self._centres)

    def add(self, start: int, vectors: Floats) -> None:
        """Take in the places from `start` on."""
        for cell, rows in _by_value(_nearest(vectors, self._centres)):
            self._places[cell] = np.concatenate([self._places[cell], start + rows])

    def meetings(self, vectors: Floats) -> Iterator[tuple[Places, Places]]:
        """Yield which of some vectors to compare with which places, a cell at a time."""
        probes = min(PROBES, len(self._centres))
        probed = np.zeros((len(vectors), probes), np.int64)
        for start in range(0, len(vectors), PIECE):
            nearness = vectors[start : start + PIECE] @ self._centres.T
            probed[start : start + PIECE] = np.argpartition(nearness, -probes)[:, -probes:]
        for cell, at in _by_value(probed.ravel()):
            if len(self._places[cell]):
                yield at // probes, self._places[cell]


def _centres(sample: Floats, count: int, threshold: float) -> Floats:
    """Centres of length 1 by k-means, at first at least somewhat apart."""
    some = sample[sample_places(len(sample), count)]
    has_earlier = (np.triu(some @ some.T, 1) >= threshold).any(axis=0)
    centres = some[~has_earlier]
    for _ in range(ROUNDS):
        for cell, rows in _by_value(_nearest(sample, centres)):
            mean = sample[rows].sum(axis=0)
            centres[cell] = mean / (np.linalg.norm(mean) or 1)
    return centres


def _nearest(vectors: Floats, centres: Floats) -> Places:
    """The nearest centre of each vector."""
    found = np.zeros(len(vectors), np.int64)
    for start in range(0, len(vectors), PIECE):
        piece = slice(start, start + PIECE)
        found[piece] = (vectors[piece] @ centres.T).argmax(axis=1)
    return found


def _by_value(values: Places) -> Iterator[tuple[int, Places]]:
    """Yield each value that there is, and where."""
    order = np.argsort(values, kind="stable")
    different, starts = np.unique(values[order], return_index=True)
    for value, places in zip(different, np.split(order, starts)[1:], strict=True):
        yield int(value), places
