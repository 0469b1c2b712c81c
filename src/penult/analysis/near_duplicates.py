"""`duplicates`: images that are nearly the same, and which of them to keep.

Images are gone through from the one most worth keeping to the one least. Each is compared with
those kept so far; it is dropped for the nearest of them if that is near enough, and otherwise kept
itself. Near enough is what has features that are somewhat alike and is of the same picture (see
`agreement`); where a picture is gone or can't be read, features that are much alike decide alone.
So every dropped image has a kept one that it is itself a near-duplicate of, which chains of
likenesses don't promise, and nothing grows with the number of pairs.
"""

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from penult.analysis.pixels import Pictures
from penult.analysis.sharpness import sharpest_first
from penult.analysis.stars import ROUNDING, Stars, assign
from penult.analysis.thresholds import Threshold, choose
from penult.analysis.vectors import Floats, unit_matrix
from penult.errors import UsageError
from penult.extraction.row_files import COLUMNS, RowFile, row_files
from penult.store import Table, TableReader, annotate, open_table
from penult.util.checks import require_store
from penult.util.notebook import shown
from penult.util.progress import Steps
from penult.util.result import Result, Row
from penult.util.text import plural

COLUMN = "duplicate"  # of what becomes of an image, if it's stored


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a group.

    Attributes:
        key: Its name in the table.
        place: Where it was, as the table says it; empty if it doesn't.
        width: Pixels.
        height: Pixels.
        bytes: Size of the file.
        mtime_ns: Time of the file's last change.
        similarity: Cosine with the image that is kept; of that one 1.
        exact: Whether its file is, to the byte, that of the image that is kept.
        features_alone: Whether it is to drop for its features alone: the pictures were not
            compared, as that wasn't asked for, or one is gone, changed or unreadable.
        sha256: Digest of the file's content, if the table has it.
    """

    key: str
    place: str
    width: int
    height: int
    bytes: int
    mtime_ns: int
    similarity: float = 1.0
    exact: bool = False
    features_alone: bool = False
    sha256: str | None = None

    @property
    def file(self) -> RowFile:
        """Its file, to be looked at."""
        return RowFile(self.place, self.bytes, self.mtime_ns, self.sha256)

    @property
    def path(self) -> Path | None:
        """Where its file was; None if the table doesn't say, or it lies in a file of many."""
        return Path(self.file.path) if self.place and not self.file.is_within else None


@dataclass(frozen=True, slots=True)
class Group:
    """One image to keep, and those to drop for it, the nearest first."""

    keep: Image
    drop: tuple[Image, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Duplicates(Result):
    """What `penult.duplicates` proposes; no file was touched.

    Attributes:
        images: How many were compared.
        threshold: The cosine from which on two are near-duplicates.
        groups: Those of at least two images, by the key of the one to keep.
        neighbours: The median cosine of images with their third nearest, if the threshold was set
            by it.
        unread: How many should have been compared by their pixels too, but their files are gone,
            changed, unreadable, or in a bucket that nobody has named.
    """

    images: int
    threshold: float
    groups: tuple[Group, ...]
    unread: int = 0
    neighbours: float | None = None

    def _summary(self) -> str:
        found = f"{plural(len(self.groups), 'group')}, {len(self.dropped):,} to drop"
        return f"{plural(self.images, 'image')}, {found}"

    def _rows(self) -> tuple[Sequence[str], Iterable[Row]]:
        rows = (
            (group.keep.key, image.key, image.similarity)
            for group in self.groups
            for image in group.drop
        )
        return ("keep", "drop", "cosine"), rows

    @property
    def dropped(self) -> list[Image]:
        """All images to drop."""
        return [image for group in self.groups for image in group.drop]

    @property
    def by_pixels(self) -> int:
        """How many of them are to drop for their pixels: their features are less alike."""
        return sum(image.similarity < self.threshold - ROUNDING for image in self.dropped)

    @property
    def by_features_alone(self) -> int:
        """How many of them are to drop for their features alone."""
        return sum(image.features_alone for image in self.dropped)


class _Found(NamedTuple):
    """What comes of comparing images.

    Attributes:
        order: Their places, those most worth keeping first.
        stars: What becomes of them, in that order.
        unread: How many have no picture that could be compared.
    """

    order: NDArray[np.int64]
    stars: Stars
    unread: int = 0


def duplicates(
    table: Table,
    threshold: float | None = None,
    *,
    layer: str | None = None,
    pixels: bool = True,
    store: bool = False,
    column: str | None = None,
    progress: Steps | None = None,
) -> Duplicates:
    """Find images that are nearly the same, and propose which to keep.

    Two are if their pixels say so: also one that is smaller, compressed, mirrored, brighter, marked
    or a part of the other. Features only tell which pictures to compare, and decide alone where
    there are none; what is proposed for that is marked as such.

    Kept is the image with the most pixels; of those with as many the sharpest, then the larger
    file, which was compressed less, then the first by name. Once 100,000 are kept, others are
    compared only with kept ones that lie near, which misses about one in a thousand.

    Args:
        table: A table, open or by its path.
        threshold: The cosine from which on features alone make near-duplicates of two images,
            where a picture is gone, has changed or can't be read; by default 0.9 or, of networks
            of images and words, above what the table's own neighbours have.
        layer: The layer to compare, by default the table's first.
        pixels: Whether to look at files: pictures are compared, from a cosine of 0.5 on, and
            sharpness is measured. Otherwise features alone decide everywhere.
        store: Whether to store with the table, which shows it from then on, what becomes of each
            image: `keep`, `drop`, or `single` if it has no duplicate; and for those that have, the
            key of the one to keep.
        column: The name of that column, by default `duplicate`; keys are in `COLUMN_of`.
        progress: Called with the images compared and their number; from the start again with those
            whose sharpness is measured, and where that changes what is kept, once more.

    Raises:
        UsageError: The threshold isn't above 0 and at most 1, or the column can't be added.
        StoreError: The table can't be read or written.

    Example:
        >>> import penult
        >>> penult.duplicates("photos.lance").groups  # doctest: +SKIP
    """
    if threshold is not None and not 0 < threshold <= 1:
        raise UsageError(f"threshold must be above 0 and at most 1, not {threshold}")
    require_store(store, "column", column)
    features, column = open_table(table), column or COLUMN
    features.require_names([column, f"{column}_of"] if store else [])
    layer = features.layer(layer)
    limit = choose(features, layer) if threshold is None else Threshold(threshold)
    find = _by_pixels if pixels else _by_features
    order, stars, unread = find(features, layer, limit.cosine, shown(progress))
    groups = _groups(features, order, stars)
    if store:
        _store(features, column, groups)
    return Duplicates(len(features), limit.cosine, tuple(groups), unread, limit.neighbours)


def _by_features(features: TableReader, layer: str, threshold: float, show: Steps) -> _Found:
    order = _order(features)
    return _Found(order, assign(unit_matrix(features, layer, order), threshold, progress=show))


def _by_pixels(features: TableReader, layer: str, threshold: float, show: Steps) -> _Found:
    def compared(order: NDArray[np.int64]) -> Stars:
        unit = unit_matrix(features, layer, order)
        return assign(unit, threshold, _Ordered(pictures, order), show)

    order = _order(features)
    with closing(Pictures(features)) as pictures:
        stars = compared(order)
        better = sharpest_first(features, order, stars.kept_for, show)
        if (better != order).any():
            order = better
            stars = compared(order)
    return _Found(order, stars, pictures.unread)


@dataclass(frozen=True, slots=True)
class _Ordered:
    """Pictures by their place in an order."""

    pictures: Pictures
    order: NDArray[np.int64]

    def compare(self, some: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.int8]:
        return self.pictures.compare(self.order[some], self.order[others])

    def seen(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return rows[self.pictures.seen(self.order[rows])]

    def likeness(self, some: NDArray[np.int64], others: NDArray[np.int64]) -> Floats:
        return self.pictures.likeness(self.order[some], self.order[others])


def _order(features: TableReader) -> NDArray[np.int64]:
    """Places in the order of keys, those most worth keeping first."""
    facts = features.facts(["width", "height", "bytes"])
    width, height, size = (column.to_numpy().astype(np.int64) for column in facts.columns)
    return np.lexsort((-size, -width * height))


def _groups(features: TableReader, order: NDArray[np.int64], stars: Stars) -> list[Group]:
    kept_for = stars.kept_for
    dropped = np.flatnonzero(kept_for != np.arange(len(order)))
    images = _images(features, order, np.union1d(dropped, kept_for[dropped]))
    groups: dict[int, list[Image]] = {}
    for row in dropped:
        image, keep = images[int(row)], images[int(kept_for[row])]
        exact = _same_content(image, keep)
        alone = bool(stars.features_alone[row]) and not exact
        image = replace(
            image, similarity=float(stars.similarity[row]), exact=exact, features_alone=alone
        )
        groups.setdefault(int(kept_for[row]), []).append(image)
    found = (
        Group(images[row], tuple(sorted(drop, key=lambda image: (-image.similarity, image.key))))
        for row, drop in groups.items()
    )
    return sorted(found, key=lambda group: group.keep.key)


def _store(features: TableReader, column: str, groups: Sequence[Group]) -> None:
    """Store what becomes of images, and of those of groups which one is to keep."""
    fates = {image.key: ("drop", group.keep.key) for group in groups for image in group.drop}
    fates |= {group.keep.key: ("keep", group.keep.key) for group in groups}
    each = [fates.get(key, ("single", None)) for key in features.keys]
    annotate(features, {column: [word for word, _ in each], f"{column}_of": [of for _, of in each]})


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
    return Image(key, file.place, width, height, file.bytes, file.mtime_ns, sha256=file.sha256)


def _same_content(one: Image, other: Image) -> bool:
    """Whether two files of equal size have the same bytes, and are those that the table knows."""
    if one.bytes != other.bytes or not (one.place and other.place):
        return False
    digests = {image.file.digest() for image in (one, other)}
    return len(digests) == 1 and None not in digests
