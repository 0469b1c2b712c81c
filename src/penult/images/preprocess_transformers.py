"""The preprocessor_config.json of transformers.

The rules are those of src/transformers/models/*/image_processing_*.py. Files are sparse, and what
is missing differs from class to class; files of before 2023 call the class a feature extractor and
say sizes as one number, which means the shorter side to some classes, and a square to others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from re import fullmatch
from typing import Any, Literal, cast, get_args

import numpy as np

from penult.errors import UsageError
from penult.images.geometry import CropOrPad, Geometry, ShorterSide, Squash, SquashAndCrop
from penult.images.preprocess import IMAGENET_MEAN, IMAGENET_STD, Scaled, Transform
from penult.images.preprocess_config import (
    CLIP_MEAN,
    CLIP_STD,
    INSTEAD,
    Config,
    Three,
    checked,
    shown,
    square_side,
)
from penult.images.preprocess_document import number, whole_number
from penult.images.preprocess_text import inverse
from penult.images.resampling import PILLOW, Kernel
from penult.util.checks import require_one_of

Backend = Literal["pillow", "torchvision"]

_HALF: Three = (0.5, 0.5, 0.5)
_SQUASHED = 384  # pixels from which ConvNext's sees all of the image
_UNSUPPORTED = ("do_pad", "do_flip_channel_order", "rescale_offset", "do_thumbnail")


@dataclass(frozen=True, slots=True)
class Processor:
    """What a class does where its file is silent."""

    size: int | Mapping[str, int]
    shorter: bool  # whether one number means the shorter side, not a square
    crop: int | None
    resample: int  # Pillow's number of a kernel
    mean: Three
    std: Three


_CLIP = Processor(224, True, 224, 3, CLIP_MEAN, CLIP_STD)
_MOBILENET = Processor(256, True, 224, 2, _HALF, _HALF)
PROCESSORS: Mapping[str, Processor] = {  # by the class's name without its ending
    "CLIP": _CLIP,
    "ChineseCLIP": _CLIP,
    "Bit": _CLIP,
    "Siglip": Processor({"height": 224, "width": 224}, True, None, 3, _HALF, _HALF),
    "ViT": Processor(224, False, None, 2, _HALF, _HALF),
    "DeiT": Processor(256, False, 224, 3, _HALF, _HALF),
    "Beit": Processor(224, False, None, 3, _HALF, _HALF),
    "DINOv3ViT": Processor(224, False, None, 2, IMAGENET_MEAN, IMAGENET_STD),
    "ConvNext": Processor(384, True, None, 3, _HALF, _HALF),
    "MobileNetV1": _MOBILENET,
    "MobileNetV2": _MOBILENET,
}


def from_transformers(
    config: Mapping[str, Any], size: int | None = None, *, backend: Backend = "pillow"
) -> Transform:
    """Read a preprocessor_config.json, parsed.

    Pillow resizes by default, as in transformers before 5. The newer default, torchvision, differs
    by up to two levels on half a percent of the values. DINOv3's class has torchvision only, and
    resizes floats.

    Args:
        config: What the file holds.
        size: The network's input, if not that of the file; what is resized to grows along, rounded
            down.
        backend: Whose arithmetic.

    >>> print(from_transformers({"feature_extractor_type": "ViTFeatureExtractor", "size": 384}))
    squash 384 bilinear, scale 1/255, mean 0.5 0.5 0.5, std 0.5 0.5 0.5

    Raises:
        UsageError: A value can't be, or asks for what isn't known; the message names its key.
    """
    require_one_of(get_args(Backend), "backend", backend)
    keys = Config("the file", config)
    name = _class(keys)
    for key in _UNSUPPORTED:
        if keys.flag(key, default=False):
            raise UsageError(f"{key} is true, which isn't supported: {INSTEAD}")
    family = "float" if name == "DINOv3ViT" else "torch" if backend == "torchvision" else ""
    kernel = _kernel(keys, PROCESSORS[name], family)
    levels = _levels(keys, PROCESSORS[name], fused=family == "torch")
    return checked(_geometry(keys, name, kernel, size), levels)


def _class(keys: Config) -> str:
    """Return the class's name without its ending, as `PROCESSORS` has it."""
    named = [k for k in ("image_processor_type", "feature_extractor_type") if keys.has(k)]
    if not named:
        raise UsageError(f"image_processor_type is missing: {INSTEAD}")
    found = keys.get(named[0], None, None)
    parts = fullmatch(r"(\w+?)(ImageProcessor|FeatureExtractor)(Fast|Pil)?", str(found))
    if not parts or parts[1] not in PROCESSORS:
        known = ", ".join(PROCESSORS)
        raise UsageError(f"{named[0]} is {shown(found)}, which isn't known ({known}): {INSTEAD}")
    return parts[1]


def _kernel(keys: Config, processor: Processor, family: str) -> Kernel:
    resample = keys.get("resample", whole_number(0, len(PILLOW) - 1), processor.resample)
    kernel = next(name for name, each in PILLOW.items() if each == resample)
    if not family:
        return cast("Kernel", kernel)
    if kernel not in {"bilinear", "bicubic"}:
        raise UsageError(f"resample is {resample}, {kernel}, which tensors can't be: {INSTEAD}")
    return cast("Kernel", f"{family}_{kernel}")


def _geometry(keys: Config, name: str, kernel: Kernel, size: int | None) -> Geometry:
    crop = _crop(keys, PROCESSORS[name].crop)
    if not keys.flag("do_resize", default=True):
        if crop is None:
            raise UsageError(f"do_resize is false, so images keep their sizes: {INSTEAD}")
        return CropOrPad(size or crop, "before" if kernel in PILLOW else "after")
    side, shorter = _resized(keys, PROCESSORS[name])
    if name == "ConvNext":
        crop_pct = keys.get("crop_pct", number(1 / 16, 1), 0.875)
        return _convnext(size or side, crop_pct, kernel)
    if crop is None and shorter:
        raise UsageError(f"size is of the shorter side, and nothing is cropped: {INSTEAD}")
    if crop is None:
        return Squash(size or side, kernel)
    side, crop = (size * side // crop, size) if size else (side, crop)
    if side < crop:
        raise UsageError(f"crop_size is {crop}, more than the {side} of size: {INSTEAD}")
    if shorter:
        return ShorterSide(crop, side, kernel, "down", "down")
    return Squash(crop, kernel) if side == crop else SquashAndCrop(crop, side, kernel, "down")


def _convnext(size: int, crop_pct: float, kernel: Kernel) -> Geometry:
    if size >= _SQUASHED:
        return Squash(size, kernel)
    return ShorterSide(size, int(size / crop_pct), kernel, "down", "down")


def _resized(keys: Config, processor: Processor) -> tuple[int, bool]:
    """Return what images are resized to, and whether that is their shorter side."""
    said = keys.get("size", None, processor.size)
    if not isinstance(said, Mapping):
        return square_side("size", said), processor.shorter
    given = {key: value for key, value in said.items() if value is not None}
    if given.keys() == {"shortest_edge"}:
        return square_side("size.shortest_edge", given["shortest_edge"]), True
    return square_side("size", given), False


def _crop(keys: Config, default: int | None) -> int | None:
    if not keys.flag("do_center_crop", default=default is not None):
        return None
    if default is None and not keys.has("crop_size"):
        raise UsageError(f"crop_size is missing, but do_center_crop is true: {INSTEAD}")
    return keys.side("crop_size", default or 0)


def _levels(keys: Config, processor: Processor, *, fused: bool) -> Scaled:
    factor = keys.get("rescale_factor", number(1e-6, 1e6), 1 / 255)
    divisor = inverse(factor) if keys.flag("do_rescale", default=True) else 1
    if not keys.flag("do_normalize", default=True):
        return Scaled(divisor)
    mean = keys.three("image_mean", processor.mean)
    std = keys.three("image_std", processor.std)
    if fused:  # that backend multiplies mean and std, and leaves the levels
        return Scaled(1, _times(mean, divisor), _times(std, divisor))
    return Scaled(divisor, mean, std)


def _times(numbers: Three, factor: float) -> Three:
    """Multiply in float32; the shortest decimals that stand for the products."""
    red, green, blue = (float(str(np.float32(each) * np.float32(factor))) for each in numbers)
    return red, green, blue
