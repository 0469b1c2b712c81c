"""Which pixels of an image a network sees, and how they become its input, mostly a square.

Each geometry is a value of plain numbers. Called with an image and a divisor it returns the input
as float32 levels, (height, width, 3), divided. Its text is what `--preprocess` takes for it.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from penult.images.bilinear import RGB
from penult.images.resampling import Area, Floats, Kernel, cut, extent, levels, resample, whole

Rounding = Literal["down", "nearest"]  # nearest: a half goes to the even neighbour
Colour = tuple[int, int, int]  # red, green, blue, from 0 to 255


@dataclass(frozen=True, slots=True)
class CentralSquare:
    """The central square of size/(size + margin) of the shorter side, resized.

    The square is that of tensorflow/tpu's EfficientNet. It is cut out before it is resized, so the
    kernel sees nothing outside it.
    """

    size: int
    margin: int
    kernel: Kernel

    @property
    def shorter(self) -> int:
        """The whole image's shorter side, if it were resized like the square."""
        return self.size + self.margin

    def __call__(self, rgb: RGB, divisor: float) -> Floats:
        """Make the square."""
        square, out = self._square(*extent(rgb)), whole(self.size, self.size)
        return resample(rgb, square, (self.size, self.size), out, self.kernel, divisor)

    def _square(self, width: int, height: int) -> Area:
        side = max(1, int(self.size / (self.size + self.margin) * min(width, height)))
        left, top = (width - side + 1) // 2, (height - side + 1) // 2
        return Area(range(left, left + side), range(top, top + side))

    def __str__(self) -> str:
        return f"square {self.size}/{self.size + self.margin} {self.kernel}"


@dataclass(frozen=True, slots=True)
class Squash:
    """The central `fraction` of each side, cut out as by `tf.image.central_crop`, and resized.

    The ratio of the sides is lost; with a fraction of 1 all of the image is seen.
    """

    size: int
    kernel: Kernel
    fraction: float = 1

    @property
    def shorter(self) -> int:
        """The whole image's shorter side, if it were resized like its middle."""
        return int(-(-self.size // self.fraction))

    def __call__(self, rgb: RGB, divisor: float) -> Floats:
        """Make the square."""
        middle, out = Area(*map(self._middle, extent(rgb))), whole(self.size, self.size)
        return resample(rgb, middle, (self.size, self.size), out, self.kernel, divisor)

    def _middle(self, side: int) -> range:
        edge = int((side - side * self.fraction) / 2)
        return range(edge, side - edge)

    def __str__(self) -> str:
        squash = f"squash {self.size} {self.kernel}"
        if self.fraction == 1:
            return squash
        over, under = self.fraction.as_integer_ratio()
        ratio = f"{over}/{under}" if under <= 64 else f"{self.fraction}"
        return f"central {ratio}, {squash}"


@dataclass(frozen=True, slots=True)
class SquashAndCrop:
    """The image resized to a square of `side`, then the central square of that.

    So timm's `crop_mode` `squash` with a `crop_pct` below 1, and transformers' DeiT.
    """

    size: int
    side: int
    kernel: Kernel
    corner: Rounding

    @property
    def shorter(self) -> int:
        """The whole image's shorter side when it is resized."""
        return self.side

    def __call__(self, rgb: RGB, divisor: float) -> Floats:
        """Make the square."""
        middle = _central(self.side, self.size, self.corner)
        resized, out = (self.side, self.side), Area(middle, middle)
        return resample(rgb, whole(*extent(rgb)), resized, out, self.kernel, divisor)

    def __str__(self) -> str:
        return f"squash {self.side} {self.kernel}, {_crop(self.size, self.corner)}"


@dataclass(frozen=True, slots=True)
class ShorterSide:
    """The image resized to a shorter side of `shorter`, then the central square of it.

    Programs differ in how they round the length of the longer side, and the place of the square's
    left upper corner.
    """

    size: int
    shorter: int
    kernel: Kernel
    longer: Rounding
    corner: Rounding

    def __call__(self, rgb: RGB, divisor: float) -> Floats:
        """Make the square."""
        sides = extent(rgb)
        width, height = (self._length(side, min(sides)) for side in sides)
        out = Area(*(_central(each, self.size, self.corner) for each in (width, height)))
        return resample(rgb, whole(*sides), (width, height), out, self.kernel, divisor)

    def _length(self, side: int, narrow: int) -> int:
        if self.longer == "down":
            return self.shorter * side // narrow
        scale = np.float32(self.shorter) / np.float32(narrow)
        return int(np.rint(np.float32(side) * scale))

    def __str__(self) -> str:
        rounded = " rounded" if self.longer == "nearest" else ""
        return f"resize {self.shorter} {self.kernel}{rounded}, {_crop(self.size, self.corner)}"


@dataclass(frozen=True, slots=True)
class LongerSide:
    """The image resized to a longer side of `longer`, then its centre, padded with a colour.

    So open_clip's `resize_mode` `longest` and timm's `crop_mode` `border`. An odd row or column of
    the border goes to the right or the bottom.
    """

    size: int
    longer: int
    kernel: Kernel
    fill: Colour

    @property
    def shorter(self) -> int:
        """What a whole image's shorter side may become, at most."""
        return self.longer

    def __call__(self, rgb: RGB, divisor: float) -> Floats:
        """Make the square."""
        sides = extent(rgb)
        ratio = max(sides) / self.longer
        width, height = resized = [max(1, round(side / ratio)) for side in sides]
        seen = Area(*(_central(side, min(side, self.size), "nearest") for side in resized))
        made = resample(rgb, whole(*sides), (width, height), seen, self.kernel, divisor)
        square = np.tile(levels(np.array(self.fill), divisor), (self.size, self.size, 1))
        rows, columns, _ = made.shape
        top, left = (self.size - rows) // 2, (self.size - columns) // 2
        square[top : top + rows, left : left + columns] = made
        return square

    def __str__(self) -> str:
        fill = "" if self.fill == (0, 0, 0) else f" {' '.join(map(str, self.fill))}"
        return f"fit {self.longer} {self.kernel}, pad {self.size}{fill}"


@dataclass(frozen=True, slots=True)
class CropOrPad:
    """The centre as it is, padded with black: `tf.image.resize_image_with_crop_or_pad`.

    Of an odd border TensorFlow and torchvision put the larger half after the image, transformers'
    older backend before it.
    """

    size: int
    odd: Literal["after", "before"] = "after"
    shorter: ClassVar[None] = None  # it is never resized

    def __call__(self, rgb: RGB, divisor: float) -> Floats:
        """Make the square."""
        width, height = extent(rgb)
        image = cut(rgb, whole(width, height))
        left, top = map(self._first, (width, height))
        part = Area(range(left, left + self.size), range(top, top + self.size))
        return levels(cut(image, part), divisor)

    def _first(self, side: int) -> int:
        """Return the square's edge, negative when padding."""
        spare = side - self.size
        return spare // 2 if self.odd == "before" else int(spare / 2)

    def __str__(self) -> str:
        return f"pad {self.size}{' before' if self.odd == 'before' else ''}"


@dataclass(frozen=True, slots=True)
class Stretch:
    """The whole image, resized to what a network takes whose input is no square."""

    height: int
    width: int
    kernel: Kernel

    @property
    def size(self) -> int:
        """The height."""
        return self.height

    @property
    def shorter(self) -> int:
        """The whole image's shorter side at most, whichever it is."""
        return max(self.height, self.width)

    def __call__(self, rgb: RGB, divisor: float) -> Floats:
        """Make the rectangle, (height, width, 3)."""
        resized = self.width, self.height
        return resample(rgb, whole(*extent(rgb)), resized, whole(*resized), self.kernel, divisor)

    def __str__(self) -> str:
        return f"squash {self.height}x{self.width} {self.kernel}"


Geometry = CentralSquare | Squash | SquashAndCrop | ShorterSide | LongerSide | CropOrPad | Stretch


def _central(length: int, size: int, corner: Rounding) -> range:
    spare = length - size
    first = spare // 2 if corner == "down" else round(spare / 2)
    return range(first, first + size)


def _crop(size: int, corner: Rounding) -> str:
    return f"crop {size}{' floor' if corner == 'down' else ''}"
