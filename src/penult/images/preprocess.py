"""What a network expects of its input, to the pixel, as values that can be compared and printed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from penult.images.bilinear import RGB, Taps, resize, taps

_VGG_MEAN = (123.68, 116.78, 103.94)  # of ImageNet's red, green and blue
_TORCHVISION_MEAN, _TORCHVISION_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Preprocessing(Protocol):
    """Upright RGB to a network's input; its text, one line, is stored with the features."""

    @property
    def size(self) -> int:
        """Height and width of the input."""
        ...

    @property
    def shorter(self) -> int | None:
        """The shorter side of a whole image when it is resized; None if it never is."""
        ...

    def __call__(self, rgb: RGB) -> NDArray[np.float32]:
        """Make the input, (size, size, channels)."""
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

    @property
    def shorter(self) -> int:
        """The whole image's shorter side, if it were resized like the square."""
        return self.size + self.margin

    def __call__(self, rgb: RGB) -> NDArray[np.float32]:
        """Make the input, (size, size, 3)."""
        square = self._square(rgb).resize((self.size, self.size), Image.Resampling.BICUBIC)
        x: NDArray[np.float32] = np.array(square, np.float32)
        x -= self.mean
        x /= self.scale
        return x

    def _square(self, rgb: RGB) -> Image.Image:
        width, height = _extent(rgb)
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


@dataclass(frozen=True, slots=True)
class Inception:
    """TF-Slim's for the Inception, MobileNet and NASNet families and ResNet v2, as evaluated.

    `tf.image.central_crop(0.875)` takes a 16th, rounded down, off each edge; the rest is squashed.

    >>> print(Inception(299))
    central 7/8 of each side, TF1 bilinear to 299 x 299, (x / 255 - 0.5) * 2
    """

    size: int

    @property
    def shorter(self) -> int:
        """The whole image's shorter side, if it were resized like its middle."""
        return -(-self.size * 8 // 7)

    def __call__(self, rgb: RGB) -> NDArray[np.float32]:
        """Make the input, (size, size, 3)."""
        columns, rows = (
            taps(range(side // 16, side - side // 16), self.size, range(self.size))
            for side in _extent(rgb)
        )
        return (resize(rgb, rows, columns, 1 / 255) - np.float32(0.5)) * np.float32(2)

    def __str__(self) -> str:
        return (
            f"central 7/8 of each side, TF1 bilinear to {self.size} x {self.size},"
            " (x / 255 - 0.5) * 2"
        )


@dataclass(frozen=True, slots=True)
class VGG:
    """TF-Slim's for VGG, ResNet v1, AlexNet and OverFeat, as evaluated.

    TF-Slim refuses inputs of more than 256 pixels; here the shorter side becomes the input's.

    >>> print(VGG(224))
    TF1 bilinear to shorter side 256, central 224 x 224, x - (123.68, 116.78, 103.94)
    """

    size: int

    @property
    def shorter(self) -> int:
        """The image's shorter side when resized."""
        return max(256, self.size)

    def __call__(self, rgb: RGB) -> NDArray[np.float32]:
        """Make the input, (size, size, 3)."""
        width, height = _extent(rgb)
        scale = np.float32(self.shorter) / np.float32(min(width, height))
        columns, rows = (self._central(side, scale) for side in (width, height))
        return resize(rgb, rows, columns) - np.array(_VGG_MEAN, np.float32)

    def _central(self, side: int, scale: np.float32) -> Taps:
        resized = int(np.rint(np.float32(side) * scale))
        first = (resized - self.size) // 2
        return taps(range(side), resized, range(first, first + self.size))

    def __str__(self) -> str:
        return (
            f"TF1 bilinear to shorter side {self.shorter}, central {self.size} x {self.size},"
            f" x - {_VGG_MEAN}"
        )


@dataclass(frozen=True, slots=True)
class LeNet:
    """TF-Slim's for LeNet: grey, cropped or padded with black, never resized.

    >>> print(LeNet(28))
    grey, central 28 x 28 padded with 0, (x - 128) / 128
    """

    size: int
    shorter: ClassVar[None] = None

    def __call__(self, rgb: RGB) -> NDArray[np.float32]:
        """Make the input, (size, size, 1)."""
        return (_grey(_crop_or_pad(rgb, self.size)) - np.float32(128)) / np.float32(128)

    def __str__(self) -> str:
        return f"grey, central {self.size} x {self.size} padded with 0, (x - 128) / 128"


@dataclass(frozen=True, slots=True)
class CifarNet:
    """TF-Slim's for CifarNet: cropped or padded with black, then `per_image_standardization`.

    >>> print(CifarNet(32))
    central 32 x 32 padded with 0, (x - mean) / max(std, 1 / sqrt(3072))
    """

    size: int
    shorter: ClassVar[None] = None

    def __call__(self, rgb: RGB) -> NDArray[np.float32]:
        """Make the input, (size, size, 3)."""
        x = _crop_or_pad(rgb, self.size)
        deviation = max(x.std(), x.size**-0.5)  # of a plain image it is 0
        return (x - np.float32(x.mean())) / np.float32(deviation)

    def __str__(self) -> str:
        return (
            f"central {self.size} x {self.size} padded with 0,"
            f" (x - mean) / max(std, 1 / sqrt({3 * self.size**2}))"
        )


@dataclass(frozen=True, slots=True)
class Torchvision:
    """That of torchvision's classifiers, and of most ONNX files exported from PyTorch.

    As `torchvision.transforms._presets.ImageClassification` with its defaults, on Pillow images:
    the kernel is Pillow's bilinear, antialiased and on 8-bit pixels. For other sizes than 224 the
    shorter side grows along, rounded: 342 for 299. Of images that are longer than 16 times their
    width only the middle is resized, which is off by one level here and there.

    >>> print(Torchvision(224))
    Pillow bilinear to shorter side 256, central 224 x 224, (x / 255 - mean) / std of ImageNet
    """

    size: int

    @property
    def shorter(self) -> int:
        """The image's shorter side when resized."""
        return round(self.size * 256 / 224)

    def __call__(self, rgb: RGB) -> NDArray[np.float32]:
        """Make the input, (size, size, 3)."""
        x: NDArray[np.float32] = np.array(self._square(_image(rgb)), np.float32)
        x /= 255
        x -= np.array(_TORCHVISION_MEAN, np.float32)
        x /= np.array(_TORCHVISION_STD, np.float32)
        return x

    def _square(self, image: Image.Image) -> Image.Image:
        narrow, wide = sorted(image.size)
        width, height = (self.shorter * side // narrow for side in image.size)
        left, top = (round((side - self.size) / 2) for side in (width, height))  # half to even
        right, bottom = left + self.size, top + self.size
        if wide <= 16 * narrow:
            resized = image.resize((width, height), Image.Resampling.BILINEAR)
            return resized.crop((left, top, right, bottom))
        x, y = image.width / width, image.height / height
        box = (left * x, top * y, right * x, bottom * y)
        return image.resize((self.size, self.size), Image.Resampling.BILINEAR, box)

    def __str__(self) -> str:
        return (
            f"Pillow bilinear to shorter side {self.shorter}, central {self.size} x {self.size},"
            " (x / 255 - mean) / std of ImageNet"
        )


@dataclass(frozen=True, slots=True)
class Raw:
    """Plain pixels of the squashed image, as scripts that skip normalisation feed them.

    >>> print(Raw(224))
    Pillow bilinear to 224 x 224, x from 0 to 255
    """

    size: int

    @property
    def shorter(self) -> int:
        """The image's shorter side when resized; so is the other."""
        return self.size

    def __call__(self, rgb: RGB) -> NDArray[np.float32]:
        """Make the input, (size, size, 3)."""
        square = _image(rgb).resize((self.size, self.size), Image.Resampling.BILINEAR)
        return np.asarray(square, np.float32)

    def __str__(self) -> str:
        return f"Pillow bilinear to {self.size} x {self.size}, x from 0 to 255"


def _extent(rgb: RGB) -> tuple[int, int]:
    """Width and height."""
    if isinstance(rgb, Image.Image):
        return rgb.size
    height, width, _ = rgb.shape
    return width, height


def _image(rgb: RGB) -> Image.Image:
    return rgb if isinstance(rgb, Image.Image) else Image.fromarray(rgb)


def _crop_or_pad(rgb: RGB, size: int) -> NDArray[np.uint8]:
    """`tf.image.resize_image_with_crop_or_pad`: about the centre, the odd row or column last."""
    image = _image(rgb)
    left, top = (int((side - size) / 2) for side in image.size)  # towards 0; negative when padding
    return np.asarray(image.crop((left, top, left + size, top + size)))


def _grey(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`tf.image.rgb_to_grayscale`: from 0 to 1 and back, rounded down after * 255.5."""
    weighted = rgb * np.float32(1 / 255) * np.array([0.2989, 0.5870, 0.1140], np.float32)
    grey: NDArray[np.float32]
    grey = weighted[:, :, :1] + weighted[:, :, 1:2] + weighted[:, :, 2:]
    return (grey * np.float32(255.5)).astype(np.uint8)


PREPROCESSING: Mapping[str, Callable[[int], Preprocessing]] = {  # by size of the input
    "efficientnet": CentreBicubic,
    "inception": Inception,
    "vgg": VGG,
    "lenet": LeNet,
    "cifarnet": CifarNet,
    "torchvision": Torchvision,
    "raw": Raw,
}
