"""Preprocessings out of the files that come beside published weights.

What transformers, timm and open_clip keep is sparse, and written by strangers: a missing key or
null means what the library's code does without it, and a value that can't be is refused by name.
Sizes may be changed as users of each library do, so that the share of the image that is seen stays.
"""

import json
from collections.abc import Mapping
from math import floor
from pathlib import Path
from typing import Any

from penult.errors import UsageError
from penult.images.geometry import Geometry, LongerSide, ShorterSide, Squash, SquashAndCrop
from penult.images.preprocess import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    PREPROCESSING,
    Scaled,
    Transform,
    named,
)
from penult.images.preprocess_config import (
    CLIP_MEAN,
    CLIP_STD,
    INSTEAD,
    Config,
    checked,
    square_side,
)
from penult.images.preprocess_document import MAX_SIZE, number, one_of, three, whole_number
from penult.images.preprocess_text import EXAMPLE, parse
from penult.images.preprocess_transformers import from_transformers
from penult.images.resampling import PILLOW, Kernel
from penult.util.text import quoted

__all__ = [
    "CHOICES",
    "choose",
    "from_open_clip",
    "from_timm",
    "from_transformers",
    "read_file",
]

CHOICES = (  # for messages
    f"one of {', '.join(PREPROCESSING)}, words such as '{EXAMPLE}', or a preprocessor_config.json"
)
_BYTES = 2**20  # of a file; published ones have less than two thousand
_INPUT = three(whole_number(1, MAX_SIZE))


def from_timm(pretrained_cfg: Mapping[str, Any], size: int | None = None) -> Transform:
    """Read the `pretrained_cfg` of timm's config.json, as for images to evaluate.

    As timm/data/transforms_factory.py, with the input's size of training and its `crop_pct`, not
    those of testing.

    Args:
        pretrained_cfg: That part of the parsed file; older files have its keys at the top.
        size: The network's input, if not that of the file; the share that is cropped stays.

    >>> print(from_timm({"input_size": [3, 192, 192], "crop_pct": 0.9, "mean": 0.5, "std": 0.5}))
    resize 213 bicubic, crop 192, scale 1/255, mean 0.5 0.5 0.5, std 0.5 0.5 0.5

    Raises:
        UsageError: A value can't be; the message names its key.
    """
    keys = Config("pretrained_cfg", pretrained_cfg)
    channels, *sides = keys.get("input_size", _INPUT, (3, 224, 224))
    if channels != 3:
        raise UsageError(f"input_size is of {channels} channels, not of 3: {INSTEAD}")
    side = size or square_side("input_size", sides)
    resized = floor(side / keys.get("crop_pct", number(1 / 16, 1), 0.875))
    kernel = keys.get("interpolation", one_of(PILLOW), "bicubic")
    mode = keys.get("crop_mode", one_of(("center", "squash", "border")), "center")
    mean, std = keys.three("mean", IMAGENET_MEAN), keys.three("std", IMAGENET_STD)
    geometry: Geometry = ShorterSide(side, resized, kernel, "down", "nearest")
    if mode == "border":
        red, green, blue = (round(255 * each) for each in mean)
        geometry = LongerSide(side, resized, kernel, (red, green, blue))
    elif mode == "squash" and side == resized:
        geometry = Squash(side, kernel)
    elif mode == "squash":
        geometry = SquashAndCrop(side, resized, kernel, "nearest")
    return checked(geometry, Scaled(255, mean, std))


def from_open_clip(
    preprocess_cfg: Mapping[str, Any], model_cfg: Mapping[str, Any], size: int | None = None
) -> Transform:
    """Read the two parts of open_clip_config.json, as for images to encode.

    As src/open_clip/transform.py. The size is the image tower's where it has one, else that of
    `preprocess_cfg`, which older files don't say.

    Args:
        preprocess_cfg: That part of the parsed file; empty where there is none.
        model_cfg: The other part.
        size: The network's input, if not that of the file.

    >>> print(from_open_clip({"mean": 0, "std": 1, "interpolation": "bilinear"}, {}))
    resize 224 bilinear, crop 224, scale 1/255, mean 0 0 0, std 1 1 1

    Raises:
        UsageError: A value can't be; the message names its key.
    """
    keys = Config("preprocess_cfg", preprocess_cfg)
    tower = Config("model_cfg", model_cfg).part("vision_cfg")
    keys.get("mode", one_of(("RGB",)), "RGB")
    side = size or tower.side("image_size", keys.side("size", 224))
    known = one_of(("bicubic", "bilinear", "random"))
    bilinear = keys.get("interpolation", known, "bicubic") == "bilinear"
    kernel: Kernel = "bilinear" if bilinear else "bicubic"  # random is of training
    fill = keys.get("fill_color", whole_number(0, 255), 0)
    modes: dict[str, Geometry] = {
        "shortest": ShorterSide(side, side, kernel, "down", "nearest"),
        "squash": Squash(side, kernel),
        "longest": LongerSide(side, side, kernel, (fill, fill, fill)),
    }
    mode = keys.get("resize_mode", one_of(modes), "shortest")
    mean, std = keys.three("mean", CLIP_MEAN), keys.three("std", CLIP_STD)
    return checked(modes[mode], Scaled(255, mean, std))


def read_file(path: Path, size: int | None = None) -> Transform:
    """Read a library's file: preprocessor_config.json, timm's config.json, open_clip_config.json.

    Raises:
        UsageError: It can't be read, or says what isn't known; the message names file and key.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_BYTES + 1)
        if len(text) > _BYTES:
            raise UsageError(f"it has more than {_BYTES:,} bytes, so it is no such file")
        return _of_library(json.loads(text), size)
    except OSError as exc:
        raise UsageError(f"{quoted(path)} can't be read: {exc.strerror}") from exc
    except UsageError as exc:
        raise UsageError(f"{quoted(path)}: {exc}") from exc
    except (ValueError, RecursionError) as exc:
        raise UsageError(f"{quoted(path)} is no JSON: fetch it again") from exc


def choose(asked: str | Path, sides: tuple[int, int], asked_size: int | None) -> Transform:
    """Make the preprocessing that a caller asks for.

    Args:
        asked: A name, the preprocessing in words, or a library's file, by its ending .json.
        sides: Height and width of the network's input, for names; words say their own.
        asked_size: What the caller says of it, for files.

    Raises:
        UsageError: It is none of these.
    """
    if isinstance(asked, Path) or asked.lower().endswith(".json"):
        return read_file(Path(asked), asked_size)
    if asked in PREPROCESSING:
        return named(asked, sides)
    if asked.isidentifier():
        raise UsageError(f"preprocess must be {CHOICES}, not {quoted(asked)}")
    return parse(asked)


def _of_library(values: Any, size: int | None) -> Transform:  # noqa: ANN401 -- of JSON
    keys = Config("the file", values)
    if keys.has("preprocess_cfg") or keys.has("model_cfg"):
        preprocess, model = (keys.get(f"{name}_cfg", None, {}) for name in ("preprocess", "model"))
        return from_open_clip(preprocess, model, size)
    if keys.has("pretrained_cfg") or (keys.has("architecture") and keys.has("input_size")):
        return from_timm(keys.get("pretrained_cfg", None, values), size)
    return from_transformers(keys.get("image_processor", None, values), size)
