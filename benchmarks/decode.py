"""What `decode="fast"` gives in speed, and what it costs in features.

    python benchmarks/decode.py FOLDER [MODEL]

Of a folder's photos, 200 are made into two sets of JPEGs of 4000 x 3000 pixels, quality 90:

- enlarged: each photo by itself. It has no detail finer than its own pixels, which flatters the
  figures where preprocessing doesn't smooth (TensorFlow's bilinear).
- mosaic: 8 x 8 photos beside each other, each of 500 x 375. There is much fine detail, and more
  edges than in anybody's photos.

Features and classes are compared with those of exact decoding. Rates are of whole streams, a fast
one after an exact one in each round, since the machine may have other work; medians are printed.
"""

import random
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

import penult
from penult.images import load
from penult.util.machine import cores

PHOTOS = 200
SIZE, TILE, ACROSS = (4000, 3000), (500, 375), 8
ROUNDS, IN_ROUND = 3, 40  # photos to a round of the rates


def enlarged(photos: list[Path], index: int) -> Image.Image:
    """One photo, made large; its sides may change their ratio."""
    return load(photos[index]).resize(SIZE, Image.Resampling.BICUBIC)


def mosaic(photos: list[Path], index: int) -> Image.Image:
    """Many photos, each about as large as it was."""
    rng = random.Random(index)
    whole = Image.new("RGB", SIZE)
    for place, path in enumerate(rng.choices(photos, k=ACROSS**2)):
        row, column = divmod(place, ACROSS)
        tile = load(path).resize(TILE, Image.Resampling.BICUBIC)
        whole.paste(tile, (column * TILE[0], row * TILE[1]))
    return whole


def written(
    make: Callable[[list[Path], int], Image.Image], photos: list[Path], folder: Path
) -> list[Path]:
    """Write a set of large photos."""
    folder.mkdir()
    files = [folder / f"{index:04}.jpg" for index in range(len(photos))]

    def write(index: int) -> None:
        make(photos, index).save(files[index], quality=90)

    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(write, range(len(files))))
    return files


def agreement(exact: penult.Model, fast: penult.Model, files: list[Path]) -> str:
    """Compare the features and the likeliest classes."""
    a, b = exact.features(files), fast.features(files)
    cosines = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    same = (exact.logits(files).argmax(1) == fast.logits(files).argmax(1)).mean()
    least, middle = cosines.min(), np.median(cosines)
    return f"cosine median {middle:.4f}, least {least:.4f}; top-1 agreement {same:.1%}"


def rates(models: list[penult.Model], files: list[Path]) -> list[float]:
    """Images/s of each model, the median of interleaved rounds."""
    seconds: list[list[float]] = [[] for _ in models]
    for _ in range(ROUNDS):
        for model, times in zip(models, seconds, strict=True):
            start = time.perf_counter()
            for _ in model.stream(files):
                pass
            times.append(time.perf_counter() - start)
    return [len(files) / median(times) for times in seconds]


def main(folder: str, *name: str) -> None:
    """Print two lines a set."""
    photos = [p for p in sorted(Path(folder).iterdir()) if p.suffix.lower() in (".jpg", ".jpeg")]
    photos = photos[:: max(1, len(photos) // PHOTOS)][:PHOTOS]
    exact, fast = penult.load_model(*name), penult.load_model(*name, decode="fast")
    with tempfile.TemporaryDirectory() as temporary:
        for make in (enlarged, mosaic):
            files = written(make, photos, Path(temporary) / make.__name__)
            print(f"{make.__name__}, {len(files)} photos: {agreement(exact, fast, files)}")
            slow, quick = rates([exact, fast], files[:IN_ROUND])
            ratio = f"{quick / slow:.1f} times"
            print(f"    exact {slow:.1f} images/s, fast {quick:.1f} images/s: {ratio}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
