"""Stars: rows that are dropped, each for the nearest kept row that it is itself like.

Rows are gone through in their order. Each is compared with those kept so far, and dropped for the
nearest that it is like, or kept itself. Where pictures are compared too, they are asked of the
nearest few only, so that the pairs compared grow with the rows. Features of pages of text, say, are
all about as near: of rows that have many near ones, those with the likest sketches are asked too.
"""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from penult.analysis.pixels import DIFFERENT, SAME, UNREAD
from penult.analysis.vectors import Floats
from penult.util.progress import Steps, show_nothing

PIXELS_THRESHOLD = 0.5  # cosine from which on pictures are compared
CANDIDATES = 10  # nearest kept rows whose pictures are compared, and as many of the block

CROWDED = 0.85  # product of the last of these from which on sketches are looked at
ROUNDING = 1e-6  # a vector's product with itself may be as much below 1
BLOCK = 1024  # rows that are compared with up to as many others in one product

Places = NDArray[np.int64]
Booleans = NDArray[np.bool]


class Sight(Protocol):
    """What is known of the pictures of rows."""

    def compare(self, some: Places, others: Places) -> NDArray[np.int8]:
        """Whether the pictures of pairs are the `SAME`, `DIFFERENT` or one is `UNREAD`."""

    def seen(self, rows: Places) -> Places:
        """Those of rows whose pictures can be read."""

    def likeness(self, some: Places, others: Places) -> Floats:
        """How alike the sketches of all these are, (some, others)."""


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
    sight: Sight | None = None,
    progress: Steps = show_nothing,
) -> Stars:
    """Say of each row which one it is dropped for.

    Args:
        unit: Vectors of length 1, those most worth keeping first; what is kept moves to the front.
        threshold: The product from which on a row is dropped if nothing is known of pictures.
        sight: The pictures. The same are dropped from products of `PIXELS_THRESHOLD` on,
            different ones never.
        progress: Called with the rows done and their number.
    """
    rows = len(unit)
    stars = Stars(np.arange(rows), np.ones(rows, np.float32), np.zeros(rows, bool))
    kept, count = np.zeros(rows, np.int64), 0  # the rows that the first of `unit` are
    limit = threshold - ROUNDING
    least = min(PIXELS_THRESHOLD, limit) if sight else limit
    for start in range(0, rows, BLOCK):
        block = unit[start : start + BLOCK].copy()
        here = np.arange(start, start + len(block))
        places, products = _nearest(block, unit[:count], CANDIDATES if sight else 1, least)
        crowded = np.flatnonzero(products.min(axis=1) >= CROWDED) if sight else here[:0]
        if sight and len(seen := sight.seen(start + crowded) - start):
            likest = _likest(seen, here, block, kept[:count], unit[:count], sight)
            products = np.hstack([products, _products_of_more(block, unit, likest, places)])
            places = np.hstack([places, likest])
        judge = _Judge(here, limit, least, sight)
        earlier = judge.ask(here[:, None], kept[places], products)
        judged = judge(earlier, _products_within(block))
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
        sight: The pictures.
    """

    def __init__(self, here: Places, limit: float, least: float, sight: Sight | None) -> None:
        self._here, self._limit, self._least, self._sight = here, limit, least, sight

    def __call__(self, earlier: _Kept, within: Floats) -> Stars:
        """Judge all rows, given the products with those before them in the block.

        Which of these are kept shows only when all before are judged. So what is kept for all that
        is known is compared, and all are judged again, until there is nothing left to ask.
        """
        if self._sight is None:
            alone = np.broadcast_to(True, within.shape)
            return self._go(earlier, np.where(within >= self._least, within, -np.inf), alone)
        like, alone = np.full_like(within, -np.inf), np.zeros(within.shape, bool)
        asked = np.zeros(within.shape, bool)
        nearer = within > earlier.products.max(axis=1, keepdims=True)
        possible = nearer & (within >= self._least)
        likeness = self._likeness_within(within, possible, self._sight)
        while True:
            judged = self._go(earlier, like, alone)
            open_ = possible & (judged.kept_for == self._here)
            wanted = _largest(np.where(open_, within, -np.inf))
            wanted |= _largest(np.where(open_, likeness, -np.inf))
            row, column = np.nonzero(wanted & ~asked)
            if not len(row):
                return judged
            asked[row, column] = True
            found = self.ask(self._here[row], self._here[column], within[row, column])
            like[row, column], alone[row, column] = found.products, found.features_alone

    def _likeness_within(self, within: Floats, possible: Booleans, sight: Sight) -> Floats:
        """How alike sketches are, of rows that have many near ones; else minus infinity."""
        likeness = np.full_like(within, -np.inf)
        crowded = np.flatnonzero((possible & (within >= CROWDED)).sum(axis=1) > CANDIDATES)
        seen = sight.seen(self._here[crowded])
        if len(seen):
            likeness[seen - self._here[0]] = sight.likeness(seen, self._here)
        return likeness

    def ask(self, rows: Places, others: Places, products: Floats) -> _Kept:
        """Forget products of pairs that aren't alike."""
        if self._sight is None:
            near = np.where(products >= self._least, products, -np.inf)
            return _Kept(others, near, np.broadcast_to(True, products.shape))
        verdicts = np.full(products.shape, DIFFERENT, np.int8)
        near = products >= self._least
        rows = np.broadcast_to(rows, others.shape)
        verdicts[near] = self._sight.compare(rows[near], others[near])
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


def _largest(values: Floats) -> Booleans:
    """The largest finite few of each row."""
    found = np.zeros(values.shape, bool)
    places = _places_of_largest(values, min(CANDIDATES, values.shape[1]))
    np.put_along_axis(found, places, values=True, axis=1)
    return found & np.isfinite(values)


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
        places[rows], best[rows] = _better(places[rows], best[rows], start, products[rows])
    return places, best


def _likest(
    crowded: Places, here: Places, block: Floats, kept: Places, unit: Floats, sight: Sight
) -> Places:
    """Places of the kept rows whose sketches are likest, for those of a block that are crowded.

    Of the others it is the first of the kept rows, as often as there is room.

    Args:
        crowded: Places in the block.
        here: The rows of the block.
        block: Their vectors.
        kept: The kept rows.
        unit: Their vectors.
        sight: The pictures.
    """
    likest = np.zeros((len(block), CANDIDATES), np.int64)
    places, best = likest[crowded], np.full((len(crowded), CANDIDATES), -np.inf, np.float32)
    for start in range(0, len(kept), BLOCK):
        near = block[crowded] @ unit[start : start + BLOCK].T >= PIXELS_THRESHOLD
        columns = np.flatnonzero(near.any(axis=0))
        values = np.full(near.shape, -np.inf, np.float32)
        values[:, columns] = sight.likeness(here[crowded], kept[start + columns])
        values[~near] = -np.inf
        rows = np.flatnonzero(values.max(axis=1) > best.min(axis=1))
        places[rows], best[rows] = _better(places[rows], best[rows], start, values[rows])
    likest[crowded] = places
    return likest


def _products_of_more(block: Floats, unit: Floats, more: Places, places: Places) -> Floats:
    """Products with further kept rows; minus infinity with those that are among the first."""
    products = np.full(more.shape, -np.inf, np.float32)
    for column in range(more.shape[1]):
        known = (np.hstack([places, more[:, :column]]) == more[:, column, None]).any(axis=1)
        new = np.flatnonzero(~known)
        products[new, column] = np.einsum("ij,ij->i", block[new], unit[more[new, column]])
    return products


def _better(places: Places, best: Floats, start: int, values: Floats) -> tuple[Places, Floats]:
    """The largest of those so far and of further values, whose places begin at `start`."""
    number = places.shape[1]
    found = _places_of_largest(values, min(number, values.shape[1]))
    both = np.hstack([places, start + found])
    values = np.hstack([best, np.take_along_axis(values, found, axis=1)])
    top = _places_of_largest(values, number)
    return np.take_along_axis(both, top, axis=1), np.take_along_axis(values, top, axis=1)


def _places_of_largest(values: Floats, number: int) -> NDArray[np.int64]:
    """Places of so many largest in each row, in any order."""
    if number == 1:
        return np.asarray(values.argmax(axis=1)[:, None], np.int64)
    return np.asarray(np.argpartition(values, -number, axis=1)[:, -number:], np.int64)
