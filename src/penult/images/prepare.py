"""One image all the way, from a file to the network's input, within limits and timed."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, thread_time

import numpy as np
from numpy.typing import NDArray

from penult.images.decode import ImageLike, load_for, read, wrap_errors
from penult.images.shared import Setup


@dataclass(frozen=True, slots=True)
class Prepared:
    """The size of an image whose input is made, and what that took."""

    width: int  # pixels in its file, upright
    height: int
    reading: float  # seconds by the clock; the others are of a core
    decoding: float
    preprocessing: float
    reducible: bool  # whether `fast` would have decoded fewer pixels


def prepare(
    source: ImageLike,
    setup: Setup,
    out: NDArray[np.float32],
    when_read: Callable[[], object] = lambda: None,
) -> Prepared:
    """Make the network's input of an image, in place.

    Args:
        source: The image.
        setup: What to make of it.
        out: Where to make it.
        when_read: Is called between reading and decoding.

    Raises:
        ImageError: It can't be made, for whatever reason.
        UsageError: The source is of no kind that can be an image.
    """
    with wrap_errors():
        opened = perf_counter()
        if isinstance(source, str | os.PathLike):
            source = read(Path(source), setup.limits.bytes)
        when_read()
        started = thread_time()
        reading = perf_counter() - opened
        rgb, width, height, reducible = load_for(
            source,
            setup.preprocessing.shorter,
            setup.decode,
            setup.limits,
            transparent=setup.transparent,
        )
        decoded = thread_time()
        out[:] = setup.preprocessing(rgb)
        done = thread_time()
        return Prepared(width, height, reading, decoded - started, done - decoded, reducible)
