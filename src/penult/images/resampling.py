"""Pixels of another size: the kernels of Pillow, TensorFlow 1 and torchvision, each as it rounds.

A kernel is a name. `bilinear` and its like are Pillow's, on 8-bit levels; `tf1_bilinear` is
TensorFlow 1's, on floats and without antialiasing; `torch_…` torchvision's on 8-bit tensors, and
`float_…` its kernels on floats, which aren't rounded. All but TensorFlow's and `nearest` are
antialiased.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from penult.images import antialias, bilinear
from penult.images.bilinear import RGB

Floats = NDArray[np.float32]
Kernel = Literal[
    "tf1_bilinear",
    "bilinear",
    "bicubic",
    "nearest",
    "box",
    "hamming",
    "lanczos",
    "torch_bilinear",
    "torch_bicubic",
    "float_bilinear",
    "float_bicubic",
]
PILLOW: Mapping[str, Image.Resampling] = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_TORCH: Mapping[str, tuple[Callable[..., antialias.Taps], antialias.Name]] = {
    "torch_bilinear": (antialias.fixed_taps, "bilinear"),
    "torch_bicubic": (antialias.fixed_taps, "bicubic"),
    "float_bilinear": (antialias.float_taps, "bilinear"),
    "float_bicubic": (antialias.float_taps, "bicubic"),
}
_LONG = 16  # times the width: of longer images only the middle is resized


class Area(NamedTuple):
    """Some columns and rows of an image."""

    columns: range
    rows: range

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, upper, right and lower edge, as Pillow has them."""
        return self.columns.start, self.rows.start, self.columns.stop, self.rows.stop


def whole(width: int, height: int) -> Area:
    """All of an image."""
    return Area(range(width), range(height))


def extent(rgb: RGB) -> tuple[int, int]:
    """Width and height of an image."""
    if isinstance(rgb, Image.Image):
        return rgb.size
    height, width, _ = rgb.shape
    return width, height


def resample(
    rgb: RGB, source: Area, resized: tuple[int, int], window: Area, kernel: Kernel, divisor: float
) -> Floats:
    """Cut out a part of an image, resize it, and make levels of a window of that.

    Args:
        rgb: The image.
        source: Its part; the kernel sees nothing outside it.
        resized: Width and height that the part gets.
        window: What is made of the resized part.
        kernel: How.
        divisor: What levels from 0 to 255 are divided by.

    Returns:
        (rows, columns, 3) of the window.
    """
    if kernel == "tf1_bilinear":
        across = bilinear.taps(source.columns, resized[0], window.columns)
        down = bilinear.taps(source.rows, resized[1], window.rows)
        return bilinear.resize(rgb, down, across, 1 / divisor)
    if kernel in PILLOW:
        return levels(_pillow(cut(rgb, source), resized, window, PILLOW[kernel]), divisor)
    weigh, name = _TORCH[kernel]
    columns = weigh(source.columns, resized[0], window.columns, name)
    rows = weigh(source.rows, resized[1], window.rows, name)
    return levels(antialias.resize(rgb, rows, columns), divisor)


def cut(rgb: RGB, part: Area) -> Image.Image:
    """Cut out a part; what of it lies outside a Pillow image is black."""
    if isinstance(rgb, Image.Image):
        return rgb if part.box == (0, 0, *rgb.size) else rgb.crop(part.box)
    rows, columns = part.rows, part.columns
    return Image.fromarray(rgb[rows.start : rows.stop, columns.start : columns.stop])


def levels(image: Image.Image | NDArray[Any], divisor: float) -> Floats:
    """Divide levels from 0 to 255."""
    x: Floats = np.array(image, np.float32)
    if divisor != 1:
        x /= divisor
    return x


def _pillow(
    image: Image.Image, resized: tuple[int, int], window: Area, kernel: Image.Resampling
) -> Image.Image:
    left, top, right, bottom = window.box
    if max(image.size) <= _LONG * min(image.size):
        made = image.resize(resized, kernel)
        return made if window.box == (0, 0, *resized) else made.crop(window.box)
    # off by one level here and there, where a kernel ends at another pixel
    x, y = image.width / resized[0], image.height / resized[1]
    box = left * x, top * y, right * x, bottom * y
    return image.resize((right - left, bottom - top), kernel, box)
