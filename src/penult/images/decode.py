"""Untrusted image bytes to upright RGB pixels.

The first image of a file, turned upright by its EXIF orientation, and made RGB by the rules of
`colour`. It is decoded exactly, but for JPEGs where `fast` is asked of `load_for`: libjpeg makes
these 2, 4 or 8 times smaller, for a fraction of the cost. The pixel limit is checked in the header.
Whatever a parser raises comes out as `ImageError` with one of `CODES`; the caller, who has a name
for the image, adds it.

No setting of the process is touched, so any number of threads may decode at once. For that reason
Pillow's warnings about odd metadata aren't silenced either: a process of its own can filter them.

Not promised: a flipped bit in JPEG, BMP or WebP data gives other pixels and no error, and a limit
on pixels bounds neither the time nor all of the memory; `workers` does, in processes.
"""

import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from penult.errors import ImageError, PenultError, UsageError
from penult.images.colour import to_rgb
from penult.images.formats import open_lazily
from penult.images.items import Stored
from penult.images.limits import DEFAULT, Limits
from penult.images.names import reason
from penult.util.text import one_line

CODES = {
    "changed": "the file changed while it was read, or isn't the one that was expected",
    "damaged": "the header is an image's, but the data can't be decoded",
    "decoder_crash": "the decoder ended the process it ran in",
    "empty": "there are no bytes or no pixels",
    "memory": "decoding needs more memory than allowed",
    "nonfinite": "pixels or features are NaN or infinite",
    "not_an_image": "the bytes are of no image format",
    "timeout": "decoding takes longer than allowed",
    "too_large": "more pixels or bytes than allowed",
    "truncated": "the file ends early",
    "unreadable": "the file is missing, isn't a file, or may not be read",
    "unsupported_format": "an image of a kind that isn't read",
}
TRANSIENT = frozenset({"changed", "timeout", "unreadable"})  # failures that may pass by themselves

Decode: TypeAlias = Literal["exact", "fast"]
ImageLike: TypeAlias = str | os.PathLike[str] | bytes | Stored | Image.Image | NDArray[np.uint8]

_ORIENTATION = 274  # tag of EXIF and TIFF
_TURNS: dict[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = [_TURNS[orientation] for orientation in (5, 6, 7, 8)]
_HINTS = {  # words of Pillow and its libraries, for where the error's type says too little
    "memory": ("memory",),
    "truncated": ("truncated", "end of file", "insufficient", "not enough", "size too small"),
    "unsupported_format": ("unsupported", "not supported", "cannot handle", "unknown pixel mode"),
}


class Loaded(NamedTuple):
    """An image that is decoded for a network.

    Attributes:
        rgb: The pixels, upright, of mode RGB; RGBA if transparency was asked for and there is some.
        width: Pixels of the image in its file, upright.
        height: Likewise.
        reducible: Whether it was decoded exactly, and `fast` would have given fewer pixels.
    """

    rgb: Image.Image
    width: int
    height: int
    reducible: bool


def decode(source: ImageLike, limits: Limits = DEFAULT) -> NDArray[np.uint8]:
    """Decode a path, a file's bytes, a Pillow image or an array to upright RGB pixels.

    Args:
        source: Arrays are uint8, (height, width) or with 1, 3 or 4 channels last. A Pillow image is
            taken at its current frame, and left as it is.
        limits: What it may take; what takes more is refused by its header.

    Returns:
        (height, width, 3), contiguous, read-only.

    Raises:
        ImageError: It gives no pixels; `code` says why.
        UsageError: It isn't one of these kinds of source.
    """
    with wrap_errors():
        return np.asarray(load(source, limits))


def load(source: ImageLike, limits: Limits = DEFAULT) -> Image.Image:
    """Decode to what `decode` gives, as a Pillow image of mode RGB.

    From here, 12 megapixels become a network's input in two thirds of the time.
    """
    return load_for(source, None, "exact", limits).rgb


def load_for(
    source: ImageLike,
    shorter: int | None,
    how: Decode,
    limits: Limits,
    *,
    transparent: bool = False,
) -> Loaded:
    """Decode for a network that resizes images to a shorter side, or doesn't (None).

    `exact` gives what `load` does. `fast` decodes a JPEG to 1/2, 1/4 or 1/8 of its size, the
    smallest that leaves both sides twice as long as that; not a Pillow image, which isn't touched.
    `transparent` keeps transparency, where there is some, rather than to show what lies over white.
    """
    with wrap_errors():
        image = _open(source, limits.bytes)
        _check_size(image.size, limits.pixels)
        width, height = image.size
        reducible = image is not source and _reduce(image, shorter, how)
        image.load()
        turn = _turn(image)
        rgb = to_rgb(image, transparent=transparent)
        if turn is not None:
            rgb = rgb.transpose(turn)
        elif rgb is source:
            rgb = rgb.copy()
        if turn in _SIDEWAYS:
            width, height = height, width
        return Loaded(rgb, width, height, reducible)


def _open(source: ImageLike, max_bytes: int) -> Image.Image:
    if isinstance(source, str | os.PathLike):
        return open_lazily(read(Path(source), max_bytes))
    if isinstance(source, Stored):
        return open_lazily(source.read(max_bytes))
    if isinstance(source, bytes):
        return open_lazily(source)
    if isinstance(source, np.ndarray):
        return Image.fromarray(_check_array(source))
    if isinstance(source, Image.Image):
        return source
    kind = type(source).__name__
    raise UsageError(f"a {kind} isn't an image: pass a path, bytes, a Pillow image or an array")


def read(path: Path, max_bytes: int) -> bytes:
    """Read a file that should be an image; ImageError if it can't be read whole."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # to open a pipe would wait for ever
            raise ImageError("unreadable", _not_a_file(status.st_mode))
        if status.st_size > max_bytes:
            raise ImageError("too_large", f"{status.st_size:,} bytes, the limit is {max_bytes:,}")
        with path.open("rb") as file:
            data = file.read(status.st_size + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise ImageError("unreadable", reason(error)) from error
    if len(data) != status.st_size:
        raise ImageError("changed", f"{status.st_size:,} bytes at first, then {len(data):,}")
    return data


def _not_a_file(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder, not an image; if it was found in another one, it couldn't be listed"
    return "a device or a pipe, not a file"


def _check_array(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.dtype != np.uint8:
        remedy = "scale it to 0..255, then .astype(np.uint8)"
        raise UsageError(f"an array of {array.dtype} isn't an image: {remedy}")
    if array.ndim != 2 and (array.ndim != 3 or array.shape[2] not in (1, 3, 4)):
        remedy = "pass (height, width), or 1, 3 or 4 channels last; a batch one by one"
        raise UsageError(f"an array of shape {array.shape} isn't an image: {remedy}")
    return array[:, :, 0] if array.shape[2:] == (1,) else array


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height == 0:
        raise ImageError("empty", f"{width} × {height} pixels")
    if width * height > max_pixels:
        raise ImageError("too_large", f"{width} × {height} pixels, the limit is {max_pixels:,}")


def _reduce(image: Image.Image, shorter: int | None, how: Decode) -> bool:
    """Make a JPEG smaller if that is asked for; whether that would be possible, but isn't asked."""
    if shorter is None or image.format != "JPEG" or min(image.size) < 4 * shorter:
        return False
    if how == "fast":
        image.draft(None, (2 * shorter, 2 * shorter))  # no mode: the image keeps its own
    return how == "exact"


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(image.getexif().get(_ORIENTATION))
    except Exception:  # noqa: BLE001 -- broken EXIF raises anything; the pixels are good without
        return None


@contextmanager
def wrap_errors() -> Iterator[None]:
    """Make an `ImageError` of whatever is raised inside."""
    try:
        yield
    except PenultError:
        raise
    except Exception as error:  # on hostile bytes, parsers raise whatever they run into
        code, detail = _diagnosis(error)
        raise ImageError(code, one_line(detail)) from error


def _diagnosis(error: Exception) -> tuple[str, str]:
    text = str(error) or type(error).__name__
    if isinstance(error, MemoryError):
        return "memory", text
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "too_large", text
    if isinstance(error.__cause__ or error, EOFError | IndexError | struct.error):
        return "truncated", f"the data ends early ({text})"
    for code, hints in _HINTS.items():
        if any(hint in text.lower() for hint in hints):
            return code, text
    return "damaged", text
