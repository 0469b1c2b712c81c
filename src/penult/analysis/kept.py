"""The rows that are kept so far, and which of them others are compared with.

Up to `MANY` it is all of them: what is found is exact. Of more it is those that lie near (see
`cells`), so that ten times as many rows take thirty times as long, not a hundred times.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from penult.analysis.cells import Cells, Places
from penult.analysis.vectors import Floats

MANY = 100_000  # kept rows that each row is compared with
PIECE = 1024  # rows that are compared with others in one product


class Group(NamedTuple):
    """Rows, and kept ones that they are compared with.

    Attributes:
        rows: Places among the rows that are asked for.
        places: Places of the kept ones.
        vectors: Theirs, (places, values).
    """

    rows: Places | slice
    places: Places
    vectors: Floats


class Kept:
    """Kept rows, whose vectors are at the front of a matrix.

    Args:
        unit: All vectors, of length 1; those that are kept move to the front.
        threshold: The product from which on two are the same.

    Attributes:
        rows: The row at each place of the front.
    """

    def __init__(self, unit: Floats, threshold: float) -> None:
        self._unit, self._threshold = unit, threshold
        self._count = self._sorted = 0
        self._cells: Cells | None = None
        self.rows = np.zeros(len(unit), np.int64)

    def add(self, rows: Places, vectors: Floats) -> None:
        """Keep some rows."""
        place = slice(self._count, self._count + len(rows))
        self.rows[place], self._unit[place] = rows, vectors
        self._count += len(rows)

    def sort(self) -> None:
        """Put what is kept into cells, if it is much."""
        if self._count > MANY:
            self._cells = self._cells or Cells(self._unit, self._threshold)
            self._cells.add(self._sorted, self._unit[self._sorted : self._count])
            self._sorted = self._count

    def sorted_near(self, vectors: Floats) -> Iterator[Group]:
        """Those in cells that vectors are to be compared with."""
        for rows, places in self._cells.meetings(vectors) if self._cells else ():
            yield Group(rows, places, self._unit[places])

    def unsorted(self) -> Iterator[Group]:
        """All others."""
        for start in range(self._sorted, self._count, PIECE):
            places = np.arange(start, min(start + PIECE, self._count))
            yield Group(slice(None), places, self._unit[places[0] : places[-1] + 1])


class Nearest:
    """The largest few values of each row with kept ones, of those seen so far.

    Args:
        rows: How many rows.
        number: How many values of each.
        least: What is less isn't looked for.

    Attributes:
        places: Of the kept ones, (rows, number).
        values: Minus infinity where there are fewer, (rows, number).
    """

    def __init__(self, rows: int, number: int, least: float) -> None:
        self._least = least
        self.places = np.zeros((rows, number), np.int64)
        self.values = np.full((rows, number), -np.inf, np.float32)

    def part(self, rows: slice) -> "Nearest":
        """Those of some rows, to go on with."""
        part = Nearest(0, 0, self._least)
        part.places, part.values = self.places[rows].copy(), self.values[rows].copy()
        return part

    def compare(self, vectors: Floats, groups: Iterable[Group]) -> None:
        """See products of the rows' vectors."""
        for group in groups:
            self.see(group, vectors[group.rows] @ group.vectors.T)

    def see(self, group: Group, values: Floats) -> None:
        """See further values, (rows, places) of the group."""
        # most have nothing near, and a maximum takes a tenth of a partition
        lowest = np.maximum(self.values[group.rows].min(axis=1), self._least)
        hit = np.flatnonzero(values.max(axis=1) >= lowest)
        rows = np.arange(len(self.values))[group.rows][hit]
        found = places_of_largest(values[hit], min(self.values.shape[1], values.shape[1]))
        places = np.hstack([self.places[rows], group.places[found]])
        both = np.hstack([self.values[rows], np.take_along_axis(values[hit], found, axis=1)])
        top = places_of_largest(both, self.values.shape[1])
        self.places[rows] = np.take_along_axis(places, top, axis=1)
        self.values[rows] = np.take_along_axis(both, top, axis=1)


def places_of_largest(values: Floats, number: int) -> NDArray[np.int64]:
    """Places of so many largest in each row, in any order."""
    if number == 1:
        return np.asarray(values.argmax(axis=1)[:, None], np.int64)
    return np.asarray(np.argpartition(values, -number, axis=1)[:, -number:], np.int64)
