"""Whether images show the same picture: small grey copies of their files, compared by their edges.

A network's features move when a picture loses its fine detail: half the size or a strong JPEG can
be further away than another picture. The coarse edges stay where they are; compared are those of
the whole pictures, of one as a part of the other, and all of it mirrored.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from penult.analysis.reader import Reader
from penult.images.bilinear import RGB

if TYPE_CHECKING:
    from penult.store import TableReader

Floats = NDArray[np.float32]
Greys = NDArray[np.uint8]  # (pictures, SIDE, SIDE)

SIDE = 32  # pixels of a copy, 1 KB an image
WHOLE, PART = 16, 14  # pixels of what is compared: a part is 7/8 as wide and high, anywhere
ALIKE = 0.75  # correlation of edges; benchmarks/duplicates.py
PAIRS = 4096  # compared at once, in 50 MB
_UNREAD, _READ, _NONE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Grey:
    """Squashes an image into a grey square; a preprocessing, for the pipeline's decoders."""

    size: int

    @property
    def shorter(self) -> int:
        """Four times what is needed, so that copies decoded to fewer pixels have the same edges."""
        return 4 * self.size

    def __call__(self, rgb: RGB) -> Floats:
        """Make the square, (size, size, 1)."""
        image = rgb if isinstance(rgb, Image.Image) else Image.fromarray(rgb)
        box, gap = Image.Resampling.BOX, 2  # the gap makes it several times as fast
        square = image.resize((self.size, self.size), box, reducing_gap=gap).convert("L")
        return np.asarray(square, np.float32)[:, :, None]

    def __str__(self) -> str:
        return f"grey, squashed to {self.size} x {self.size}"


class Pictures:
    """The small grey copies of a table's images, read when they are first compared.

    Args:
        features: An open table.

    Attributes:
        unread: Images that were to be compared, but gave no picture or have changed.
    """

    def __init__(self, features: "TableReader") -> None:
        self._greys = np.zeros((len(features), SIDE, SIDE), np.uint8)
        self._known = np.full(len(features), _UNREAD, np.int8)
        self._reader = Reader(features, Grey(SIDE), "fast")

    @property
    def unread(self) -> int:
        """How many were to be compared and couldn't."""
        return int((self._known == _NONE).sum())

    def alike(self, some: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.bool]:
        """Whether images show the same as others, by place; not if one can't be read."""
        needed = np.union1d(some, others)
        needed = needed[self._known[needed] == _UNREAD]
        self._known[needed] = _NONE
        for place, grey in self._reader.read(needed):
            self._greys[place] = grey[:, :, 0]
            self._known[place] = _READ
        there = (self._known[some] == _READ) & (self._known[others] == _READ)
        found = np.zeros(len(some), bool)
        found[there] = agreement(self._greys[some[there]], self._greys[others[there]]) >= ALIKE
        return found

    def close(self) -> None:
        """End the processes."""
        self._reader.close()


def agreement(some: Greys, others: Greys) -> Floats:
    """How well the edges of pairs agree, 1 at best; (pairs,)."""
    best = np.empty(len(some), np.float32)
    for start in range(0, len(some), PAIRS):
        pair = slice(start, start + PAIRS)
        one, other = some[pair].astype(np.float32), others[pair].astype(np.float32)
        best[pair] = np.maximum(_agreement(one, other), _agreement(one[:, :, ::-1], other))
    return best


def _agreement(one: Floats, other: Floats) -> Floats:
    best = _product(_edges(_reduce(one, WHOLE)), _edges(_reduce(other, WHOLE)))
    for large, small in ((one, other), (other, one)):
        whole, part = _reduce(large, WHOLE), _edges(_reduce(small, PART))
        for y, x in np.ndindex(WHOLE - PART + 1, WHOLE - PART + 1):
            window = whole[:, y : y + PART, x : x + PART]
            best = np.maximum(best, _product(_edges(window), part))
    return best


def _edges(grey: Floats) -> Floats:
    """Differences between neighbours, less their mean and of length 1; (pairs, values)."""
    down = np.diff(grey, axis=1)[:, :, :-1]
    across = np.diff(grey, axis=2)[:, :-1]
    edges = np.concatenate([down.reshape(len(grey), -1), across.reshape(len(grey), -1)], axis=1)
    edges -= edges.mean(axis=1, keepdims=True)
    edges /= np.maximum(np.linalg.norm(edges, axis=1, keepdims=True), 1e-6)
    return edges


def _product(one: Floats, other: Floats) -> Floats:
    return np.asarray(np.einsum("ij,ij->i", one, other))


def _reduce(grey: Floats, size: int) -> Floats:
    """Means over areas that needn't be whole pixels: (pairs, size, size)."""
    edges = np.arange(size + 1)[:, None] * (SIDE / size)
    below = np.clip(edges - np.arange(SIDE), 0, 1)  # the share of each pixel below an edge
    weights = (np.diff(below, axis=0) * (size / SIDE)).astype(np.float32)
    return np.asarray(weights @ grey @ weights.T, np.float32)
