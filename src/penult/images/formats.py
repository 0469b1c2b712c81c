"""The formats that are opened, told from a file's first bytes: not by its name, not by trying.

Each has its Pillow class, called directly, and no other parser ever runs. `PIL.Image.open` isn't
used: it warns and refuses by a limit that belongs to the whole process, takes the multi-picture
JPEGs of cameras for another format, and hides why a parser gave up.
"""

from __future__ import annotations

from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, cast

from penult.errors import ImageError
from penult.images.jpeg import require_few_scans
from penult.images.png import without_metadata

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_CLASSES = {  # each imported when the first such file comes
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "TIFF": ("penult.images.tiff", "CheckedTiff"),
    "WebP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "HEIF": ("pi_heif", "HeifImageFile"),
}
_SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",  # BigTIFF: 64-bit offsets
    b"MM\0+": "TIFF",
}
_REFUSED = {  # for the message only
    b"%PDF": "PDF",
    b"%!PS": "PostScript",
    b"\xc5\xd0\xd3\xc6": "EPS",
    b"8BPS": "Photoshop",
    b"<svg": "SVG",
    b"<?xml": "SVG or other XML",
    b"\0\0\1\0": "ICO",
    b"\0\0\2\0": "TGA or CUR",
    b"\0\0\n\0": "TGA",
    b"\0\0\0\x0cjP": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\0\x0cJXL": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"SIMPLE  =": "FITS",
    b"v/1\1": "OpenEXR",
    b"DDS ": "DDS",
    b"P5": "PGM",
    b"P6": "PPM",
}
_PNG_END = b"IEND\xae\x42\x60\x82"  # the last chunk, always empty, with its checksum
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


def open_lazily(data: bytes) -> ImageFile:
    """Open the first image in a file's bytes: its header is read and nothing decoded.

    Raises:
        ImageError: The bytes are none, no image, cut short, or of a format that isn't opened.
    """
    kind = format_of(data)
    if not _is_whole(kind, data):
        raise ImageError("truncated", f"the end of the {kind} file is missing")
    module, name = _CLASSES[kind]
    try:
        plugin = import_module(module)
    except ImportError as error:
        needs = f"{kind} needs an optional package: pip install 'penult[{kind.lower()}]'"
        raise ImageError("unsupported_format", needs) from error
    if kind == "PNG":
        data = without_metadata(data)
    if kind == "JPEG":
        require_few_scans(data)
    image = cast("ImageFile", getattr(plugin, name)(BytesIO(data)))
    if kind == "PNG" and "transparency" in image.info:
        image.info["transparency"] = _transparent_colour(image, depth=data[24])
    return image


def format_of(data: bytes) -> str:
    """The format that a file's first bytes tell; ImageError if it is none that is opened."""
    if not data:
        raise ImageError("empty", "zero bytes")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp":
        return _iso_kind(data)
    for signature, kind in _SIGNATURES.items():
        if data.startswith(signature):
            return kind
    text = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")  # SVG: behind a byte order mark or blanks
    for signature, kind in _REFUSED.items():
        if data.startswith(signature) or text.startswith(signature):
            raise ImageError("unsupported_format", f"{kind} isn't read: convert it to PNG or JPEG")
    raise ImageError("not_an_image", f"begins with {data[:12]!r}, as no image does")


def _iso_kind(data: bytes) -> str:
    """AVIF and HEIF share a container and even the brand `mif1`; the list of brands decides."""
    box = data[8 : min(int.from_bytes(data[:4], "big"), 256)]
    brands = {box[i : i + 4] for i in range(0, len(box), 4)}
    if brands & _AVIF_BRANDS:
        return "AVIF"
    if brands & _HEIF_BRANDS:
        return "HEIF"
    raise ImageError("unsupported_format", f"a container of brand {box[:4]!r}, not AVIF or HEIF")


def _is_whole(kind: str, data: bytes) -> bool:
    """Whether the file reaches its end, where that is cheap to tell; decoders find other cuts."""
    if kind == "PNG":
        return data.rfind(_PNG_END) > 0  # Pillow is content with the last pixel
    if kind == "WebP":
        return len(data) >= 8 + int.from_bytes(data[4:8], "little")
    if kind == "TIFF":
        directory = data[8:16] if data[2:4] in (b"+\0", b"\0+") else data[4:8]
        return int.from_bytes(directory, "little" if data[:2] == b"II" else "big") < len(data)
    return True


def _transparent_colour(image: ImageFile, depth: int) -> object:
    """PNG's one transparent colour in 8 bits, like the pixels; in the file it has their depth."""
    colour = image.info["transparency"]
    if image.mode == "L" and depth < 8:
        return colour * 255 // (2**depth - 1)
    if image.mode == "RGB" and depth == 16:
        return tuple(value >> 8 for value in colour)
    return colour
