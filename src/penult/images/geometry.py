"""Which pixels of an image a network sees, and how they become its input, mostly a square.

Each geometry is a value of plain numbers. Called with an image and a divisor it returns the input
as float32 levels, (height, width, 3), divided: TensorFlow 1's kernel works on divided levels, as
its programs convert before they resize; Pillow's kernels work on 8-bit levels, divided after.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from penult.images.bilinear import RGB, resize, taps

Floats = NDArray[np.float32]
Kernel = Literal["tf1_bilinear", "bilinear", "bicubic"]  # the latter two are Pillow's
Rounding = Literal["down", "nearest"]  # nearest: a half goes to the even neighbour

_RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
_LONG = 16  # times the width: of longer images only the middle is resized


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
        columns, rows = self._square(*_extent(rgb))
        return _resize(rgb, columns, rows, (self.size, self.size), self.kernel, divisor)

    def _square(self, width: int, height: int) -> tuple[range, range]:
        """Columns and rows of the central square."""
        side = max(1, int(self.size / (self.size + self.margin) * min(width, height)))
        left, top = (width - side + 1) // 2, (height - side + 1) // 2
        return range(left, left + side), range(top, top + side)

    def __str__(self) -> str:
        kernel = self.kernel if self.kernel in _RESAMPLING else _kernel_name(self.kernel)
        return f"central {self.size}/{self.size + self.margin} square, {kernel} to {self.size}"


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
        columns, rows = map(self._middle, _extent(rgb))
        return _resize(rgb, columns, rows, (self.size, self.size), self.kernel, divisor)

    def _middle(self, side: int) -> range:
        edge = int((side - side * self.fraction) / 2)
        return range(edge, side - edge)

    def __str__(self) -> str:
        whole = f"{_kernel_name(self.kernel)} to {self.size} x {self.size}"
        if self.fraction == 1:
            return whole
        over, under = self.fraction.as_integer_ratio()
        ratio = f"{over}/{under}" if under <= 64 else f"{self.fraction}"
        return f"central {ratio} of each side, {whole}"


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
        extent = _extent(rgb)
        narrow = min(extent)
        width, height = resized = [self._length(side, narrow) for side in extent]
        left, top = map(self._first, resized)
        if self.kernel == "tf1_bilinear":
            columns = taps(range(extent[0]), width, range(left, left + self.size))
            rows = taps(range(extent[1]), height, range(top, top + self.size))
            return resize(rgb, rows, columns, 1 / divisor)
        return _levels(self._cut(_image(rgb), width, height, left, top), divisor)

    def _length(self, side: int, narrow: int) -> int:
        if self.longer == "down":
            return self.shorter * side // narrow
        scale = np.float32(self.shorter) / np.float32(narrow)
        return int(np.rint(np.float32(side) * scale))

    def _first(self, length: int) -> int:
        spare = length - self.size
        return spare // 2 if self.corner == "down" else round(spare / 2)

    def _cut(self, image: Image.Image, width: int, height: int, left: int, top: int) -> Image.Image:
        right, bottom, kernel = left + self.size, top + self.size, _RESAMPLING[self.kernel]
        if max(image.size) <= _LONG * min(image.size):
            return image.resize((width, height), kernel).crop((left, top, right, bottom))
        # off by one level here and there, where a kernel ends at another pixel
        x, y = image.width / width, image.height / height
        return image.resize(
            (self.size, self.size), kernel, (left * x, top * y, right * x, bottom * y)
        )

    def __str__(self) -> str:
        return (
            f"{_kernel_name(self.kernel)} to shorter side {self.shorter},"
            f" central {self.size} x {self.size}"
        )


@dataclass(frozen=True, slots=True)
class CropOrPad:
    """The centre as it is, padded with black: `tf.image.resize_image_with_crop_or_pad`.

    An odd row or column goes to the right or the bottom.
    """

    size: int
    shorter: ClassVar[None] = None  # it is never resized

    def __call__(self, rgb: RGB, divisor: float) -> Floats:
        """Make the square."""
        image = _image(rgb)
        # towards 0; negative when padding
        left, top = (int((side - self.size) / 2) for side in image.size)
        return _levels(image.crop((left, top, left + self.size, top + self.size)), divisor)

    def __str__(self) -> str:
        return f"central {self.size} x {self.size} padded with 0"


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
        columns, rows = map(range, _extent(rgb))
        return _resize(rgb, columns, rows, (self.height, self.width), self.kernel, divisor)

    def __str__(self) -> str:
        return f"{_kernel_name(self.kernel)} to height {self.height}, width {self.width}"


Geometry = CentralSquare | Squash | ShorterSide | CropOrPad | Stretch


def _resize(
    rgb: RGB,
    columns: range,
    rows: range,
    sides: tuple[int, int],
    kernel: Kernel,
    divisor: float,
) -> Floats:
    """Resize a part of an image to (height, width); the kernel sees no pixel outside the part."""
    height, width = sides
    if kernel == "tf1_bilinear":
        across, down = taps(columns, width, range(width)), taps(rows, height, range(height))
        return resize(rgb, down, across, 1 / divisor)
    if isinstance(rgb, Image.Image):
        box = columns.start, rows.start, columns.stop, rows.stop
        part = rgb if box == (0, 0, *rgb.size) else rgb.crop(box)
    else:
        part = Image.fromarray(rgb[rows.start : rows.stop, columns.start : columns.stop])
    return _levels(part.resize((width, height), _RESAMPLING[kernel]), divisor)


def _levels(image: Image.Image, divisor: float) -> Floats:
    x: Floats = np.array(image, np.float32)
    if divisor != 1:
        x /= divisor
    return x


def _extent(rgb: RGB) -> tuple[int, int]:
    """Width and height."""
    if isinstance(rgb, Image.Image):
        return rgb.size
    height, width, _ = rgb.shape
    return width, height


def _image(rgb: RGB) -> Image.Image:
    return rgb if isinstance(rgb, Image.Image) else Image.fromarray(rgb)


def _kernel_name(kernel: Kernel) -> str:
    return f"Pillow {kernel}" if kernel in _RESAMPLING else "TF1 bilinear"
