"""Stars: rows that are dropped, each for the nearest kept row that it is itself like.

Rows are gone through in their order. Each is compared with those kept so far, and dropped for the
nearest that it is like, or kept itself. Where pictures are compared too, they are asked of the
nearest few only, so that the pairs compared grow with the rows. Features of pages of text, say, are
all about as near: of rows that have many near ones, those with the likest sketches are asked too.
"""

from itertools import chain
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from penult.analysis.cells import Places
from penult.analysis.kept import Kept, Nearest, places_of_largest
from penult.analysis.pixels import DIFFERENT, SAME, UNREAD
from penult.analysis.vectors import Floats
from penult.util.progress import Steps, show_nothing

PIXELS_THRESHOLD = 0.5  # cosine from which on pictures are compared
CANDIDATES = 10  # nearest kept rows whose pictures are compared, and as many of the block

CROWDED = 0.85  # product of the last of these from which on sketches are looked at
UNLIKE = -2.0  # below the likeness of any sketches
ROUNDING = 1e-6  # a vector's product with itself may be as much below 1
BLOCK = 1024  # rows that are judged together
STRETCH = 8 * BLOCK  # rows that are compared together with what lies in cells

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


class _Earlier(NamedTuple):
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
    limit = threshold - ROUNDING
    kept = Kept(unit, limit)
    least = min(PIXELS_THRESHOLD, limit) if sight else limit
    for first in range(0, rows, STRETCH):
        stretch = slice(first, min(first + STRETCH, rows))
        kept.sort()
        far = Nearest(stretch.stop - first, CANDIDATES if sight else 1, least)
        far.compare(unit[stretch], kept.sorted_near(unit[stretch]))
        for start in range(first, stretch.stop, BLOCK):
            here = np.arange(start, min(start + BLOCK, stretch.stop))
            block = unit[here]
            near = far.part(slice(start - first, here[-1] + 1 - first))
            near.compare(block, kept.unsorted())
            places, products = near.places, near.values
            if sight:
                places, products = _with_likest(here, block, near, kept, unit, sight)
            judge = _Judge(here, limit, least, sight)
            earlier = judge.ask(here[:, None], kept.rows[places], products)
            judged = judge(earlier, _products_within(block))
            stars.kept_for[here], stars.similarity[here], stars.features_alone[here] = judged
            new = here[stars.kept_for[here] == here]
            kept.add(new, block[new - start])
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

    def __call__(self, earlier: _Earlier, within: Floats) -> Stars:
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

    def ask(self, rows: Places, others: Places, products: Floats) -> _Earlier:
        """Forget products of pairs that aren't alike."""
        if self._sight is None:
            near = np.where(products >= self._least, products, -np.inf)
            return _Earlier(others, near, np.broadcast_to(True, products.shape))
        verdicts = np.full(products.shape, DIFFERENT, np.int8)
        near = products >= self._least
        rows = np.broadcast_to(rows, others.shape)
        verdicts[near] = self._sight.compare(rows[near], others[near])
        alone = (verdicts == UNREAD) & (products >= self._limit)
        return _Earlier(others, np.where((verdicts == SAME) | alone, products, -np.inf), alone)

    def _go(self, earlier: _Earlier, like: Floats, alone: NDArray[np.bool]) -> Stars:
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
    places = places_of_largest(values, min(CANDIDATES, values.shape[1]))
    np.put_along_axis(found, places, values=True, axis=1)
    return found & np.isfinite(values)


def _products_within(block: Floats) -> Floats:
    """Products of a block's rows with those before them; minus infinity with all others."""
    products = block @ block.T
    products[np.triu(np.ones(products.shape, bool))] = -np.inf
    return products


def _with_likest(
    here: Places, block: Floats, near: Nearest, kept: Kept, unit: Floats, sight: Sight
) -> tuple[Places, Floats]:
    """Places and products of the nearest kept rows; where they are crowded, of the likest too."""
    places, products = near.places, near.values
    crowded = np.flatnonzero(products.min(axis=1) >= CROWDED)
    seen = sight.seen(here[crowded]) - here[0]
    if not len(seen):
        return places, products
    likest = _likest(seen, here, block, kept, sight)
    more = _products_of_more(block, unit, likest, places)
    return np.hstack([places, likest]), np.hstack([products, more])


def _likest(crowded: Places, here: Places, block: Floats, kept: Kept, sight: Sight) -> Places:
    """Places of the kept rows whose sketches are likest, for those of a block that are crowded.

    Of the others it is the first of the kept rows, as often as there is room.

    Args:
        crowded: Places in the block.
        here: The rows of the block.
        block: Their vectors.
        kept: The kept rows.
        sight: The pictures.
    """
    vectors, rows = block[crowded], here[crowded]
    found = Nearest(len(crowded), CANDIDATES, UNLIKE)
    for group in chain(kept.sorted_near(vectors), kept.unsorted()):
        near = vectors[group.rows] @ group.vectors.T >= PIXELS_THRESHOLD
        columns = np.flatnonzero(near.any(axis=0))
        values = np.full(near.shape, -np.inf, np.float32)
        values[:, columns] = sight.likeness(rows[group.rows], kept.rows[group.places[columns]])
        values[~near] = -np.inf
        found.see(group, values)
    likest = np.zeros((len(block), CANDIDATES), np.int64)
    likest[crowded] = found.places
    return likest


def _products_of_more(block: Floats, unit: Floats, more: Places, places: Places) -> Floats:
    """Products with further kept rows; minus infinity with those that are among the first."""
    products = np.full(more.shape, -np.inf, np.float32)
    for column in range(more.shape[1]):
        known = (np.hstack([places, more[:, :column]]) == more[:, column, None]).any(axis=1)
        new = np.flatnonzero(~known)
        products[new, column] = np.einsum("ij,ij->i", block[new], unit[more[new, column]])
    return products
