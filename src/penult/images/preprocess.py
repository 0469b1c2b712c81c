"""What a network expects of its input, to the pixel, as values that can be compared and printed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RGB: TypeAlias = Image.Image | NDArray[np.uint8]  # of mode RGB; (height, width, 3)


class Preprocessing(Protocol):
    """Upright RGB to a network's input; its text, one line, is stored with the features."""

    @property
    def size(self) -> int:
        """Height and width of the input."""
        ...

    def __call__(self, rgb: RGB) -> NDArray[np.float32]:
        """Make the input, (size, size, 3)."""
        ...

    def __str__(self) -> str: ...


@dataclass(frozen=True, slots=True)
class CentreBicubic:
    """EfficientNet-Lite's: the central square of size/(size + margin), bicubic, (x - mean) / scale.

    The square is that of tensorflow/tpu's EfficientNet. The kernel is Pillow's, antialiased and on
    8-bit pixels; it sees nothing outside the square, which is cut out before it is resized.

    >>> print(CentreBicubic(224))
    central 224/256 square, bicubic to 224, (x - 127) / 128
    """

    size: int
    margin: int = 32
    mean: float = 127
    scale: float = 128

    def __call__(self, rgb: RGB) -> NDArray[np.float32]:
        """Make the input, (size, size, 3)."""
        square = self._square(rgb).resize((self.size, self.size), Image.Resampling.BICUBIC)
        return (np.asarray(square, np.float32) - self.mean) / self.scale

    def _square(self, rgb: RGB) -> Image.Image:
        width, height = rgb.size if isinstance(rgb, Image.Image) else rgb.shape[1::-1]
        side = max(1, int(self.size / (self.size + self.margin) * min(width, height)))
        left, top = (width - side + 1) // 2, (height - side + 1) // 2
        if isinstance(rgb, Image.Image):
            return rgb.crop((left, top, left + side, top + side))
        return Image.fromarray(rgb[top : top + side, left : left + side])

    def __str__(self) -> str:
        return (
            f"central {self.size}/{self.size + self.margin} square, bicubic to {self.size},"
            f" (x - {self.mean:g}) / {self.scale:g}"
        )


PREPROCESSING: Mapping[str, Callable[[int], Preprocessing]] = {  # by size of the input
    "efficientnet": CentreBicubic,
}
