"""The pictures of a table's images: small copies of their files, read when they are first needed.

What is transparent is seen over black and over white: a white glyph is nothing over the one.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from penult.analysis.agreement import COLOUR_SIDE, SIDE, Copies, agree, first_look, shades
from penult.analysis.alignment import PART, WHOLE, Coarse, reduce
from penult.analysis.reader import AHEAD, Reader
from penult.analysis.vectors import scratch
from penult.images.bilinear import RGB

if TYPE_CHECKING:
    from penult.store import TableReader

Floats = NDArray[np.float32]

DIFFERENT, SAME, UNREAD = 0, 1, 2  # what is said of two images
PAIRS = 512  # that a thread compares at once, in 20 MB
_SKETCHED, _CUT = 16, 3  # pixels of a sketch; of a copy that its middle is without at each edge
SKETCH = (_SKETCHED - 1) ** 2
_NOT_YET, _OPAQUE, _TRANSPARENT, _NONE = 0, 1, 2, 3
_GREY = np.array([0.299, 0.587, 0.114], np.float32)
_BLUE, _RED = 0.564, 0.713  # JPEG's Cb and Cr of differences from grey


@dataclass(frozen=True, slots=True)
class Small:
    """Squashes an image into a small square; a preprocessing, for the pipeline's decoders."""

    size: ClassVar[int] = SIDE
    shorter: ClassVar[int] = 2 * SIDE  # copies decoded to fewer pixels have the same edges

    def __call__(self, rgb: RGB | Image.Image) -> Floats:
        """Make the square, (size, size, 4): grey over black, opacity, blue and red less grey."""
        image = rgb if isinstance(rgb, Image.Image) else Image.fromarray(rgb)
        if image.mode == "RGBA":
            image = image.convert("RGBa")  # what is transparent has no colour
        filter_, gap = Image.Resampling.BILINEAR, 2  # the gap makes it several times as fast
        values = np.asarray(image.resize((SIDE, SIDE), filter_, reducing_gap=gap), np.float32)
        grey = values[..., :3] @ _GREY
        opacity = _smooth(values[..., 3]) if image.mode == "RGBa" else np.full_like(grey, 255)
        blue, red = _BLUE * (values[..., 2] - grey), _RED * (values[..., 0] - grey)
        return np.stack([_smooth(grey), opacity, blue, red], axis=2)

    def __str__(self) -> str:
        return f"squashed to {SIDE} x {SIDE}"


class Pictures:
    """The small copies of a table's images.

    They take 15 KB an image, in memory or, of a large table, in a file that has no name.

    Args:
        features: An open table.

    Attributes:
        unread: Images that were to be compared, but gave no picture or have changed.
    """

    def __init__(self, features: "TableReader") -> None:
        from penult.util.machine import cores  # not above: decoder processes import this module

        count = len(features)
        self._greys = scratch((count, 2, SIDE, SIDE), np.uint8)  # over black; opacity
        self._colours = scratch((count, 2, COLOUR_SIDE, COLOUR_SIDE), np.int8)
        self._wholes, self._parts = (
            scratch((count, 2, side, side), np.float32) for side in (WHOLE, PART)
        )
        self._sketches = scratch((count, 2, SKETCH), np.float32)
        self._shades = np.zeros(count, np.float32)
        self._known = np.full(count, _NOT_YET, np.int8)
        self._reader = Reader(features, Small(), "fast", transparent=True)
        self._threads = ThreadPoolExecutor(cores())

    @property
    def unread(self) -> int:
        """How many were to be compared and couldn't."""
        return int((self._known == _NONE).sum())

    def compare(self, some: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.int8]:
        """Whether images are of the SAME picture as others, by place, DIFFERENT or UNREAD."""
        self._read(np.union1d(some, others))
        found = np.full(len(some), UNREAD, np.int8)
        there = (self._known[some] != _NONE) & (self._known[others] != _NONE)
        transparent = (self._known[some] == _TRANSPARENT) | (self._known[others] == _TRANSPARENT)
        pieces = [
            (pairs[start : start + PAIRS], grounds)
            for grounds, seen in ((1, there & ~transparent), (2, there & transparent))
            for pairs in [np.flatnonzero(seen)]
            for start in range(0, len(pairs), PAIRS)
        ]

        def compared(piece: tuple[NDArray[np.int64], int]) -> None:
            pairs, grounds = piece
            same = self._same(some[pairs], others[pairs], grounds)
            found[pairs] = np.where(same, SAME, DIFFERENT)

        list(self._threads.map(compared, pieces))
        return found

    def _same(
        self, some: NDArray[np.int64], others: NDArray[np.int64], grounds: int
    ) -> NDArray[np.bool]:
        shaded = np.minimum(self._shades[some], self._shades[others])
        looks = first_look(self._coarse(some, grounds), self._coarse(others, grounds), shaded)
        likely = np.flatnonzero(looks.likely)
        one, other = (self._copies(places[likely], grounds) for places in (some, others))
        same = np.zeros(len(some), bool)
        same[likely] = agree(one, other, looks.select(likely))
        return same

    def seen(self, places: NDArray[np.int64]) -> NDArray[np.bool]:
        """Which images can be read."""
        self._read(places)
        return np.asarray(self._known[places] != _NONE)

    def likeness(self, some: NDArray[np.int64], others: NDArray[np.int64]) -> Floats:
        """How alike sketches of images are by place, 1 at best: (some, others).

        Of each there is one of the whole and one of the middle, so that what is cut off all round
        makes little difference. Of what can't be read they are zeros.
        """
        self._read(np.union1d(some, others))
        (whole, middle), (other_whole, other_middle) = (
            self._sketches[places].transpose(1, 0, 2) for places in (some, others)
        )
        found = whole @ other_whole.T
        np.maximum(found, whole @ other_middle.T, out=found)
        return np.asarray(np.maximum(found, middle @ other_whole.T))

    def close(self) -> None:
        """End the processes and threads."""
        self._reader.close()
        self._threads.shutdown()

    def _read(self, places: NDArray[np.int64]) -> None:
        needed = places[self._known[places] == _NOT_YET]
        self._known[needed] = _NONE
        squares = ((place, square.copy()) for place, square in self._reader.read(needed))
        while read := list(islice(squares, AHEAD)):
            self._keep(np.array([place for place, _ in read]), np.stack([each for _, each in read]))

    def _keep(self, places: NDArray[np.int64], squares: Floats) -> None:
        """Keep what `Small` made of images, (images, SIDE, SIDE, 4)."""
        step = SIDE // COLOUR_SIDE
        colours = squares[..., 2:].reshape(-1, COLOUR_SIDE, step, COLOUR_SIDE, step, 2)
        means = np.rint(colours.mean(axis=(2, 4))).transpose(0, 3, 1, 2)
        self._colours[places] = np.clip(means, -127, 127)
        greys = np.rint(squares[..., :2]).transpose(0, 3, 1, 2)
        self._greys[places] = greys
        self._wholes[places], self._parts[places] = Coarse.of(greys)
        opaque = greys[:, 1].min(axis=(1, 2)) == 255
        self._known[places] = np.where(opaque, _OPAQUE, _TRANSPARENT)
        seen = over_grounds(greys, 2)
        self._shades[places] = shades(seen)
        self._sketches[places] = sketches(seen.mean(axis=1, keepdims=True))

    def _coarse(self, places: NDArray[np.int64], grounds: int) -> Coarse:
        parts = (over_grounds(part[places], grounds) for part in (self._wholes, self._parts))
        return Coarse(*parts)

    def _copies(self, places: NDArray[np.int64], grounds: int) -> Copies:
        greys = over_grounds(self._greys[places], grounds)
        return Copies(greys, self._colours[places].astype(np.float32), self._shades[places])


def sketches(greys: Floats) -> Floats:
    """What is neither rows nor columns in pictures, (images, 1, SIDE, SIDE): whole and middle.

    Lines of text, margins and bars are in many pictures of a kind; what differs along both ways is
    each one's own. Returned are vectors of length 1, or zeros: (images, 2, SKETCH).
    """
    middles = greys[..., _CUT : SIDE - _CUT, _CUT : SIDE - _CUT]
    both = np.concatenate([reduce(part, _SKETCHED) for part in (greys, middles)], axis=1)
    values = np.diff(np.diff(both, axis=2), axis=3).reshape(-1, 2, SKETCH)
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=2, keepdims=True), 1e-3))


def over_grounds(greys: NDArray[np.uint8] | Floats, grounds: int) -> Floats:
    """What is seen of pictures over black and, of two grounds, white; (images, grounds, …).

    Args:
        greys: What is seen over black, and opacity: (images, 2, side, side).
        grounds: 1 or 2.
    """
    black = greys[:, :1].astype(np.float32)
    return black if grounds == 1 else np.concatenate([black, black + (255 - greys[:, 1:])], axis=1)


def _smooth(grey: Floats) -> Floats:
    """Less fine: then a fraction of a pixel in their place changes edges less."""
    padded = np.pad(grey, 1, mode="edge")
    rows = (padded[2:] + padded[:-2] + 2 * padded[1:-1]) / 4
    return np.asarray((rows[:, 2:] + rows[:, :-2] + 2 * rows[:, 1:-1]) / 4, np.float32)
