"""Which of several copies with as many pixels is the sharpest.

Blur takes contrast from neighbouring pixels: squared differences fall by more than half where a
copy was out of focus, shaken or enlarged. Compression changes them little, and either way, as its
blocks have edges of their own; of copies that are about as sharp, the largest file is the best.
"""

from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from penult.analysis.reader import Reader
from penult.images.bilinear import RGB
from penult.util.progress import Steps

if TYPE_CHECKING:
    from penult.store import TableReader

SHARPER = 1.5  # times the contrast of another; benchmarks/duplicates.py
_ROWS = 256  # of an image that are looked at together


@dataclass(frozen=True, slots=True)
class Contrast:
    """Measures how much neighbouring pixels differ; a preprocessing, for decoders."""

    size = 1
    shorter = None

    def __call__(self, rgb: RGB) -> NDArray[np.float32]:
        """Mean square of the differences of neighbours in gray, (1, 1, 1)."""
        image = rgb if isinstance(rgb, Image.Image) else Image.fromarray(rgb)
        grey = np.asarray(image.convert("L"))
        squares = 0.0
        for y in range(0, len(grey), _ROWS):
            band = grey[y : y + _ROWS + 1].astype(np.float32)  # and a row of the next
            for differences in (np.diff(band, axis=0), np.diff(band[:_ROWS])):
                squares += float(np.square(differences).sum())
        return np.full((1, 1, 1), squares / grey.size, np.float32)

    def __str__(self) -> str:
        return "mean square of the differences of neighbours"


def sharpest_first(
    features: "TableReader",
    order: NDArray[np.int64],
    kept_for: NDArray[np.int64],
    progress: Steps = lambda done, total: None,
) -> NDArray[np.int64]:
    """Put the sharpest image of each group, if it isn't the one that is kept, before that one.

    Only those with as many pixels as that one count, and files of another size in bytes: those of
    the same are its copies, mostly. Each file that counts is read.

    Args:
        features: An open table.
        order: Places of images, those most worth keeping first.
        kept_for: For each of `order` the row in it of the one that it is dropped for.
        progress: Called with the images read and their number.
    """
    facts = features.facts(["width", "height", "bytes"]).columns
    width, height, size = (column.to_numpy().astype(np.int64)[order] for column in facts)
    pixels = width * height
    tied = np.flatnonzero((pixels == pixels[kept_for]) & (size != size[kept_for]))
    if not len(tied):
        return order
    tied = tied[np.argsort(kept_for[tied], kind="stable")]
    groups = {keep: [keep, *rows] for keep, rows in groupby(tied, key=kept_for.__getitem__)}
    read = order[np.concatenate([*groups.values()])]
    contrast = np.zeros(len(features))  # and of what can't be read
    with closing(Reader(features, Contrast(), "exact")) as reader:
        for done, (place, value) in enumerate(reader.read(read), 1):
            contrast[place] = value.item()
            progress(done, len(read))
    rank = np.arange(len(order), dtype=np.float64)
    for keep, group in groups.items():
        found = contrast[order[group]]
        rank[group[int(np.argmax(SHARPER * found >= found.max()))]] = keep - 0.5
    return order[np.argsort(rank)]
