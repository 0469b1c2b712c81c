import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from penult.errors import ImageError
from penult.images import decode
from penult.images.decode import load_for
from penult.images.limits import DEFAULT

WHITE = (255, 255, 255)


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(width, height, depth, colour, rows, **chunks):
    """A PNG by hand, for the kinds that Pillow can't write; `rows` are the packed bytes."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = b"".join(b"\0" + bytes(row) for row in rows)
    parts = {"IHDR": header, **chunks, "IDAT": zlib.compress(data), "IEND": b""}
    body = b"".join(
        struct.pack(">I", len(part)) + (kind := name.encode()) + part + _checksum(kind + part)
        for name, part in parts.items()
    )
    return b"\x89PNG\r\n\x1a\n" + body


def _checksum(data):
    return struct.pack(">I", zlib.crc32(data))


def tiff(width, height, bits, data, *, sample_format=1):
    """A little-endian grey TIFF of one strip, by hand."""
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 273: 8, 277: 1, 278: height}
    tags |= {279: len(data), 339: sample_format}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory


def grey(*values):
    """One row of grey pixels."""
    return np.repeat(np.array([values], np.uint8)[..., None], 3, axis=2)


def assert_pixels(source, expected):
    np.testing.assert_array_equal(decode(source), expected)


def test_alpha_is_composited_over_white_rounded_to_nearest():
    colour, alpha = np.meshgrid(np.arange(256), np.arange(256))
    rgba = np.dstack([colour, 255 - colour, colour // 2, alpha]).astype(np.uint8)
    exact = (rgba[..., :3] * alpha[..., None] + 255.0 * (255 - alpha[..., None])) / 255
    assert_pixels(rgba, np.rint(exact))
    assert_pixels(encoded(Image.fromarray(rgba), "PNG"), np.rint(exact))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_opaque_pixels_keep_their_value_in_formats_with_alpha(kind):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 9, 4), np.uint8)
    pixels[..., 3] = 255
    lossless = {"lossless": True} if kind == "WEBP" else {}
    assert_pixels(encoded(Image.fromarray(pixels), kind, **lossless), pixels[..., :3])


def test_grey_with_alpha():
    image = Image.fromarray(np.array([[(0, 0), (0, 255), (100, 51)]], np.uint8))
    assert image.mode == "LA"
    assert_pixels(encoded(image, "PNG"), grey(255, 0, 224))


@pytest.mark.parametrize("mode", ["RGBa", "La"])
def test_premultiplied_alpha(mode):
    straight = Image.new("RGBA" if mode == "RGBa" else "LA", (1, 1), "black")
    straight.putalpha(51)
    assert_pixels(straight.convert(mode), grey(204))


def test_grey_and_one_bit():
    assert_pixels(png(4, 1, 8, 0, [[0, 7, 128, 255]]), grey(0, 7, 128, 255))
    assert_pixels(png(4, 1, 4, 0, [[0x0F, 0x1E]]), grey(0, 255, 17, 238))
    assert_pixels(png(4, 1, 2, 0, [[0b00011011]]), grey(0, 85, 170, 255))
    assert_pixels(png(4, 1, 1, 0, [[0b0110_0000]]), grey(0, 255, 255, 0))


@pytest.mark.parametrize(
    ("depth", "row", "transparent", "expected"),
    [
        (1, [0b0110_0000], 0, (255, 255, 255, 255)),
        (2, [0b00011011], 2, (0, 85, 255, 255)),
        (4, [0x0F, 0x1E], 1, (0, 255, 255, 238)),
        (8, [0, 7, 128, 255], 7, (0, 255, 128, 255)),
        (16, [0, 0, 0, 7, 0x80, 7, 0x80, 8], 0x8007, (0, 0, 255, 128)),
    ],
)
def test_one_transparent_grey(depth, row, transparent, expected):
    data = png(4, 1, depth, 0, [row], tRNS=struct.pack(">H", transparent))
    assert_pixels(data, grey(*expected))


def test_one_transparent_colour():
    data = png(2, 1, 8, 2, [[9, 8, 7, 9, 8, 6]], tRNS=struct.pack(">3H", 9, 8, 7))
    assert_pixels(data, [[WHITE, (9, 8, 6)]])


def test_one_transparent_colour_of_16_bits_means_its_upper_8():
    row = struct.pack(">6H", 0x1234, 0x5678, 0x9ABC, 0x1334, 0x5678, 0x9ABC)
    data = png(2, 1, 16, 2, [row], tRNS=row[:6])
    assert_pixels(data, [[WHITE, (0x13, 0x56, 0x9A)]])


def test_palettes():
    palette = bytes([10, 20, 30, 40, 50, 60, 70, 80, 90])
    expected = [[(10, 20, 30), (40, 50, 60), (70, 80, 90)]]
    assert_pixels(png(3, 1, 8, 3, [[0, 1, 2]], PLTE=palette), expected)
    assert_pixels(png(3, 1, 2, 3, [[0b00011000]], PLTE=palette), expected)


def test_palettes_with_transparency():
    palette = bytes([10, 20, 30, 40, 50, 60, 0, 0, 0])
    one = png(3, 1, 8, 3, [[0, 1, 2]], PLTE=palette, tRNS=b"\xff\0")
    assert_pixels(one, [[(10, 20, 30), WHITE, (0, 0, 0)]])
    many = png(3, 1, 8, 3, [[0, 1, 2]], PLTE=palette, tRNS=b"\0\xff\x33")
    assert_pixels(many, [[WHITE, (40, 50, 60), (204, 204, 204)]])


def test_a_palette_beside_alpha():
    image = Image.new("PA", (1, 1))
    image.putpalette([0, 0, 0])
    image.putpixel((0, 0), (0, 51))
    assert_pixels(image, grey(204))


def test_gif_with_a_transparent_colour():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putdata([0, 1])
    assert_pixels(encoded(image, "GIF", transparency=1), [[(10, 20, 30), WHITE]])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (png(1, 1, 8, 6, [[9, 8, 7, 51]]), (9, 8, 7, 51)),
        (png(1, 1, 8, 2, [[9, 8, 7]], tRNS=struct.pack(">3H", 9, 8, 7)), (9, 8, 7, 0)),
        (png(1, 1, 8, 3, [[0]], PLTE=bytes([9, 8, 7]), tRNS=b"\x33"), (9, 8, 7, 51)),
        (png(1, 1, 8, 4, [[9, 51]]), (9, 9, 9, 51)),
        (png(1, 1, 16, 0, [[3, 4]], tRNS=b"\3\4"), (3, 3, 3, 0)),
        (png(1, 1, 8, 2, [[9, 8, 7]]), (9, 8, 7)),
    ],
    ids=["RGBA", "one colour", "palette", "grey", "16 bits", "opaque"],
)
def test_transparency_is_kept_where_asked_for(data, expected):
    loaded = load_for(data, None, "exact", DEFAULT, transparent=True)
    assert loaded.rgb.getpixel((0, 0)) == expected
    assert loaded.rgb.mode == "RGBA"[: len(expected)]


def test_16_bit_grey_keeps_its_upper_8_bits():
    values = np.array([[0, 255, 256, 0x7FFF, 0x8000, 0xFFFF]], np.uint16)
    expected = grey(0, 0, 1, 127, 128, 255)
    assert_pixels(encoded(Image.fromarray(values), "PNG"), expected)
    assert_pixels(encoded(Image.fromarray(values), "TIFF"), expected)
    assert_pixels(Image.fromarray(values), expected)
    assert_pixels(Image.fromarray(values.astype(">u2")), expected)


def test_16_bit_colour_is_reduced_like_16_bit_grey():
    values = [0, 255, 256, 0x7FFF, 0x8000, 0xFFFF]
    row = struct.pack(">18H", *np.repeat(values, 3))
    assert_pixels(png(6, 1, 16, 2, [row]), grey(0, 0, 1, 127, 128, 255))


def test_16_bit_alpha():
    row = struct.pack(">8H", 0, 0, 0, 0x3333, 0x8000, 0x8000, 0x8000, 0xFFFF)
    assert_pixels(png(2, 1, 16, 6, [row]), grey(204, 128))
    assert_pixels(png(1, 1, 16, 4, [struct.pack(">2H", 0, 0x3333)]), grey(204))


def test_12_bit_grey_keeps_its_upper_8_bits():
    packed = bytes.fromhex("000 00F 010 FFF".replace(" ", ""))
    assert_pixels(tiff(4, 1, 12, packed), grey(0, 0, 1, 255))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 0.25, 0.5, 1], (0, 64, 128, 255)),
        ([0, 1, 127.6, 255], (0, 1, 128, 255)),
        ([0, 257, 300, 65535], (0, 1, 1, 255)),
        ([-1, 0, 1, 3], (0, 64, 128, 255)),
        ([1e5, 2e5, 3e5, 5e5], (0, 64, 128, 255)),
        ([-3e38, 0, 0, 3e38], (0, 128, 128, 255)),
        ([7e9, 7e9, 7e9, 7e9], (0, 0, 0, 0)),
        ([0, 0, 0, 0], (0, 0, 0, 0)),
    ],
)
def test_floats_are_read_in_the_range_that_holds_them(values, expected):
    image = Image.fromarray(np.array([values], np.float32))
    assert image.mode == "F"
    assert_pixels(encoded(image, "TIFF"), grey(*expected))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 1, 128, 255], (0, 1, 128, 255)),
        ([0, 257, 300, 65535], (0, 1, 1, 255)),
        ([-(2**31), 0, 0, 2**31 - 1], (0, 128, 128, 255)),
    ],
)
def test_32_bit_integers_are_read_in_the_range_that_holds_them(values, expected):
    image = Image.fromarray(np.array([values], np.int32))
    assert image.mode == "I"
    assert_pixels(encoded(image, "TIFF"), grey(*expected))


def test_signed_16_bit_grey():
    data = struct.pack("<4h", -100, 0, 100, 300)
    assert_pixels(tiff(4, 1, 16, data, sample_format=2), grey(0, 64, 128, 255))


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite_are_a_failure(odd):
    image = Image.fromarray(np.array([[0, odd]], np.float32))
    with pytest.raises(ImageError, match=r"^nonfinite: pixels that are NaN or infinite$"):
        decode(encoded(image, "TIFF"))


def cmyk_to_rgb(c, m, y, k):
    return [round((255 - ink) * (255 - k) / 255) for ink in (c, m, y)]


@pytest.mark.parametrize("ink", [(0, 0, 0, 0), (255, 0, 0, 0), (10, 200, 100, 50), (0, 0, 0, 255)])
@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_is_converted_plainly(ink, kind):
    pixels = decode(encoded(Image.new("CMYK", (16, 16), ink), kind))
    assert np.abs(pixels.astype(int) - cmyk_to_rgb(*ink)).max() <= 3


def test_ycck_jpeg():
    # Adobe's: inks stored inverted, here as Y, Cb, Cr = 200, 128, 128 (grey 200) and K = 255 (none)
    data = encoded(Image.new("CMYK", (16, 16), (55, 127, 127, 0)), "JPEG", quality=100)
    transform = data.index(b"Adobe") + 11
    ycck = data[:transform] + b"\x02" + data[transform + 1 :]
    assert np.abs(decode(ycck).astype(int) - 55).max() <= 2


def test_ycbcr_tiff():
    image = Image.new("YCbCr", (2, 2), (120, 90, 200))
    assert_pixels(encoded(image, "TIFF"), np.asarray(image.convert("RGB")))


def test_lab_tiff():
    image = Image.new("LAB", (2, 2), (137, 128, 128))  # L* = 53.6: middle grey in sRGB
    assert np.abs(decode(encoded(image, "TIFF")).astype(int) - 128).max() <= 2


def test_hsv():
    assert_pixels(Image.new("HSV", (1, 1), (0, 255, 255)), [[(255, 0, 0)]])


def test_colour_profiles_change_nothing():
    image = Image.new("RGB", (8, 8), (90, 120, 200))
    assert_pixels(encoded(image, "PNG", icc_profile=b"any profile"), np.asarray(image))


def test_32_bit_bmp_has_no_alpha():
    bmp = encoded(Image.new("RGBA", (1, 1), (10, 20, 30, 0)), "BMP")
    assert_pixels(bmp, [[(10, 20, 30)]])
