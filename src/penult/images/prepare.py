"""One image all the way, from a file to the network's input, within limits and timed."""

import os
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, thread_time

import numpy as np
from numpy.typing import NDArray

from penult.images.decode import ImageLike, load, read, reported
from penult.images.limits import Limits
from penult.images.preprocess import Preprocessing


@dataclass(frozen=True, slots=True)
class Prepared:
    """The size of an image whose input is made, and what that took."""

    width: int  # pixels, upright
    height: int
    reading: float  # seconds by the clock; the others are of a core
    decoding: float
    preprocessing: float


def prepare(
    source: ImageLike, preprocessing: Preprocessing, limits: Limits, out: NDArray[np.float32]
) -> Prepared:
    """Make the network's input of an image, in place.

    Raises:
        ImageError: It can't be made, for whatever reason.
        UsageError: The source is of no kind that can be an image.
    """
    with reported():
        opened = perf_counter()
        if isinstance(source, str | os.PathLike):
            source = read(Path(source), limits.bytes)
        started = thread_time()
        reading = perf_counter() - opened
        rgb = load(source, limits)
        decoded = thread_time()
        out[:] = preprocessing(rgb)
        return Prepared(*rgb.size, reading, decoded - started, thread_time() - decoded)
