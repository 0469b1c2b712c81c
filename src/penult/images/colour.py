"""RGB of every kind of pixel, 8 bits a channel, by rules that don't depend on the machine.

- Grey, palette, YCbCr, CMYK, Lab, HSV: Pillow's conversion. ICC profiles are dropped: networks were
  trained and their published accuracies measured with decoders that ignore them.
- Transparency, as a channel, in the palette or as one colour: composited over white,
  (c·a + 255·(255 - a)) / 255 rounded to nearest. Opaque pixels keep their value.
- 16-bit grey: the upper 8 bits, as Pillow and TensorFlow reduce 16-bit RGB. 12-bit grey likewise.
- 32-bit integers and floats have no agreed white. They are read in the narrowest customary range
  that holds all values (0..1, 0..255, 0..65535, and 0..2^32 - 1 where the highest bit is used),
  else in their own, from lowest to highest, and rounded to nearest.
- TIFFs whose least value is white are inverted.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from penult.errors import ImageError

_BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339  # TIFF tags


def to_rgb(image: Image.Image, *, transparent: bool = False) -> Image.Image:
    """Convert to mode RGB; an image that is RGB comes back itself.

    Args:
        image: The image, decoded.
        transparent: Whether one with transparency keeps it, as mode RGBA.
    """
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _from_deep(image)
    if image.has_transparency_data:
        rgba = _to_rgba(image)
        return rgba if transparent else _over_white(rgba)
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_rgba(image: Image.Image) -> Image.Image:
    if image.mode == "P":
        image = image.copy()  # Pillow writes the alpha into the palette that it converts
    if image.mode == "La":
        image = image.convert("LA")  # Pillow knows no direct way from here to RGBA
    return image if image.mode == "RGBA" else image.convert("RGBA")


def _over_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image)
    return white


def _from_deep(image: Image.Image) -> Image.Image:
    values, tags = np.asarray(image), getattr(image, "tag_v2", {})
    if values.dtype == np.int32 and tags and tags.get(_SAMPLE_FORMAT, (1,))[0] == 1:
        values = values.view(np.uint32)  # Pillow's mode has a sign, the file has none
    if values.dtype.itemsize == 2:
        grey = (values >> (tags.get(_BITS_PER_SAMPLE, (16,))[0] - 8)).astype(np.uint8)
    else:
        grey = _scale(values)
    if tags.get(_PHOTOMETRIC) == 0:  # the least value is white; Pillow knows it of 8 bits only
        grey = 255 - grey
    result = Image.fromarray(grey)
    if "transparency" in image.info:
        result.putalpha(Image.fromarray(values != image.info["transparency"]).convert("L"))
    return result


def _scale(values: NDArray[Any]) -> NDArray[np.uint8]:
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():  # one NaN makes both NaN
        raise ImageError("nonfinite", "pixels that are NaN or infinite")
    customary = (1.0, 255.0, 65535.0, 2.0**32 - 1 if high >= 2**31 else 0.0)
    holding = [top for top in customary if low >= 0 and high <= top]
    black, white = (0.0, holding[0]) if holding else (low, high)
    spread = (white - black) or 1.0  # one value everywhere is black
    return np.rint((values - np.float64(black)) * 255 / spread).astype(np.uint8)
