"""What must not work: cut files, bombs, other formats, decoders that raise anything."""

import io
import struct
import sys
import time
import tracemalloc
import zlib
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image, ImageFile

from penult.errors import ImageError
from penult.images import CODES, Limits, decode

DECODE = sys.modules["penult.images.decode"]  # the package's attribute of that name is the function
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about odd metadata
PICTURE = Image.effect_mandelbrot((64, 48), (-2, -1.5, 1, 1.5), 50).convert("RGB")


def encoded(kind, image=PICTURE, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


FILES = {
    "JPEG": encoded("JPEG"),
    "progressive JPEG": encoded("JPEG", progressive=True),
    "PNG": encoded("PNG"),
    "BMP": encoded("BMP"),
    "palette BMP": encoded("BMP", PICTURE.quantize()),
    "GIF": encoded("GIF"),
    "WebP": encoded("WEBP"),
    "lossless WebP": encoded("WEBP", lossless=True),
    "TIFF": encoded("TIFF"),
    "LZW TIFF": encoded("TIFF", compression="tiff_lzw"),
    "AVIF": encoded("AVIF"),
}


def test_codes_are_twelve_and_have_a_sentence_each():
    assert len(CODES) == 12
    assert list(CODES) == sorted(CODES)
    assert all(meaning.isprintable() for meaning in CODES.values())


@pytest.mark.parametrize("kind", FILES)
def test_a_file_cut_at_every_tenth_is_a_failure(kind):
    data = FILES[kind]
    for tenth in range(1, 10):
        with pytest.raises(ImageError) as raised:
            decode(data[: len(data) * tenth // 10])
        assert raised.value.code in ("truncated", "damaged")


@pytest.mark.parametrize("kind", [kind for kind in FILES if kind != "GIF"])
def test_a_file_cut_by_its_last_byte_is_truncated(kind):
    with pytest.raises(ImageError) as raised:
        decode(FILES[kind][:-1])
    assert raised.value.code in ("truncated", "damaged")


def test_cut_files_are_called_truncated_where_the_format_tells():
    for kind in ("JPEG", "PNG", "BMP", "GIF", "WebP", "TIFF", "AVIF"):
        with pytest.raises(ImageError, match=r"^truncated: "):
            decode(FILES[kind][: len(FILES[kind]) * 9 // 10])


@pytest.mark.parametrize("kind", FILES)
def test_flipped_bytes_give_an_image_or_an_image_error(kind):
    rng = np.random.default_rng(0)
    for _ in range(60):
        data = bytearray(FILES[kind])
        for place in rng.integers(0, min(len(data), 300), 3):
            data[place] = rng.integers(256)
        with suppress(ImageError):
            assert decode(bytes(data), Limits(pixels=10**6)).shape[2:] == (3,)


def big_png(side):
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


BOMBS = {
    "PNG": big_png(50_000),
    "BMP": b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 50_000, 50_000, 1, 24, *[0] * 6),
    "GIF": b"GIF89a" + struct.pack("<HHBBB", 50_000, 50_000, 0, 0, 0) + b",\0\0\0\0\1\0\1\0\0\2",
    "WebP": b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff\xff\0" * 2,
    "TIFF": b"II*\0\x08\0\0\0\x04\0"
    + b"".join(struct.pack("<HHII", tag, 4, 1, n) for tag, n in [(256, 50_000), (257, 50_000)])
    + b"".join(struct.pack("<HHII", tag, 4, 1, n) for tag, n in [(258, 8), (273, 8)])
    + bytes(4),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_by_its_header(kind):
    tracemalloc.start()
    began = time.monotonic()
    with pytest.raises(ImageError) as raised:
        decode(BOMBS[kind])
    seconds, (_, peak) = time.monotonic() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert raised.value.code == "too_large"
    assert seconds < 1
    assert peak < 2**24


def test_the_message_names_size_and_limit():
    with pytest.raises(
        ImageError, match=r"^too_large: 50000 × 50000 pixels, the limit is 178,956,970$"
    ):
        decode(BOMBS["PNG"])


def test_a_gif_that_outgrows_its_header_is_refused():
    frame = b"," + struct.pack("<HHHHB", 0, 0, 60_000, 60_000, 0) + b"\2"
    with pytest.raises(ImageError, match=r"^too_large: "):
        decode(b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0) + frame)


def test_the_pixel_limit_is_the_callers():
    decode(FILES["PNG"], Limits(pixels=64 * 48))
    with pytest.raises(ImageError, match=r"^too_large: 64 × 48 pixels, the limit is 3,071$"):
        decode(FILES["PNG"], Limits(pixels=64 * 48 - 1))
    with pytest.raises(ImageError, match=r"^too_large: 64 × 48 pixels"):
        decode(PICTURE, Limits(pixels=1))


def test_sizes_that_pillow_would_warn_about_are_decoded_in_silence():
    with pytest.raises(ImageError, match=r"^truncated: "):  # past the header, without a warning
        decode(big_png(12_000))


REFUSED = {
    "PDF": encoded("PDF"),
    "EPS": encoded("EPS"),
    "TGA": encoded("TGA"),
    "compressed TGA": encoded("TGA", compression="tga_rle"),
    "ICO": encoded("ICO"),
    "JPEG 2000": encoded("JPEG2000"),
    "JPEG 2000 codestream": encoded("JPEG2000", no_jp2=True),
    "DDS": encoded("DDS"),
    "PPM": encoded("PPM"),
    "PGM": encoded("PPM", PICTURE.convert("L")),
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    "SVG with a byte order mark": b'\xef\xbb\xbf\r\n <?xml version="1.0"?><svg/>',
    "PSD": b"8BPS\0\1" + bytes(40),
    "DOS EPS": b"\xc5\xd0\xd3\xc6" + bytes(40),
    "FITS": b"SIMPLE  =                    T" + bytes(40),
    "JPEG XL": b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40),
    "video": b"\0\0\0\x18ftypisom\0\0\2\0isommp42" + bytes(40),
}


ODD_KINDS = {
    "12-bit JPEG": FILES["JPEG"].replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"),
    "BMP with a PNG inside": FILES["BMP"][:30] + b"\5" + FILES["BMP"][31:],
}


@pytest.mark.parametrize("data", [*REFUSED.values(), *ODD_KINDS.values()])
def test_other_formats_and_odd_kinds_are_unsupported(data):
    with pytest.raises(ImageError) as raised:
        decode(data)
    assert raised.value.code == "unsupported_format"


NO_IMAGES = {
    "text": b"this is no image\n",
    "HTML": b"<!DOCTYPE html><html>404</html>",
    "zeros": bytes(100),
    "PCX": encoded("PCX"),
    "SGI": encoded("SGI"),
    "one byte": b"\xff",
}


@pytest.mark.parametrize("kind", NO_IMAGES)
def test_other_bytes_are_no_image(kind, tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(NO_IMAGES[kind])
    with pytest.raises(ImageError, match=r"^not_an_image: begins with b"):
        decode(path)


@pytest.mark.parametrize("data", [*REFUSED.values(), *NO_IMAGES.values()])
def test_no_parser_sees_other_formats(data, monkeypatch):
    def seen(*args):
        raise AssertionError("a parser was started")

    monkeypatch.setattr(ImageFile.ImageFile, "__init__", seen)
    monkeypatch.setattr(Image, "open", seen)
    with pytest.raises(ImageError) as raised:
        decode(data)
    assert raised.value.code in ("unsupported_format", "not_an_image")


def caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError("decoder error -2"), "damaged"),
        (OSError("image file is truncated (7 bytes not processed)"), "truncated"),
        (OSError("out of memory error when reading image file"), "memory"),
        (ValueError("bad value"), "damaged"),
        (IndexError("index out of range"), "truncated"),
        (TypeError("ord() expected a character"), "damaged"),
        (struct.error("unpack requires 4 bytes"), "truncated"),
        (caused(SyntaxError("short"), struct.error("short")), "truncated"),
        (SyntaxError("cannot handle 12-bit layers"), "unsupported_format"),
        (KeyError(77), "damaged"),
        (EOFError("no more images"), "truncated"),
        (ZeroDivisionError("division by zero"), "damaged"),
        (RecursionError("maximum recursion depth exceeded"), "damaged"),
        (AssertionError(), "damaged"),
        (MemoryError(), "memory"),
        (Image.DecompressionBombError("too big"), "too_large"),
        (Image.DecompressionBombWarning("too big"), "too_large"),
    ],
)
def test_whatever_a_parser_raises_becomes_a_code(error, code, monkeypatch):
    def broken(data):
        raise error

    monkeypatch.setattr(DECODE, "open_lazily", broken)
    with pytest.raises(ImageError) as raised:
        decode(b"x")
    assert raised.value.code == code
    assert raised.value.__cause__ is error
    assert raised.value.detail


def test_details_are_one_short_line_without_control_characters(monkeypatch):
    def broken(data):
        raise OSError("\x1b[31mred\r\n" + "x" * 1000)

    monkeypatch.setattr(DECODE, "open_lazily", broken)
    with pytest.raises(ImageError) as raised:
        decode(b"x")
    assert raised.value.detail.startswith(r"\x1b[31mred\r\nxxx")
    assert len(raised.value.detail) == 201


def test_an_interrupt_is_not_an_image_error(monkeypatch):
    def interrupted(data):
        raise KeyboardInterrupt

    monkeypatch.setattr(DECODE, "open_lazily", interrupted)
    with pytest.raises(KeyboardInterrupt):
        decode(b"x")
