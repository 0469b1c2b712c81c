"""`duplicates`: images that are nearly the same, and which of them to keep.

Images are gone through from the one most worth keeping to the one least. Each is compared with
those kept so far; it is dropped for the nearest of them if that is near enough, and otherwise kept
itself. Near enough is what has features that are alike or, where these are only somewhat alike, the
same picture (see `pixels`). So every dropped image has a kept one that it is itself a
near-duplicate of, which chains of likenesses don't promise, and nothing grows with the number of
pairs.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from penult.analysis.pixels import Pictures
from penult.analysis.sharpness import sharpest_first
from penult.analysis.vectors import Floats, unit_matrix
from penult.errors import UsageError
from penult.extraction.row_files import COLUMNS, RowFile, row_files
from penult.store import Table, TableReader, open_table
from penult.util.progress import Steps, show_nothing

THRESHOLD = 0.9  # cosine; benchmarks/duplicates.py shows what it finds and what it mistakes
PIXELS_THRESHOLD = 0.5  # cosine from which on the pictures themselves are compared
CANDIDATES = 10  # nearest kept images whose pictures are compared with an image's, and as many more
ROUNDING = 1e-6  # a vector's product with itself may be as much below 1
BLOCK = 1024  # images that are compared with up to as many others in one product

Alike = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool]]


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a group.

    Attributes:
        key: Its name in the table.
        path: Where its file was; None if the table doesn't say.
        width: Pixels.
        height: Pixels.
        bytes: Size of the file.
        mtime_ns: Time of the file's last change.
        similarity: Cosine with the image that is kept; of that one 1.
        exact: Whether its file is, to the byte, that of the image that is kept.
        sha256: Digest of the file's content, if the table has it.
    """

    key: str
    path: Path | None
    width: int
    height: int
    bytes: int
    mtime_ns: int
    similarity: float = 1.0
    exact: bool = False
    sha256: str | None = None

    @property
    def file(self) -> RowFile:
        """Its file, to be looked at."""
        return RowFile(str(self.path or ""), self.bytes, self.mtime_ns, self.sha256)


@dataclass(frozen=True, slots=True)
class Group:
    """One image to keep, and those to drop for it, the nearest first."""

    keep: Image
    drop: tuple[Image, ...]


@dataclass(frozen=True, slots=True)
class Duplicates:
    """What `penult.duplicates` proposes; no file was touched.

    Attributes:
        images: How many were compared.
        threshold: The cosine from which on two are near-duplicates.
        groups: Those of at least two images, by the key of the one to keep.
        unread: How many should have been compared by their pixels too, but their files are gone,
            changed or unreadable.
    """

    images: int
    threshold: float
    groups: tuple[Group, ...]
    unread: int = 0

    @property
    def dropped(self) -> list[Image]:
        """All images to drop."""
        return [image for group in self.groups for image in group.drop]

    @property
    def by_pixels(self) -> int:
        """How many of them are to drop for their pixels: their features are less alike."""
        return sum(image.similarity < self.threshold - ROUNDING for image in self.dropped)


def duplicates(
    table: Table,
    threshold: float | None = None,
    *,
    layer: str | None = None,
    pixels: bool = True,
    progress: Steps | None = None,
) -> Duplicates:
    """Find images that are nearly the same, and propose which to keep.

    Kept is the image with the most pixels; of those with as many the sharpest, then the larger
    file, which was compressed less, then the first by name.

    Args:
        table: A table, open or by its path.
        threshold: The cosine of their features from which on two images are near-duplicates.
        layer: The layer to compare, by default the table's first.
        pixels: Whether to look at files too: images whose features are less alike are compared by
            their pixels, which finds copies of half the size or of low quality, and sharpness is
            measured. A file that is gone or has changed is passed over.
        progress: Called with the images compared and their number; from the start again with those
            whose sharpness is measured, and where that changes what is kept, once more.

    Raises:
        UsageError: The threshold isn't above 0 and at most 1.
        StoreError: The table can't be read.

    Example:
        >>> import penult
        >>> penult.duplicates("photos.lance").groups  # doctest: +SKIP
    """
    threshold = THRESHOLD if threshold is None else threshold
    if not 0 < threshold <= 1:
        raise UsageError(f"threshold must be above 0 and at most 1, not {threshold}")
    features = open_table(table)
    layer = features.layer(layer)
    order, show = _order(features), progress or show_nothing
    if not pixels:
        unit = unit_matrix(features, layer, order)
        groups = _groups(features, order, *assign(unit, threshold, progress=show))
        return Duplicates(len(features), threshold, tuple(groups))

    def compared(order: NDArray[np.int64]) -> tuple[NDArray[np.int64], Floats]:
        unit = unit_matrix(features, layer, order)
        return assign(unit, threshold, lambda a, b: pictures.alike(order[a], order[b]), show)

    with closing(Pictures(features)) as pictures:
        kept_for, similarity = compared(order)
        better = sharpest_first(features, order, kept_for, show)
        if (better != order).any():
            order = better
            kept_for, similarity = compared(order)
    groups = _groups(features, order, kept_for, similarity)
    return Duplicates(len(features), threshold, tuple(groups), pictures.unread)


def assign(
    unit: Floats,
    threshold: float,
    alike: Alike | None = None,
    progress: Steps = show_nothing,
) -> tuple[NDArray[np.int64], Floats]:
    """For each row the one that it is dropped for, itself if it is kept, and their product.

    Args:
        unit: Vectors of length 1, those most worth keeping first; what is kept moves to the front.
        threshold: The product from which on a row is dropped.
        alike: Tells of pairs of rows, whose product is less, whether one is dropped all the same.
        progress: Called with the rows done and their number.
    """
    rows = len(unit)
    kept_for, similarity = np.arange(rows), np.ones(rows, np.float32)
    kept, count = np.zeros(rows, np.int64), 0  # the rows that the first of `unit` are
    limit = threshold - ROUNDING
    least = min(PIXELS_THRESHOLD, limit) if alike else limit
    for start in range(0, rows, BLOCK):
        block = unit[start : start + BLOCK].copy()
        here = np.arange(start, start + len(block))
        places, products = _nearest(block, unit[:count], CANDIDATES if alike else 1, least)
        earlier, within = kept[places], _products_within(block)
        if alike:
            _confirm(products, here, earlier, limit, alike)
            _confirm(within, here, np.broadcast_to(here, within.shape), limit, alike)
        kept_for[here], similarity[here] = _judge(here, earlier, products, within, least)
        new = here[kept_for[here] == here]
        kept[count : count + len(new)] = new
        unit[count : count + len(new)] = block[new - start]
        count += len(new)
        progress(start + len(block), rows)
    return kept_for, similarity


def _products_within(block: Floats) -> Floats:
    """Products of a block's rows with those before them; minus infinity with all others."""
    products = block @ block.T
    products[np.triu(np.ones(products.shape, bool))] = -np.inf
    return products


def _judge(
    here: NDArray[np.int64],
    earlier: NDArray[np.int64],
    products: Floats,
    within: Floats,
    least: float,
) -> tuple[NDArray[np.int64], Floats]:
    """Go through the rows of a block; see `assign` for what is returned of each.

    Args:
        here: The rows.
        earlier: Rows that were kept before, the nearest to each of these.
        products: With those.
        within: Products of the block's rows with each other.
        least: The product from which on a row is dropped.
    """
    kept_for, similarity = here.copy(), np.ones(len(here), np.float32)
    best = products.argmax(axis=1)
    new: list[int] = []  # places in the block of the rows that are kept
    for place, column in enumerate(best):
        other, product = earlier[place, column], float(products[place, column])
        if new and (inside := within[place, new]).max() > product:
            other, product = here[new[inside.argmax()]], float(inside.max())
        if product >= least:
            kept_for[place], similarity[place] = other, min(product, 1.0)
        else:
            new.append(place)
    return kept_for, similarity


def _confirm(
    products: Floats,
    rows: NDArray[np.int64],
    others: NDArray[np.int64],
    limit: float,
    alike: Alike,
) -> None:
    """Forget products below the limit unless their pair, by row and column, is alike."""
    some = min(CANDIDATES, products.shape[1])
    nearest = np.partition(products, -some, axis=1)[:, -some][:, None]
    doubtful = (products >= np.maximum(nearest, PIXELS_THRESHOLD)) & (products < limit)
    row, column = np.nonzero(doubtful)
    doubtful[row, column] = alike(rows[row], others[row, column])
    products[(products < limit) & ~doubtful] = -np.inf


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


def _order(features: TableReader) -> NDArray[np.int64]:
    """Places in the order of keys, those most worth keeping first."""
    facts = features.facts(["width", "height", "bytes"])
    width, height, size = (column.to_numpy().astype(np.int64) for column in facts.columns)
    return np.lexsort((-size, -width * height))


def _groups(
    features: TableReader, order: NDArray[np.int64], kept_for: NDArray[np.int64], similarity: Floats
) -> list[Group]:
    dropped = np.flatnonzero(kept_for != np.arange(len(order)))
    images = _images(features, order, np.union1d(dropped, kept_for[dropped]))
    groups: dict[int, list[Image]] = {}
    for row in dropped:
        keep, near = images[int(kept_for[row])], float(similarity[row])
        image = replace(images[int(row)], similarity=near)
        groups.setdefault(int(kept_for[row]), []).append(
            replace(image, exact=_same_content(image, keep))
        )
    found = (
        Group(images[row], tuple(sorted(drop, key=lambda image: (-image.similarity, image.key))))
        for row, drop in groups.items()
    )
    return sorted(found, key=lambda group: group.keep.key)


def _images(
    features: TableReader, order: NDArray[np.int64], rows: NDArray[np.int64]
) -> dict[int, Image]:
    facts = features.facts(["width", "height", *COLUMNS]).take(order[rows])
    size = (facts[name].to_pylist() for name in ("width", "height"))
    keys = [features.keys[place] for place in order[rows]]
    return {
        int(row): _image(key, file, width, height)
        for row, key, file, width, height in zip(rows, keys, row_files(facts), *size, strict=True)
    }


def _image(key: str, file: RowFile, width: int, height: int) -> Image:
    path = Path(file.path) if file.path else None
    return Image(key, path, width, height, file.bytes, file.mtime_ns, sha256=file.sha256)


def _same_content(one: Image, other: Image) -> bool:
    """Whether two files of equal size have the same bytes, and are those that the table knows."""
    if one.bytes != other.bytes or one.path is None or other.path is None:
        return False
    digests = {image.file.digest() for image in (one, other)}
    return len(digests) == 1 and None not in digests
