"""Stars: rows that are dropped, each for the nearest kept row that it is itself like.

Rows are gone through in their order. Each is compared with those kept so far, and dropped for the
nearest that it is like, or kept itself. Where pictures are compared too, they are asked of the
nearest few only, so that the pairs compared grow with the rows.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from penult.analysis.pixels import DIFFERENT, SAME, UNREAD
from penult.analysis.vectors import Floats
from penult.util.progress import Steps, show_nothing

PIXELS_THRESHOLD = 0.5  # cosine from which on pictures are compared
CANDIDATES = 10  # nearest kept rows whose pictures are compared, and as many of the block

ROUNDING = 1e-6  # a vector's product with itself may be as much below 1
BLOCK = 1024  # rows that are compared with up to as many others in one product

Places = NDArray[np.int64]
Compare = Callable[[Places, Places], NDArray[np.int8]]


class Stars(NamedTuple):
    """What becomes of rows, (rows,) each.

    Attributes:
        kept_for: The row that it is dropped for, itself if it is kept.
        similarity: Their product.
        features_alone: Whether it is dropped though no pictures were compared.
    """

    kept_for: Places
    similarity: Floats
    features_alone: NDArray[np.bool]


class _Kept(NamedTuple):
    """The kept rows nearest to those of a block: (rows, candidates) each."""

    rows: Places
    products: Floats  # minus infinity where they are not alike
    features_alone: NDArray[np.bool]


def assign(
    unit: Floats,
    threshold: float,
    compare: Compare | None = None,
    progress: Steps = show_nothing,
) -> Stars:
    """Say of each row which one it is dropped for.

    Args:
        unit: Vectors of length 1, those most worth keeping first; what is kept moves to the front.
        threshold: The product from which on a row is dropped if nothing is known of pictures.
        compare: Tells of pairs of rows whether their pictures are the `SAME`, `DIFFERENT` or
            `UNREAD`. The same are dropped from products of `PIXELS_THRESHOLD` on, different ones
            never.
        progress: Called with the rows done and their number.
    """
    rows = len(unit)
    stars = Stars(np.arange(rows), np.ones(rows, np.float32), np.zeros(rows, bool))
    kept, count = np.zeros(rows, np.int64), 0  # the rows that the first of `unit` are
    limit = threshold - ROUNDING
    least = min(PIXELS_THRESHOLD, limit) if compare else limit
    for start in range(0, rows, BLOCK):
        block = unit[start : start + BLOCK].copy()
        here = np.arange(start, start + len(block))
        places, products = _nearest(block, unit[:count], CANDIDATES if compare else 1, least)
        earlier, within = kept[places], _products_within(block)
        judge = _Judge(here, limit, least, compare)
        judged = judge(judge.ask(here[:, None], earlier, products), within)
        stars.kept_for[here], stars.similarity[here], stars.features_alone[here] = judged
        new = here[stars.kept_for[here] == here]
        kept[count : count + len(new)] = new
        unit[count : count + len(new)] = block[new - start]
        count += len(new)
        progress(start + len(block), rows)
    return stars


class _Judge:
    """Goes through the rows of a block.

    Args:
        here: The rows.
        limit: The product from which on a row is dropped if nothing is known of pictures.
        least: The product from which on pictures are compared.
        compare: As of `assign`.
    """

    def __init__(self, here: Places, limit: float, least: float, compare: Compare | None) -> None:
        self._here, self._limit, self._least, self._compare = here, limit, least, compare

    def __call__(self, earlier: _Kept, within: Floats) -> Stars:
        """Judge all rows, given the products with those before them in the block.

        Which of these are kept shows only when all before are judged. So what is kept for all that
        is known is compared, and all are judged again, until there is nothing left to ask.
        """
        if self._compare is None:
            alone = np.broadcast_to(True, within.shape)
            return self._go(earlier, np.where(within >= self._least, within, -np.inf), alone)
        like, alone = np.full_like(within, -np.inf), np.zeros(within.shape, bool)
        asked = np.zeros(within.shape, bool)
        nearer = within > earlier.products.max(axis=1, keepdims=True)
        possible = np.where(nearer & (within >= self._least), within, -np.inf)
        while True:
            judged = self._go(earlier, like, alone)
            kept = judged.kept_for == self._here
            row, column = _open(np.where(kept, possible, -np.inf), asked)
            if not len(row):
                return judged
            asked[row, column] = True
            found = self.ask(self._here[row], self._here[column], within[row, column])
            like[row, column], alone[row, column] = found.products, found.features_alone

    def ask(self, rows: Places, others: Places, products: Floats) -> _Kept:
        """Forget products of pairs that aren't alike."""
        if self._compare is None:
            near = np.where(products >= self._least, products, -np.inf)
            return _Kept(others, near, np.broadcast_to(True, products.shape))
        verdicts = np.full(products.shape, DIFFERENT, np.int8)
        near = products >= self._least
        verdicts[near] = self._compare(np.broadcast_to(rows, others.shape)[near], others[near])
        alone = (verdicts == UNREAD) & (products >= self._limit)
        return _Kept(others, np.where((verdicts == SAME) | alone, products, -np.inf), alone)

    def _go(self, earlier: _Kept, like: Floats, alone: NDArray[np.bool]) -> Stars:
        """Drop each row for the nearest kept one that it is like."""
        judged = Stars(self._here.copy(), np.ones(len(like), np.float32), np.zeros(len(like), bool))
        new: list[int] = []  # places in the block of the rows that are kept
        for place, column in enumerate(earlier.products.argmax(axis=1)):
            other, product = earlier.rows[place, column], float(earlier.products[place, column])
            by_features = earlier.features_alone[place, column]
            if new and (inside := like[place, new]).max() > product:
                nearest = new[inside.argmax()]
                other, product = self._here[nearest], float(inside.max())
                by_features = alone[place, nearest]
            if product > -np.inf:
                judged.kept_for[place], judged.similarity[place] = other, min(product, 1.0)
                judged.features_alone[place] = by_features
            else:
                new.append(place)
        return judged


def _open(products: Floats, asked: NDArray[np.bool]) -> tuple[Places, Places]:
    """Rows and columns of the largest finite few of each row that weren't asked."""
    columns = _places_of_largest(products, min(CANDIDATES, products.shape[1]))
    row = np.broadcast_to(np.arange(len(products))[:, None], columns.shape)
    wanted = np.isfinite(products[row, columns]) & ~asked[row, columns]
    return row[wanted], columns[wanted]


def _products_within(block: Floats) -> Floats:
    """Products of a block's rows with those before them; minus infinity with all others."""
    products = block @ block.T
    products[np.triu(np.ones(products.shape, bool))] = -np.inf
    return products


def _nearest(
    block: Floats, kept: Floats, number: int, least: float
) -> tuple[NDArray[np.int64], Floats]:
    """Places and products of so many nearest kept rows, for each of a block.

    Where there are fewer with a product of at least so much, some may be less, or minus infinity.
    """
    places = np.zeros((len(block), number), np.int64)
    best = np.full((len(block), number), -np.inf, np.float32)
    for start in range(0, len(kept), BLOCK):
        products = block @ kept[start : start + BLOCK].T
        # most blocks have nothing near, and a maximum takes a tenth of a partition
        rows = np.flatnonzero(products.max(axis=1) >= np.maximum(best.min(axis=1), least))
        products = products[rows]
        found = _places_of_largest(products, min(number, products.shape[1]))
        values = np.hstack([best[rows], np.take_along_axis(products, found, axis=1)])
        both = np.hstack([places[rows], start + found])
        top = _places_of_largest(values, number)
        places[rows] = np.take_along_axis(both, top, axis=1)
        best[rows] = np.take_along_axis(values, top, axis=1)
    return places, best


def _places_of_largest(values: Floats, number: int) -> NDArray[np.int64]:
    """Places of so many largest in each row, in any order."""
    if number == 1:
        return np.asarray(values.argmax(axis=1)[:, None], np.int64)
    return np.asarray(np.argpartition(values, -number, axis=1)[:, -number:], np.int64)
