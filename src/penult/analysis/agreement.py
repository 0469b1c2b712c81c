"""Whether two small copies show the same picture: tile by tile, where one lies in the other.

A network's features say that two pages of text, or two glyphs, are alike; only the pixels say that
they are the same. So edges have to agree everywhere: of each tile that has some, the correlation of
the differences of neighbours is taken, down and across apart, as all lines of text have the same
rows. A photo may have a mark on it, which one picture has and the other hasn't, on part of it; in
what is drawn a stroke more is another sign, and so is what is mirrored. Beside edges, colours,
levels and contrast have to agree, as far as copies that are brighter or darker do.

The figures were chosen by `benchmarks/duplicates.py`, which shows what they find and mistake.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from penult.analysis.alignment import Coarse, Floats, move, place, reduce, refine

Booleans = NDArray[np.bool]

SIDE, COLOUR_SIDE = 64, 16  # pixels of a copy's greys, and of its colours
TILE = 8  # pixels
PLACED = 0.5  # correlation of coarse edges from which on pictures are compared at all
COARSE, COARSELY_ALIKE = 32, 0.4  # pixels of copies that are compared before, and as below
ALIKE = 0.75  # mean correlation of tiles
MARKED = 0.25  # share of a photo's tiles that a mark may cover
FLAT = 1.0  # mean square of differences, in levels, below which a tile has no edges
FLAT_RANGE = 4.0  # levels that a picture without edges may have
SHADES = (1.0, 8.0)  # difference of neighbours, in levels, that is shade rather than edge
DRAWN = 0.125  # share of pixels with shades below which a picture is drawn
STROKE = 0.5  # difference of a tile, in mean tiles, that is another stroke
CONTRAST = 2.0  # times that of the other
LEVEL, FLAT_LEVEL = 80.0, 16.0  # difference of means, and of those of pictures without edges
COLOURED, SAME_COLOUR = 6.0, 0.8  # mean square root of colour; cosine of two
PAIRS = 64  # compared at once, in the processor's cache


class Copies(NamedTuple):
    """Small copies of images.

    Attributes:
        greys: Levels from 0 to 255, smoothed, (images, grounds, SIDE, SIDE): over black and, if
            one of the images has transparency, over white.
        colours: Differences of blue and of red from grey, (images, 2, COLOUR_SIDE, COLOUR_SIDE).
        shades: Share of pixels that differ from their neighbours a little, as in what has light on
            it, (images,).
    """

    greys: Floats
    colours: Floats
    shades: Floats

    def select(self, which: NDArray[np.int64] | slice) -> "Copies":
        """Some of them."""
        return Copies(*(part[which] for part in self))

    def mirror(self, which: Booleans) -> "Copies":
        """The same, some of them mirrored."""
        where = which[:, None, None, None]
        greys = np.where(where, self.greys[..., ::-1], self.greys)
        return Copies(greys, np.where(where, self.colours[..., ::-1], self.colours), self.shades)


class Looks(NamedTuple):
    """What a first look at pairs finds, (pairs, …).

    Attributes:
        likely: Which may be of the same picture.
        turned: Which are like when the other is mirrored.
        maps: Where the others lie, roughly.
    """

    likely: Booleans
    turned: Booleans
    maps: Floats

    def select(self, which: NDArray[np.int64] | slice) -> "Looks":
        """Some of them."""
        return Looks(self.likely[which], self.turned[which], self.maps[which])


class _Tiles(NamedTuple):
    """Sums over tiles, (pairs, 2, tiles), of differences down and across."""

    one: Floats  # squares
    other: Floats
    both: Floats  # products


def first_look(some: Coarse, others: Coarse, shades: Floats) -> Looks:
    """Tell pairs that may be of the same picture from coarse copies.

    Args:
        some: Copies.
        others: As many.
        shades: The lesser share of shaded pixels of each pair: what is drawn is another sign if it
            is mirrored.
    """
    placed, maps = place(some, others)
    placed_mirrored, maps_mirrored = place(some, others.mirror())
    turned = (placed_mirrored > placed) & (shades >= DRAWN)
    likely = np.where(turned, placed_mirrored, placed) >= PLACED
    likely |= _flat(some.whole) & _flat(others.whole)
    return Looks(likely, turned, np.where(turned[:, None, None], maps_mirrored, maps))


def agree(some: Copies, others: Copies, looks: Looks) -> Booleans:
    """Whether pairs show the same picture, also mirrored or one a part of the other; (pairs,)."""
    found = np.zeros(len(some.greys), bool)
    for start in range(0, len(found), PAIRS):
        part = slice(start, start + PAIRS)
        found[part] = _agree(some.select(part), others.select(part), looks.select(part))
    return found


def _agree(one: Copies, other: Copies, looks: Looks) -> Booleans:
    found = _flat(one.greys) & _flat(other.greys) & _near_levels(one, other)
    other, maps = other.mirror(looks.turned), looks.maps.copy()
    found |= _same(one, other, maps)
    left = np.flatnonzero(~found)
    for side in (16, 32, 64):
        some, others = (reduce(copies.greys[left], side) for copies in (one, other))
        maps[left] = refine(some, others, maps[left])
        if side == COARSE:
            left = left[_perhaps(some, others, maps[left])]
    found[left] = _same(one.select(left), other.select(left), maps[left])
    return found


def _perhaps(one: Floats, other: Floats, maps: Floats) -> Booleans:
    """Whether coarse copies agree well enough for fine ones to be looked at."""
    tiles = _tiles(one, *move(other, maps))
    correlation, textured = _correlation(tiles)
    mean = (correlation * textured).sum(axis=2) / np.maximum(textured.sum(axis=2), 1)
    return np.asarray((mean >= COARSELY_ALIKE).all(axis=1))


def _same(one: Copies, other: Copies, maps: Floats) -> Booleans:
    """Whether pictures agree where maps say that they lie."""
    moved, inside = move(other.greys, maps)
    tiles = _tiles(one.greys, moved, inside)
    correlation, textured = _correlation(tiles)
    plain = _judge(tiles, correlation, textured) & (_stroke(tiles) <= STROKE)
    marked = np.zeros(len(plain), bool)
    for side in _one_sided(tiles):
        mark = _mark(side[:, None] & textured & (correlation < ALIKE), correlation, textured)
        marked |= _judge(tiles, correlation, textured & ~mark)
    same = np.where(np.minimum(one.shades, other.shades) < DRAWN, plain, marked)
    pixels = np.maximum(inside.sum(axis=(2, 3)), 1)
    difference = ((one.greys - moved) * inside).sum(axis=(2, 3)) / pixels
    same &= (np.abs(difference) <= LEVEL).all(axis=1)
    return np.asarray(same & _same_colours(one.colours, *move(other.colours, maps)))


def _correlation(tiles: _Tiles) -> tuple[Floats, Booleans]:
    """Correlation in each tile, and whether one of the pictures has edges there."""
    textured = np.maximum(tiles.one, tiles.other) > FLAT * TILE**2
    return tiles.both / (np.sqrt(tiles.one * tiles.other) + FLAT * TILE**2 / 4), textured


def _judge(tiles: _Tiles, correlation: Floats, textured: Booleans) -> Booleans:
    """Whether tiles correlate, both down and across, and have contrast alike."""
    count = textured.sum(axis=2)
    mean = (correlation * textured).sum(axis=2) / np.maximum(count, 1)
    one, other = ((part * textured).sum(axis=(1, 2)) for part in (tiles.one, tiles.other))
    contrast = (one <= CONTRAST**2 * other) & (other <= CONTRAST**2 * one)
    some = count.any(axis=1)
    return np.asarray(some & contrast & ((mean >= ALIKE) | (count == 0)).all(axis=1))


def _mark(candidates: Booleans, correlation: Floats, textured: Booleans) -> Booleans:
    """The worst of candidate tiles, as many as a mark may cover."""
    order = np.where(candidates, correlation, np.inf).argsort(axis=2).argsort(axis=2)
    return np.asarray(candidates & (order < MARKED * textured.sum(axis=2, keepdims=True)))


def _one_sided(tiles: _Tiles) -> tuple[Booleans, Booleans]:
    """Tiles where the one has far more edges, and where the other has; (pairs, tiles)."""
    one, other = _summed(tiles)
    least = FLAT * TILE**2
    return one > 3 * other + least, other > 3 * one + least


def _stroke(tiles: _Tiles) -> Floats:
    """How much the pictures differ in the tile where they do most, in mean tiles; (pairs,)."""
    one, other = _summed(tiles)
    difference = one + other - 2 * tiles.both.sum(axis=1) * _gain(tiles)
    most = np.maximum(one, other)
    textured = most > 2 * FLAT * TILE**2
    mean = (most * textured).sum(axis=1) / np.maximum(textured.sum(axis=1), 1)
    return np.asarray(difference.max(axis=1) / np.maximum(mean, 1))


def _summed(tiles: _Tiles) -> tuple[Floats, Floats]:
    """Squares of both directions, the other's as if it had the contrast of the one."""
    return tiles.one.sum(axis=1), tiles.other.sum(axis=1) * _gain(tiles) ** 2


def _gain(tiles: _Tiles) -> Floats:
    """Contrast of the one by that of the other, (pairs, 1)."""
    one, other = (part.sum(axis=(1, 2)) for part in (tiles.one, tiles.other))
    return np.asarray(np.sqrt(one / np.maximum(other, 1))[:, None])


def _tiles(one: Floats, other: Floats, inside: Floats) -> _Tiles:
    side = one.shape[-1]
    whole = np.repeat(np.eye(side // TILE, dtype=np.float32), TILE, axis=1)
    sums: list[list[Floats]] = [[], [], []]
    for axis, (rows, columns) in ((2, (whole[:, 1:], whole)), (3, (whole, whole[:, 1:]))):
        covered = np.minimum(*_neighbours(inside, axis))
        changes = [np.subtract(*_neighbours(grey, axis)) * covered for grey in (one, other)]
        for number, (some, others) in enumerate(((0, 0), (1, 1), (0, 1))):
            product = (changes[some] * changes[others]).sum(axis=1)
            sums[number].append((rows @ product @ columns.T).reshape(len(one), len(whole) ** 2))
    return _Tiles(*(np.stack(both, axis=1) for both in sums))


def _neighbours(pictures: Floats, axis: int) -> tuple[Floats, Floats]:
    if axis == 2:
        return pictures[:, :, 1:], pictures[:, :, :-1]
    return pictures[..., 1:], pictures[..., :-1]


def _same_colours(one: Floats, other: Floats, inside: Floats) -> Booleans:
    """Whether colours agree, as far as both have some; their strength may differ."""
    some, others = ((part * inside).reshape(len(one), 2 * COLOUR_SIDE**2) for part in (one, other))
    pixels = np.maximum(inside.sum(axis=(1, 2, 3)), 1)
    strengths = [np.sqrt(np.square(part).sum(axis=1) / pixels) for part in (some, others)]
    pale = np.maximum(*strengths) < COLOURED
    product = np.einsum("ij,ij->i", some, others) / pixels
    similar = product >= SAME_COLOUR * strengths[0] * strengths[1]
    weaker = np.minimum(*strengths) >= np.maximum(*strengths) / CONTRAST**2
    return np.asarray(pale | (similar & weaker))


def _flat(greys: Floats) -> Booleans:
    """Whether pictures have no edges."""
    return np.asarray((np.ptp(greys, axis=(2, 3)) <= FLAT_RANGE).all(axis=1))


def _near_levels(one: Copies, other: Copies) -> Booleans:
    """Whether pictures without edges are the same grey and colour."""
    found = np.ones(len(one.greys), bool)
    for some, others in ((one.greys, other.greys), (one.colours, other.colours)):
        means = some.mean(axis=(2, 3)) - others.mean(axis=(2, 3))
        found &= (np.abs(means) <= FLAT_LEVEL).all(axis=1)
    return found


def shades(greys: Floats) -> Floats:
    """Share of pixels of pictures that are shaded, of the ground where it is least; (images,).

    Args:
        greys: (images, grounds, SIDE, SIDE), smoothed.
    """
    down, across = np.diff(greys, axis=2)[..., :-1], np.diff(greys, axis=3)[:, :, :-1]
    difference = np.hypot(down, across)
    shaded = (difference > SHADES[0]) & (difference < SHADES[1])
    return np.asarray(shaded.mean(axis=(2, 3)).min(axis=1), np.float32)
