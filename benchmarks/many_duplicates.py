"""What comparing many images by cells misses, and saves: `penult.analysis.cells`.

    python benchmarks/many_duplicates.py FOLDER [PARTS]

Of each photo in FOLDER parts are cut at random (40), and of every tenth of them come altered
versions, of each kind of `duplicates.py`; all are written to files here and extracted. Then they
are compared, each with each and by cells from 5,000 kept images on. Printed are seconds, how many
are dropped, and the share of what is dropped each with each.
"""

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from duplicates import KINDS, OF_PHOTOS
from PIL import Image

import penult
from penult.analysis import kept

SIDE = 300  # pixels of a part, the longer side at most
ALTERED = 10  # parts of which one has versions
FROM = 5000  # kept images from which on there are cells, instead of `kept.MANY`


def cut(photo: Image.Image, count: int, seed: str) -> Iterator[Image.Image]:
    """Parts of a photo, a quarter to two thirds as wide and high."""
    chance = random.Random(seed)
    for _ in range(count):
        share = chance.uniform(0.25, 0.66)
        width, height = int(photo.width * share), int(photo.height * share)
        x, y = chance.randint(0, photo.width - width), chance.randint(0, photo.height - height)
        part = photo.crop((x, y, x + width, y + height))
        part.thumbnail((SIDE, SIDE))
        yield part


def write(photo: Path, folder: Path, count: int) -> None:
    """Write the parts of a photo, and versions of some."""
    with Image.open(photo) as image:
        whole = image.convert("RGB")
    for number, part in enumerate(cut(whole, count, photo.stem)):
        part.save(folder / f"{photo.stem}-{number}.jpg", quality=90)
        if number % ALTERED == 0:
            for kind, alter in (KINDS | OF_PHOTOS).items():
                alter(part).save(folder / f"{photo.stem}-{number}-{kind}.png")


def compare(features: penult.Features, *, pixels: bool) -> None:
    """Print what is dropped each with each, and by cells."""
    exact: set[str] = set()
    for name, many in (("each with each", len(features)), ("by cells", FROM)):
        kept.MANY, start = many, time.monotonic()
        groups = features.duplicates(pixels=pixels).groups
        seconds = time.monotonic() - start
        dropped = {drop.key for group in groups for drop in group.drop}
        exact = exact or dropped
        same = len(dropped & exact) / len(exact)
        print(f"| {name} | {seconds:.0f} s | {len(dropped):,} | {same:.2%} |", flush=True)


def main(folder: Path, count: int = 40) -> None:
    """Make the table, and compare."""
    files = sorted(folder.rglob("*"))
    photos = [file for file in files if file.suffix.lower() in {".jpg", ".jpeg"}]
    with tempfile.TemporaryDirectory(dir=".") as scratch:
        parts = Path(scratch, "parts")
        parts.mkdir()
        with ProcessPoolExecutor() as pool:
            list(pool.map(partial(write, folder=parts, count=count), photos, chunksize=10))
        features = penult.extract(parts, out=Path(scratch, "t.lance"))
        for pixels in (False, True):
            print(f"{len(features):,} images, {'by pixels' if pixels else 'by features alone'}")
            compare(features, pixels=pixels)


if __name__ == "__main__":
    main(*(kind(value) for kind, value in zip((Path, int), sys.argv[1:], strict=False)))
