"""Where the picture of one image lies in that of another, to a fraction of a pixel.

Pictures are squares (pairs, grounds, side, side): of an image with transparency, what is seen over
black and over white. A place is a share of the side. A map says for each axis, down and across,
what place of the one picture a place of the other is at: scale × place + shift, (pairs, 2, 2).

First the pictures are compared whole, and each as a part of the other, by the correlation of their
edges. From the best of these on, scales and shifts follow by Gauss and Newton's method, on coarse
copies at first: Lucas & Kanade, An iterative image registration technique, IJCAI 1981.
"""

from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float32]

WHOLE, PART = 16, 14  # pixels of what is compared at first: a part is 7/8 as wide and high
STEPS = 4  # of Gauss and Newton
_DAMPING = 1e-3
_WHOLE_MAP = np.array([[1, 0], [1, 0]], np.float32)


class Coarse(NamedTuple):
    """Pictures of few pixels, (pictures, grounds, side, side).

    Attributes:
        whole: Of WHOLE pixels.
        part: Of PART pixels.
    """

    whole: Floats
    part: Floats

    @classmethod
    def of(cls, pictures: Floats) -> Self:
        """The same pictures, of few pixels."""
        return cls(reduce(pictures, WHOLE), reduce(pictures, PART))

    def mirror(self) -> Self:
        """The same, mirrored."""
        return type(self)(self.whole[..., ::-1], self.part[..., ::-1])


def place(one: Coarse, other: Coarse) -> tuple[Floats, Floats]:
    """Find roughly where others lie: the correlation of the edges there, (pairs,), and the maps."""
    wholes, parts = ([_edges(each) for each in both] for both in zip(one, other, strict=True))
    best = _correlations(*wholes)[:, 0, 0]
    maps = np.tile(_WHOLE_MAP, (len(best), 1, 1))
    for large, small, scale, of in (
        (wholes[0], parts[1], PART / WHOLE, WHOLE),
        (wholes[1], parts[0], WHOLE / PART, -PART),
    ):
        found = _correlations(large, small)
        for y, x in np.ndindex(found.shape[1:]):
            better = found[:, y, x] > best
            best[better] = found[better, y, x]
            maps[better] = np.array([[scale, y / of], [scale, x / of]], np.float32)
    return best, maps


def refine(one: Floats, other: Floats, maps: Floats) -> Floats:
    """Find to a fraction of a pixel where others lie, from where they lie roughly."""
    side = one.shape[-1]
    for _ in range(STEPS):
        moved, inside = move(other, maps)
        maps = _compose(np.clip(_step(one, moved, inside), -1.5 / side, 1.5 / side), maps)
    return maps


def move(pictures: Floats, maps: Floats) -> tuple[Floats, Floats]:
    """What others look like where the ones are, and which pixels of these they cover, as 0 and 1.

    Between pixels they are interpolated linearly. The pixels covered are (pairs, 1, side, side).
    """
    down, inside_down = _sampling(maps[:, 0], pictures.shape[-1])
    across, inside_across = _sampling(maps[:, 1], pictures.shape[-1])
    moved = down[:, None] @ pictures @ across.transpose(0, 2, 1)[:, None]
    inside = inside_down[:, :, None] * inside_across[:, None, :]
    return np.asarray(moved, np.float32), np.asarray(inside[:, None], np.float32)


def reduce(pictures: Floats, side: int) -> Floats:
    """Means over areas that needn't be whole pixels: (pairs, grounds, side, side)."""
    old = pictures.shape[-1]
    if old == side:
        return pictures
    ends = np.arange(side + 1)[:, None] * (old / side)
    below = np.clip(ends - np.arange(old), 0, 1)  # the share of each pixel below an end
    weights = (np.diff(below, axis=0) * (side / old)).astype(np.float32)
    return np.asarray(weights @ pictures @ weights.T, np.float32)


def _sampling(maps: Floats, side: int) -> tuple[Floats, Floats]:
    """Weights of the other's pixels for each of the one, (pairs, side, side), and which it has."""
    places = (np.arange(side, dtype=np.float32) + 0.5) / side
    pixels = (places - maps[:, 1:]) / maps[:, :1] * side - 0.5
    inside = ((pixels >= -0.5) & (pixels <= side - 0.5)).astype(np.float32)
    near = np.clip(pixels, 0, side - 1)[:, :, None] - np.arange(side, dtype=np.float32)
    return np.maximum(1 - np.abs(near), 0), inside


def _step(one: Floats, moved: Floats, inside: Floats) -> Floats:
    """Growth and shift, from the middle, of each axis that bring `moved` nearer; (pairs, 2, 2)."""
    some, others = _standardised(one, inside), _standardised(moved, inside)
    side, mean = one.shape[-1], (some + others) / 2
    down, across = np.zeros_like(one), np.zeros_like(one)
    down[:, :, 1:-1] = (mean[:, :, 2:] - mean[:, :, :-2]) * (side / 2)
    across[..., 1:-1] = (mean[..., 2:] - mean[..., :-2]) * (side / 2)
    dd, da, aa, dm, am = _moments(down * inside, across * inside, some - others)
    rows = [
        [dd[:, 2, 0], dd[:, 1, 0], da[:, 1, 1], da[:, 1, 0]],
        [dd[:, 1, 0], dd[:, 0, 0], da[:, 0, 1], da[:, 0, 0]],
        [da[:, 1, 1], da[:, 0, 1], aa[:, 0, 2], aa[:, 0, 1]],
        [da[:, 1, 0], da[:, 0, 0], aa[:, 0, 1], aa[:, 0, 0]],
    ]
    normal = np.array(rows).transpose(2, 0, 1)
    size = np.trace(normal, axis1=1, axis2=2)[:, None, None] / 4
    normal += np.eye(4, dtype=np.float32) * (_DAMPING * (size + 1))
    right = -np.array([dm[:, 1, 0], dm[:, 0, 0], am[:, 0, 1], am[:, 0, 0]]).T
    return np.asarray(np.linalg.solve(normal, right[:, :, None]).reshape(-1, 2, 2), np.float32)


def _moments(down: Floats, across: Floats, missing: Floats) -> Iterator[Floats]:
    """Sums over pixels of products of two, times powers of the places from the middle."""
    places = (np.arange(down.shape[-1], dtype=np.float32) + 0.5) / down.shape[-1] - 0.5
    powers = np.stack([np.ones_like(places), places, places**2])
    pairs = ((down, down), (down, across), (across, across), (down, missing), (across, missing))
    for some, others in pairs:
        yield powers @ (some * others).sum(axis=1) @ powers.T


def _compose(change: Floats, maps: Floats) -> Floats:
    """The map after a growth and shift from the middle."""
    growth, shift = change[:, :, 0], change[:, :, 1]
    scale, start = maps[:, :, 0], maps[:, :, 1]
    return np.stack([scale * (1 + growth), start + growth * (start - 0.5) + shift], axis=2)


def _standardised(pictures: Floats, inside: Floats) -> Floats:
    """Less the mean of each ground, and of a deviation of 1 over all, where the other covers it."""
    pixels = np.maximum(inside.sum(axis=(2, 3), keepdims=True), 1)
    mean = (pictures * inside).sum(axis=(2, 3), keepdims=True) / pixels
    rest = (pictures - mean) * inside
    variance = np.square(rest).sum(axis=(1, 2, 3), keepdims=True) / pixels
    return np.asarray(rest / np.maximum(np.sqrt(variance), 1), np.float32)


def _edges(pictures: Floats) -> Floats:
    """Differences between neighbours, down and across: (pictures, channels, side, side)."""
    down, across = np.diff(pictures, axis=2)[..., :-1], np.diff(pictures, axis=3)[:, :, :-1]
    return np.concatenate([down, across], axis=1)


def _correlations(large: Floats, small: Floats) -> Floats:
    """Correlations with all windows as large as what is small: (pairs, places down and across)."""
    side, count = small.shape[-1], np.float32(small[0].size)
    starts = np.arange(large.shape[-1] - side + 1)[:, None]
    within = np.arange(large.shape[-1]) - starts
    inside = ((within >= 0) & (within < side)).astype(np.float32)
    total, square = (inside @ each.sum(axis=1) @ inside.T for each in (large, np.square(large)))
    small = small - small.mean(axis=(1, 2, 3), keepdims=True)
    length = np.sqrt(np.maximum(square - np.square(total) / count, 0))
    length *= np.sqrt(np.square(small).sum(axis=(1, 2, 3)))[:, None, None]
    windows = sliding_window_view(large, (side, side), axis=(2, 3))
    product = np.einsum("ncyxij,ncij->nyx", windows, small)
    return np.asarray(product / np.maximum(length, 1e-6))
