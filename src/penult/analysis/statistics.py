"""Shares with their intervals, and tests of how many of them are alike by chance."""

from collections.abc import Sequence
from math import comb, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Z = 1.959964  # of the normal distribution, for 95 %
DRAWS = 10_000
REDRAWN = 1000  # times that the images are redrawn, and the best chosen again
SEED = 0


class Estimate(NamedTuple):
    """A share, and the interval that holds the true one with 95 % confidence."""

    value: float
    low: float
    high: float


def wilson(right: int, images: int) -> Estimate:
    """A share and its 95 % interval. Wilson 1927, doi:10.1080/01621459.1927.10502953."""
    share, z2 = right / images, Z * Z
    middle = (share + z2 / (2 * images)) / (1 + z2 / images)
    half = Z / (1 + z2 / images) * sqrt(share * (1 - share) / images + z2 / (4 * images**2))
    return Estimate(share, max(0.0, middle - half), min(1.0, middle + half))


def bootstrap(right: NDArray[np.int64], images: NDArray[np.int64]) -> Estimate:
    """The mean of shares and its 95 % interval: to redraw n rights and wrongs is a binomial."""
    shares = right / images
    draws = np.random.default_rng(SEED).binomial(images, shares, (DRAWS, len(images))) / images
    low, high = np.quantile(draws.mean(axis=1), [0.025, 0.975])
    return Estimate(float(shares.mean()), float(low), float(high))


def expected(right: NDArray[np.bool]) -> Estimate:
    """The accuracy of what is chosen for its accuracy, and its 95 % interval.

    Images are redrawn, what is best on them is chosen, and measured by the images that were not
    drawn (BBC-CV, Tsamardinos et al. 2018, doi:10.1007/s10994-018-5714-4). Of 20 probes that are
    all right about 80 % of images, the best seems to be about 85 % when there are 200 images, where
    this says 80 %. The interval is that of the images not drawn, which are fewer: rather too wide.

    Args:
        right: Whether each result is right about each image: (results, images).
    """
    random = np.random.default_rng(SEED)
    shares, images, found = right.astype(np.float64), right.shape[1], []
    for _ in range(REDRAWN):
        drawn = np.bincount(random.integers(images, size=images), minlength=images)
        if drawn.all():  # of a few images, all may be drawn
            continue
        best = (shares @ drawn).argmax()
        found.append(right[best, drawn == 0].mean())
    low, high = np.quantile(found, [0.025, 0.975])
    return Estimate(float(np.mean(found)), float(low), float(high))


def mcnemar(one: NDArray[np.bool], other: NDArray[np.bool]) -> float:
    """Two-sided exact p of two classifiers being as often right, by the images they differ on."""
    differ, fewer = (
        int((one != other).sum()),
        min(int((one & ~other).sum()), int((other & ~one).sum())),
    )
    tail = sum(comb(differ, i) for i in range(fewer + 1))
    return min(1.0, float(2 * tail / 2**differ))


def holm(p: Sequence[float]) -> list[float]:
    """The p of several tests, each such that any of them is below a level by chance as rarely.

    Holm 1979, "A simple sequentially rejective multiple test procedure". It holds however the
    tests depend on each other.
    """
    order = np.argsort(p)
    raised = np.maximum.accumulate(np.arange(len(p), 0, -1) * np.asarray(p)[order])
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(raised, 1)
    return [float(value) for value in adjusted]
