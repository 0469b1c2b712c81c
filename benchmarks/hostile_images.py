"""What one hostile image takes, by each way on which a person gives a single one.

    python benchmarks/hostile_images.py [JSON]

Twelve small files of 170 megapixels, or of 400 scans, one at a time through `Model.features`, as a
path and as bytes, `search`, `classify` and the viewer's drop. It ends with 1 if one of these
promises is broken: at most `MEMORY` more in this process at its peak, and in a decoder what
`Limits` says; at most its time, and a second; the same outcome as in a run of `extract`, unless one
of them took too long, but for the drop, which makes a picture of 1600 pixels first and so may take
less. Times are by the clock, as a decoder's limit is: they need a machine that has nothing else to
do.

Needs Linux, for its peaks of memory, and a Pillow that writes AVIF.
"""

import io
import json
import multiprocessing
import struct
import sys
import tempfile
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import psutil
from PIL import Image

import penult
from penult.errors import ImageError
from penult.images.limits import DEFAULT
from penult.viewer.content import Content

ROOT = Path(__file__).parents[1]
SIDE = 13_000  # pixels
SCANS = 400
MEMORY = 100 * 10**6  # bytes more in this process
SLACK = 1.0  # seconds beside a decoder's, to hand over and to start another one
PAUSE = 0.01  # seconds between two looks at the decoders


def chunk(name: bytes, content: bytes) -> bytes:
    """A part of a PNG."""
    crc = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc)


def png(width: int, height: int, depth: int, kind: int, more: bytes = b"") -> bytes:
    """A PNG of nothing."""
    channels = {0: 1, 3: 1, 6: 4}[kind]
    row = bytes(1 + (width * channels * depth + 7) // 8)
    packer = zlib.compressobj(9)
    content = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    parts = [b"\x89PNG\r\n\x1a\n", header, more, chunk(b"IDAT", content), chunk(b"IEND", b"")]
    return b"".join(parts)


def saved(mode: str, size: tuple[int, int], kind: str, **options: object) -> bytes:
    """An image of nothing, as Pillow writes it."""
    stream = io.BytesIO()
    Image.new(mode, size).save(stream, kind, **options)
    return stream.getvalue()


def scans(side: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    whole = saved("L", (side, side), "JPEG", progressive=True)
    end = whole.rindex(b"\xff\xd9")
    return whole[:end] + whole[whole.rindex(b"\xff\xda") : end] * SCANS + whole[end:]


def screen(side: int) -> bytes:
    """A GIF with a small picture on a large screen."""
    whole = bytearray(saved("RGB", (8, 8), "GIF"))
    whole[6:10] = struct.pack("<HH", side, side)
    return bytes(whole)


PALETTE = chunk(b"PLTE", bytes(768)) + chunk(b"tRNS", bytes(range(256)))
IMAGES: dict[str, Callable[[int], bytes]] = {
    "bits.png": lambda side: png(side, side, 1, 0),
    "sixteen.png": lambda side: png(side, side, 16, 6),
    "palette.png": lambda side: png(side, side, 8, 3, PALETTE),
    "thin.png": lambda side: png(side * side, 1, 8, 0),
    "scans.jpg": scans,
    "cmyk.jpg": lambda side: saved("CMYK", (side, side), "JPEG", quality=20),
    "screen.gif": screen,
    "fax.tif": lambda side: saved("1", (side, side), "TIFF", compression="group4"),
    "deflate.tif": lambda side: saved(
        "RGB", (side, side), "TIFF", compression="tiff_adobe_deflate"
    ),
    "floats.tif": lambda side: saved("F", (side, side), "TIFF", compression="tiff_adobe_deflate"),
    "alpha.webp": lambda side: saved("RGBA", (side, side), "WEBP", lossless=True),
    "a.avif": lambda side: saved("RGB", (side, side), "AVIF", speed=10),
}  # of a side in pixels


class Given(NamedTuple):
    """What became of an image that was given in some way; memory in bytes."""

    outcome: str  # a code of `ImageError`; nothing if all went well
    seconds: float
    here: int
    decoder: int


def write(folder: Path, side: int = SIDE) -> None:
    """Write all images."""
    for name, make in IMAGES.items():
        (folder / name).write_bytes(make(side))


def of_decoders(peaks: list[int], done: threading.Event) -> None:
    """Note what this process's children have in memory, until it's done."""
    while not done.wait(PAUSE):
        for child in psutil.Process().children():
            try:
                peaks.append(child.memory_info().rss)
            except psutil.Error:  # it has ended
                continue


def status(name: str) -> int:
    """Bytes that Linux says of this process's memory."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def measure(give: Callable[[], object]) -> Given:
    """Give an image."""
    peaks, done = [0], threading.Event()
    watcher = threading.Thread(target=of_decoders, args=(peaks, done))
    watcher.start()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    before, start, outcome = status("VmRSS"), time.perf_counter(), ""
    try:
        give()
    except ImageError as error:
        outcome = error.code
    seconds, here = time.perf_counter() - start, status("VmHWM") - before
    done.set()
    watcher.join()
    return Given(outcome, seconds, here, max(peaks))


def classify(path: Path, model: penult.Model) -> None:
    """Classify one image; raises what became of it."""
    [found] = penult.classify(path, model)
    if found.error:
        code, _, detail = found.error.partition(": ")
        raise ImageError(code, detail)


def wrong(given: Given, way: str, expected: str) -> str:
    """Which promise is broken, if one is."""
    is_same = given.outcome == expected or "timeout" in (given.outcome, expected)
    if not is_same and not (way == "drop" and not given.outcome):
        return f"{given.outcome or 'fine'}, in a run {expected or 'fine'}"
    if given.here > MEMORY:
        return f"{given.here / 1e6:.0f} MB more"
    if given.decoder > DEFAULT.memory:
        return f"{given.decoder / 1e6:.0f} MB in a decoder"
    if given.seconds > DEFAULT.seconds + SLACK:
        return f"{given.seconds:.1f} s"
    return ""


def main(*file: str) -> None:
    """Give each image in each way, and print what became of it."""
    found: dict[str, dict[str, Given]] = {}
    broken = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = folder / "images"
        images.mkdir()
        writer = multiprocessing.get_context("spawn").Process(target=write, args=(images,))
        writer.start()  # apart, as it takes the memory that the images are to take
        writer.join()
        model = penult.load_model()
        run = penult.extract(images, model, out=folder / "run.lance").failures
        features = penult.extract(ROOT / "examples/photos", model, out=folder / "t.lance")
        photo = next((ROOT / "examples/photos").glob("*.jpg"))
        deque(penult.classify(photo, model))  # all is made that a first image has to wait for
        features.search(photo)
        with closing(Content(features)) as content:
            for path in sorted(images.iterdir()):
                ways: dict[str, Callable[[], object]] = {
                    "features": lambda path=path: model.features([path]),
                    "bytes": lambda path=path: model.features([path.read_bytes()]),
                    "search": lambda path=path: features.search(path),
                    "classify": lambda path=path: classify(path, model),
                    "drop": lambda path=path: content.like(path.read_bytes()),
                }
                expected = run.get(path.name, "").partition(":")[0]
                found[path.name] = {way: measure(give) for way, give in ways.items()}
                for way, given in found[path.name].items():
                    reason = wrong(given, way, expected)
                    broken += [f"{path.name}, {way}: {reason}"] * bool(reason)
                print_row(path, found[path.name])
    print(f"{len(found)} images, {len(broken)} of {len(found) * 5} broken", *broken, sep="\n")
    for out in file:
        rows = {
            name: {way: it._asdict() for way, it in ways.items()} for name, ways in found.items()
        }
        Path(out).write_text(json.dumps({"broken": broken, "images": rows}, indent=1) + "\n")
    sys.exit(bool(broken))


def print_row(path: Path, ways: dict[str, Given]) -> None:
    """The largest of all ways, and what became of the image."""
    outcomes = ", ".join(dict.fromkeys(each.outcome or "fine" for each in ways.values()))
    here, decoder = (
        max(getattr(each, name) for each in ways.values()) / 1e6 for name in ("here", "decoder")
    )
    seconds = max(each.seconds for each in ways.values())
    size = path.stat().st_size / 1e6
    print(
        f"{path.name:12} {size:6.2f} MB: {seconds:5.1f} s, here {here:4.0f} MB,"
        f" decoder {decoder:5.0f} MB: {outcomes}",
        flush=True,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
