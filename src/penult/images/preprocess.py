"""What a network expects of its input, to the pixel, as values that can be compared and printed.

A `Transform` holds every number. The functions in `PREPROCESSING` make one for a size, by the names
that `--preprocess` takes; `preprocess_text` reads what a transform prints, and `preprocess_files`
the files in which other libraries keep theirs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Protocol

import numpy as np

from penult.errors import UsageError
from penult.images.bilinear import RGB
from penult.images.geometry import (
    CentralSquare,
    CropOrPad,
    Geometry,
    ShorterSide,
    Squash,
    Stretch,
)
from penult.images.resampling import Floats, Kernel

Level = float | tuple[float, float, float]  # of all channels, or of each of three
Order = Literal["rgb", "bgr"]

VGG_MEAN = (123.68, 116.78, 103.94)  # of ImageNet
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


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

    def __call__(self, rgb: RGB) -> Floats:
        """Make the input, (size, size, channels)."""
        ...

    def __str__(self) -> str: ...

    def __hash__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Scaled:
    """(x / divisor - mean) / std, of levels from 0 to 255 with the channels in some order."""

    divisor: float = 1
    mean: Level = 0
    std: Level = 1
    order: Order = "rgb"  # in which the network gets them, and in which mean and std are
    channels: ClassVar[int] = 3

    def __call__(self, x: Floats) -> Floats:
        """Normalise levels that are divided already, in place."""
        if self.order == "bgr":
            x = x[:, :, ::-1]
        if self.mean != 0:
            x -= np.array(self.mean, np.float32)
        if self.std != 1:
            x /= np.array(self.std, np.float32)
        return x

    def __str__(self) -> str:
        order = "bgr, " if self.order == "bgr" else ""
        return f"{order}{_numbers(self.divisor, self.mean, self.std)}"


@dataclass(frozen=True, slots=True)
class Grey:
    """(x - mean) / std, where x is `tf.image.rgb_to_grayscale` of 8-bit levels: one channel."""

    mean: float
    std: float
    divisor: ClassVar[float] = 1
    channels: ClassVar[int] = 1

    def __call__(self, x: Floats) -> Floats:
        """Make one channel of three, and normalise it."""
        return Scaled(1, self.mean, self.std)(_grey(x))

    def __str__(self) -> str:
        return f"grey, {_numbers(1, self.mean, self.std)}"


@dataclass(frozen=True, slots=True)
class PerImage:
    """`tf.image.per_image_standardization`: by the image's own mean and deviation."""

    divisor: ClassVar[float] = 1
    channels: ClassVar[int] = 3

    def __call__(self, x: Floats) -> Floats:
        """Normalise all levels of an image together."""
        deviation = max(x.std(dtype=np.float64), x.size**-0.5)  # of a plain image it is 0
        return (x - np.float32(x.mean(dtype=np.float64))) / np.float32(deviation)

    def __str__(self) -> str:
        return "standardise"


Normalisation = Scaled | Grey | PerImage


@dataclass(frozen=True, slots=True)
class Transform:
    """A preprocessing written out: which pixels, then which numbers are made of them."""

    geometry: Geometry
    normalisation: Normalisation

    @property
    def size(self) -> int:
        """Height of the input, and width if it is a square."""
        return self.geometry.size

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of the input."""
        made = self.geometry
        return (made.height, made.width) if isinstance(made, Stretch) else (made.size, made.size)

    @property
    def shorter(self) -> int | None:
        """The shorter side of a whole image when it is resized; None if it never is."""
        return self.geometry.shorter

    def __call__(self, rgb: RGB) -> Floats:
        """Make the input, (height, width, channels)."""
        return self.normalisation(self.geometry(rgb, self.normalisation.divisor))

    def __str__(self) -> str:
        return f"{self.geometry}, {self.normalisation}"


IMAGENET = Scaled(255, IMAGENET_MEAN, IMAGENET_STD)
CLIP = Scaled(255, (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
HALF = Scaled(255, 0.5, 0.5)


def shorter_side(size: int, share: float, kernel: Kernel, normalisation: Scaled) -> Transform:
    """The centre of the image, that share of its shorter side, as timm and torchvision cut it."""
    shorter = int(size / share)
    geometry = ShorterSide(size, shorter, kernel, longer="down", corner="nearest")
    return Transform(geometry, normalisation)


def squashed(size: int, kernel: Kernel, normalisation: Scaled) -> Transform:
    """All of the image, its sides' ratio lost."""
    return Transform(Squash(size, kernel), normalisation)


def efficientnet(size: int) -> Transform:
    """EfficientNet-Lite's, with Pillow's bicubic kernel, antialiased and on 8-bit pixels.

    >>> print(efficientnet(224))
    square 224/256 bicubic, scale 1, mean 127, std 128
    """
    return Transform(CentralSquare(size, 32, "bicubic"), Scaled(1, 127, 128))


def inception(size: int) -> Transform:
    """TF-Slim's for the Inception, MobileNet and NASNet families and ResNet v2, as evaluated.

    >>> print(inception(299))
    central 7/8, squash 299 tf1_bilinear, scale 1/255, mean 0.5, std 0.5
    """
    return Transform(Squash(size, "tf1_bilinear", 7 / 8), Scaled(255, 0.5, 0.5))


def vgg(size: int) -> Transform:
    """TF-Slim's for VGG, ResNet v1, AlexNet and OverFeat, as evaluated.

    TF-Slim refuses inputs of more than 256 pixels; here the shorter side becomes the input's.

    >>> print(vgg(224))
    resize 256 tf1_bilinear rounded, crop 224 floor, scale 1, mean 123.68 116.78 103.94
    """
    shorter = max(256, size)
    return Transform(
        ShorterSide(size, shorter, "tf1_bilinear", longer="nearest", corner="down"),
        Scaled(1, VGG_MEAN),
    )


def lenet(size: int) -> Transform:
    """TF-Slim's for LeNet: grey, cropped or padded with black, never resized.

    >>> print(lenet(28))
    pad 28, grey, scale 1, mean 128, std 128
    """
    return Transform(CropOrPad(size), Grey(128, 128))


def cifarnet(size: int) -> Transform:
    """TF-Slim's for CifarNet: cropped or padded with black, never resized.

    >>> print(cifarnet(32))
    pad 32, standardise
    """
    return Transform(CropOrPad(size), PerImage())


def torchvision(
    size: int, *, crop: int = 224, shorter: int = 256, kernel: Kernel = "bilinear"
) -> Transform:
    """That of torchvision's classifiers, and of most ONNX files exported from PyTorch.

    As `torchvision.transforms._presets.ImageClassification` on Pillow images, by default with its
    own numbers. For other sizes than `crop` the shorter side grows along, rounded: 342 for 299.

    >>> print(torchvision(224))
    resize 256 bilinear, crop 224, scale 1/255, mean 0.485 0.456 0.406, std 0.229 0.224 0.225
    """
    resized = round(size * shorter / crop)
    return Transform(
        ShorterSide(size, resized, kernel, longer="down", corner="nearest"),
        IMAGENET,
    )


def raw(size: int) -> Transform:
    """Plain pixels of the squashed image, as scripts that skip normalisation feed them.

    >>> print(raw(224))
    squash 224 bilinear, scale 1
    """
    return Transform(Squash(size, "bilinear"), Scaled())


PREPROCESSING: Mapping[str, Callable[[int], Transform]] = {  # by size of the input
    "efficientnet": efficientnet,
    "inception": inception,
    "vgg": vgg,
    "lenet": lenet,
    "cifarnet": cifarnet,
    "torchvision": torchvision,
    "raw": raw,
}


def named(name: str, sides: tuple[int, int]) -> Transform:
    """Make the preprocessing of a name for an input of (height, width).

    If that is no square, the whole image is resized to it: what is cut off of squares isn't known
    to be right there. Numbers and kernel are those of the name.

    >>> print(named("torchvision", (256, 128)))
    squash 256x128 bilinear, scale 1/255, mean 0.485 0.456 0.406, std 0.229 0.224 0.225

    Raises:
        UsageError: It never resizes, so it makes squares only.
    """
    height, width = sides
    made = PREPROCESSING[name](height)
    if height == width:
        return made
    if isinstance(made.geometry, CropOrPad):
        raise UsageError(f"preprocessing {name} makes squares only, not {height}×{width}")
    return replace(made, geometry=Stretch(height, width, made.geometry.kernel))


def name_of(transform: Transform) -> str | None:
    """Return the name by which `--preprocess` makes this very value; None if there is none."""
    making = (name for name, make in PREPROCESSING.items() if make(transform.size) == transform)
    return next(making, None)


def _grey(rgb: Floats) -> Floats:
    """`tf.image.rgb_to_grayscale`: from 0 to 1 and back, rounded down after * 255.5."""
    weighted = rgb * np.float32(1 / 255) * np.array([0.2989, 0.5870, 0.1140], np.float32)
    grey: Floats = weighted[:, :, :1] + weighted[:, :, 1:2] + weighted[:, :, 2:]
    grey *= np.float32(255.5)
    return np.floor(grey, out=grey)


def _numbers(divisor: float, mean: Level, std: Level) -> str:
    """Say them as `--preprocess` takes them."""
    said = ["scale 1" if divisor == 1 else f"scale 1/{_shown(divisor)}"]
    said += [f"mean {_shown(mean)}"] if mean != 0 else []
    said += [f"std {_shown(std)}"] if std != 1 else []
    return ", ".join(said)


def _shown(level: Level) -> str:
    """Numbers as they were written."""
    numbers = level if isinstance(level, tuple) else (level,)
    return " ".join(repr(each).removesuffix(".0") for each in numbers)
