"""TIFF files, of which Pillow takes more for readable than it reads right.

Tags are compared with what Pillow's decoders can hold, before anything is decoded; what they would
misread is refused by the tag's name, or put right by `colour`. Tags are those of TIFF 6.0.
"""

from PIL.TiffImagePlugin import COMPRESSION_INFO, TiffImageFile

from penult.errors import ImageError

NEW_SUBFILE_TYPE = 254  # bit 0: a page of reduced resolution
BITS_PER_SAMPLE = 258
COMPRESSION = 259
PHOTOMETRIC_INTERPRETATION = 262
PLANAR_CONFIGURATION = 284
SAMPLE_FORMAT = 339
YCBCR_SUBSAMPLING = 530
DNG_VERSION = 50706

UNSIGNED, SIGNED, FLOAT = 1, 2, 3  # values of SAMPLE_FORMAT
MIN_IS_WHITE, YCBCR = 0, 6  # values of PHOTOMETRIC_INTERPRETATION
UNCOMPRESSED, APART = 1, 2  # values of COMPRESSION and of PLANAR_CONFIGURATION
_NAMES = {34661: "JBIG", 34712: "JPEG 2000", 50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL"}
_MAX_PAGES = 64  # that are looked through for the first one in full resolution


class CheckedTiff(TiffImageFile):
    """A TIFF file at its first page of full resolution; ImageError if its pixels can't be read."""

    def _open(self) -> None:
        super()._open()
        if DNG_VERSION in self.tag_v2:
            raise _unsupported("a DNG's picture is a thumbnail of the raw photo")
        for page in range(1, _MAX_PAGES):
            if not self.tag_v2.get(NEW_SUBFILE_TYPE, 0) & 1:
                return
            try:
                self.seek(page)
            except EOFError:
                break
        raise _unsupported("a file without a page of full resolution (NewSubfileType)")

    def _setup(self) -> None:
        if DNG_VERSION not in self.tag_v2:
            self._check()
        super()._setup()

    def _check(self) -> None:
        tags = self.tag_v2
        compression = tags.get(COMPRESSION, UNCOMPRESSED)
        if compression in _NAMES or compression not in COMPRESSION_INFO:
            name = _NAMES.get(compression, f"Compression {compression!r}")
            raise _unsupported(f"{name} inside TIFF")
        bits, formats = tags.get(BITS_PER_SAMPLE, (1,)), tags.get(SAMPLE_FORMAT, (UNSIGNED,))
        if SIGNED in formats and max(bits) <= 8:
            raise _unsupported(f"SampleFormat {SIGNED} (signed) of {max(bits)} bits")
        if FLOAT in formats and (set(bits) != {32} or len(bits) > 1):
            raise _unsupported(f"SampleFormat {FLOAT} (floating point) of BitsPerSample {bits}")
        if compression != UNCOMPRESSED:
            return
        if tags.get(PLANAR_CONFIGURATION) == APART and max(bits) > 8:
            raise _unsupported(f"PlanarConfiguration {APART} with {max(bits)} bits, uncompressed,")
        if tags.get(PHOTOMETRIC_INTERPRETATION) == YCBCR and tags.get(YCBCR_SUBSAMPLING) != (1, 1):
            raise _unsupported("YCbCrSubSampling of an uncompressed image")


def _unsupported(what: str) -> ImageError:
    return ImageError("unsupported_format", f"{what} isn't read: convert it to PNG or JPEG")
