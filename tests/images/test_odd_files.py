"""Sound pictures that Pillow misreads or refuses: right pixels, or refused by the reason's name."""

import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from penult.errors import ImageError
from penult.images import decode

DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("grey16_min_is_white.tif", "reference_grey.png"),
        ("grey_float32_min_is_white.tif", "reference_grey.png"),
        ("grey_uint32_full_range.tif", "reference_grey.png"),
        ("text_chunk_3MB.png", "reference_rgb.png"),
        ("icc_profile_2MB.png", "reference_rgb.png"),
        ("text_chunk_bad_crc.png", "reference_rgb.png"),
    ],
)
def test_pixels_are_right(name, reference):
    assert np.abs(decode(DATA / name) - decode(DATA / reference).astype(int)).max() <= 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("rgb16_planar.tif", "PlanarConfiguration 2 with 16 bits"),
        ("rgb_jpeg2000.tif", "JPEG 2000 inside TIFF"),
        ("rgb_webp.tif", "WebP inside TIFF"),
    ],
)
def test_what_is_not_read_is_named(name, reason):
    with pytest.raises(ImageError, match=f"^unsupported_format: {reason}") as caught:
        decode(DATA / name)
    assert caught.value.code == "unsupported_format"


def tiff(tags, mode="L"):
    """A small grey TIFF file with other tags than its own."""
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in tags.items():
        directory[tag] = value
    file = BytesIO()
    Image.new(mode, (4, 4), 7).save(file, "TIFF", tiffinfo=directory)
    return file.getvalue()


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({339: (2,)}, r"SampleFormat 2 \(signed\) of 8 bits"),
        ({50706: b"\1\4\0\0"}, "a DNG's picture is a thumbnail"),
        ({254: 1}, "a file without a page of full"),
    ],
)
def test_tags_that_would_mislead(tags, reason):
    with pytest.raises(ImageError, match=f"^unsupported_format: {reason}"):
        decode(tiff(tags))


@pytest.mark.parametrize("bits", [16, 64])
def test_floating_point_of_other_widths_is_named(bits):
    data = tiff({}, "F").replace(
        b"\x02\x01\x03\x00\x01\x00\x00\x00\x20\x00",
        b"\x02\x01\x03\x00\x01\x00\x00\x00" + bytes([bits, 0]),
    )
    with pytest.raises(ImageError, match=r"^unsupported_format: SampleFormat 3 \(floating point\)"):
        decode(data)


def test_a_page_of_reduced_resolution_is_passed_over():
    file = BytesIO()
    pages = TiffImagePlugin.AppendingTiffWriter(file)
    Image.new("L", (2, 2), 9).save(pages, "TIFF", tiffinfo={254: 1})
    pages.newFrame()
    Image.new("L", (8, 8), 200).save(pages, "TIFF")
    pages.finalize()
    assert decode(file.getvalue()).shape == (8, 8, 3)


def test_what_is_behind_a_png_is_not_looked_through():
    data = (DATA / "text_chunk_3MB.png").read_bytes()
    start = time.monotonic()
    assert decode(data + bytes(64 << 20)).shape == (96, 96, 3)
    assert time.monotonic() - start < 1


def test_orientation_stays_without_other_metadata(tmp_path):
    image = Image.new("RGB", (6, 3))
    exif = Image.Exif()
    exif[274] = 6
    image.save(tmp_path / "turned.png", exif=exif)
    assert decode(tmp_path / "turned.png").shape == (6, 3, 3)
