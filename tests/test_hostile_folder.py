"""A folder of hostile and odd files, through `extract`: each gives features or a reason.

What each kind of file decodes to is tested in tests/images; here it is the run that must close:
listed = ok + failed + skipped, and the other images' vectors are those of a run without the bad.
"""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

import penult
from penult.images import Limits

from .means import Means, Meanwhile

PICTURE = Image.effect_mandelbrot((64, 48), (-2, -1.5, 1, 1.5), 50).convert("RGB")


def encoded(kind, image=PICTURE, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned(orientation):
    exif = Image.Exif()
    exif[274] = orientation
    return encoded("JPEG", exif=exif)


def png(width, height, pixels):
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def palette(transparency):
    image = PICTURE.quantize(16)
    return encoded("PNG", image, transparency=transparency)


JPEG, PNG = encoded("JPEG"), encoded("PNG")
FRAMES = [PICTURE.point(lambda level, by=by: level // by) for by in (2, 3)]

GOOD = {
    "one pixel.png": encoded("PNG", Image.new("RGB", (1, 1))),
    "thin.png": encoded("PNG", Image.new("L", (1, 20_000))),
    "wide.png": encoded("PNG", Image.new("L", (65_535, 1))),
    "wrong extension.png": JPEG,
    "cmyk.jpg": encoded("JPEG", PICTURE.convert("CMYK")),
    "16 bits.png": encoded("PNG", Image.new("I;16", (9, 9), 40_000)),
    "one transparent colour.png": palette(0),
    "transparent palette.png": palette(bytes(range(0, 256, 16))),
    "animated.gif": encoded("GIF", save_all=True, append_images=FRAMES),
    "animated.webp": encoded("WEBP", save_all=True, append_images=FRAMES),
    "animated.png": encoded("PNG", save_all=True, append_images=FRAMES),
    **{f"exif {turn}.jpg": turned(turn) for turn in range(1, 9)},
    "broken exif.jpg": encoded("JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + bytes(range(99))),
    "broken profile.jpg": encoded("JPEG", icc_profile=b"\xff" * 500),
    "new\nline.png": PNG,
    "\x1b[31m.png": PNG,
    "🐨 é.png": PNG,
    os.fsdecode(b"caf\xe9 \xff.png"): PNG,
}
BAD = {  # name: bytes, codes of the failure
    "empty.jpg": (b"", {"empty"}),
    "text.jpg": (b"this is no photo", {"not_an_image"}),
    "page.png": (b"<!DOCTYPE html><title>404</title>", {"not_an_image"}),
    "drawing.jpg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", {"unsupported_format"}),
    "bomb.png": (png(50_000, 50_000, zlib.compress(bytes(40_000_000))), {"too_large"}),
    **{
        f"cut at {tenth} tenths.{kind}": (data[: len(data) * tenth // 10], {"truncated", "damaged"})
        for kind, data in {"jpg": JPEG, "png": PNG}.items()
        for tenth in range(1, 10)
    },
}
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about odd metadata


def extracted(folder, model=None, table="t.lance", **options):
    """Features, vectors by key and counts of a folder, once all images are accounted for."""
    seen = []
    out = folder.parent / table
    features = penult.extract(folder, model or Means(), out=out, progress=seen.append, **options)
    last = seen[-1]
    assert last.listed == last.done
    assert len(features) + len(features.failures) == last.listed
    return features, dict(zip(features.keys, features.numpy(), strict=True)), last


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, data in GOOD.items():
        (folder / name).write_bytes(data)
    return folder


def test_odd_files_give_features(folder):
    features, vectors, _ = extracted(folder)
    assert features.failures == {}
    assert len(vectors) == len(GOOD)
    upright = vectors["exif 1.jpg"]
    assert all(np.allclose(vectors[f"exif {turn}.jpg"], upright, atol=0.5) for turn in range(2, 9))


def test_bad_files_give_a_reason_each_and_the_others_what_they_gave_without_them(folder):
    _, alone, _ = extracted(folder)
    for name, (data, _) in BAD.items():
        (folder / name).write_bytes(data)
    features, vectors, _ = extracted(folder, table="with.lance")
    assert vectors.keys() == alone.keys()
    assert all(np.array_equal(vectors[key], alone[key]) for key in alone)
    assert features.failures.keys() == BAD.keys()
    for key, reason in features.failures.items():
        code, _, detail = reason.partition(": ")
        assert code in BAD[key][1]
        assert detail.isprintable()


def test_what_is_no_file_is_left_alone(folder):
    (folder / "loop").symlink_to(folder)
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "device.jpg").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.jpg")
    _, vectors, _ = extracted(folder)
    assert len(vectors) == len(GOOD)


def test_what_is_no_file_costs_its_row_when_it_is_listed(folder, tmp_path):
    os.mkfifo(folder / "pipe.jpg")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    names = ["pipe.jpg", "loop.jpg", "/dev/zero", "gone.jpg", "one pixel.png"]
    (tmp_path / "list").write_text("".join(f"{folder / name}\n" for name in names))
    features = penult.extract(
        (), Means(), from_file=tmp_path / "list", out=tmp_path / "t.lance", checksum=True
    )
    assert len(features) == 1
    reasons = {key.rpartition("/")[2]: reason for key, reason in features.failures.items()}
    assert reasons["pipe.jpg"] == "unreadable: a device or a pipe, not a file"
    assert reasons["zero"] == reasons["pipe.jpg"]
    assert reasons["gone.jpg"] == "unreadable: No such file or directory"
    assert reasons["loop.jpg"].startswith("unreadable: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_costs_its_row(folder):
    (folder / "one pixel.png").chmod(0)
    features, _, _ = extracted(folder)
    assert features.failures == {"one pixel.png": "unreadable: Permission denied"}


def test_files_that_vanish_or_change_while_the_run_goes(folder):
    def interfere():
        (folder / "wide.png").unlink()
        (folder / "cmyk.jpg").write_bytes(PNG)
        (folder / "animated.gif").write_bytes(b"")

    features, _, counts = extracted(folder, Meanwhile(interfere))
    assert features.failures == {
        "animated.gif": "empty: zero bytes",
        "wide.png": "unreadable: No such file or directory",
    }
    (folder / "animated.gif").write_bytes(GOOD["animated.gif"])
    _, _, counts = extracted(folder, prune=True)
    assert (counts.ok, counts.failed, counts.removed) == (2, 0, 1)


def test_limits_are_the_runs(folder):
    features, _, _ = extracted(folder, Means(limits=Limits(pixels=5_000)))
    assert list(features.failures) == ["thin.png", "wide.png"]
