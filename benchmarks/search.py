"""What a search costs: exact ones in small tables, and what an index finds in large ones.

    python benchmarks/search.py [ROWS [WIDTH]]
    python benchmarks/search.py FOLDER

Makes tables of clustered vectors in a temporary folder here: 20,000 × 1280, searched exactly, by
NumPy as Penult does and by a scan of Lance's; then ROWS × WIDTH (1,000,000 × 128), by each kind of
index. With a folder of photos, instead, their own: the default network's 14 × 14 × 112 features of
places in each photo and in its four corners and centre, a million of 1,000 photos. Recall is that
of the 10 nearest of 100 rows, the row itself left out, against an exact search. Medians of 100
searches in a running process.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

import penult
from penult.analysis import neighbours
from penult.store import Row, TableWriter, durable

LAYER = "features"
KINDS = ("IVF_FLAT", "IVF_SQ", "IVF_RQ")
BATCH = 50_000  # rows made and stored at a time
CLUSTER = 500  # rows
PLACES, WIDTH = "block_10", 112


def synthetic(rows: int, width: int) -> Iterator[np.ndarray]:
    """Clusters of some hundred rows, whose spread is half the distance between centres."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((max(1, rows // CLUSTER), width), np.float32)
    for start in range(0, rows, BATCH):
        count = min(BATCH, rows - start)
        vectors = centres[random.integers(len(centres), size=count)]
        yield vectors + random.standard_normal((count, width), np.float32) / 2


def real(folder: Path) -> Iterator[np.ndarray]:
    """What a network sees at each place in photos and in parts of them."""
    model = penult.load_model(layer=PLACES, pool="none")
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in {".jpg", ".jpeg"})
    for start in range(0, len(files), 40):
        photos = [Image.open(file).convert("RGB") for file in files[start : start + 40]]
        images = [each for photo in photos for each in (photo, *parts(photo))]
        yield model.features(images).reshape(-1, WIDTH)


def parts(photo: Image.Image) -> Iterator[Image.Image]:
    """The corners and the centre, half as wide and high."""
    width, height = photo.width // 2, photo.height // 2
    for x, y in ((0, 0), (width, 0), (0, height), (width, height), (width // 2, height // 2)):
        yield photo.crop((x, y, x + width, y + height))


def table(path: Path, batches: Iterable[np.ndarray], width: int) -> penult.Features:
    """Store vectors, a commit a batch."""
    names = count()
    with TableWriter.open_or_create(path, {LAYER: (width,)}, {"network": "benchmark"}) as made:
        for vectors in batches:
            made.append(
                [
                    Row(f"{next(names):08}.jpg", 1, 1, width=1, height=1, vectors={LAYER: vector})
                    for vector in vectors
                ]
            )
    return penult.open(path)


def milliseconds(search: Callable[[], object], runs: int = 100) -> float:
    """The median of many calls, after one that isn't counted."""
    search()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        search()
        times.append(time.perf_counter() - start)
    return 1e3 * median(times)


def exact(path: Path) -> None:
    """Print what an exact search takes, and a scan by Lance."""
    features = table(path, synthetic(20_000, 1280), 1280)
    query = features.numpy()[7]
    numpy = milliseconds(lambda: features.search(query))
    lance = milliseconds(lambda: features.nearest(LAYER, query, 10), runs=10)
    print(f"20,000 × 1280, exact: {numpy:.1f} ms; a scan by Lance {lance:.0f} ms")


def indexed(path: Path, batches: Iterable[np.ndarray], width: int) -> None:
    """Print what each kind of index finds, and in what time."""
    rows = len(table(path, batches, width))
    for kind in KINDS[: 2 if width % 8 else 3]:  # IVF_RQ needs a multiple of 8
        durable.index_kind = lambda _, kind=kind: kind
        found = penult.index(path, layer=LAYER)
        size = sum(file.stat().st_size for file in path.glob("_indices/*/*")) / 1e6
        print(
            f"{rows:,} × {width}, {kind}: recall {found.recall:.3f}, {found.seconds * 1e3:.1f} ms, "
            f"built in {found.built:.0f} s, {size:.0f} MB of indexes so far",
            flush=True,
        )


def main(*arguments: str) -> None:
    """Measure in a folder on this disk: /tmp may be memory."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        if arguments and not arguments[0].isdecimal():
            indexed(Path(folder, "real.lance"), real(Path(arguments[0])), WIDTH)
            return
        rows, width = (*map(int, arguments), *(1_000_000, 128)[len(arguments) :])
        neighbours.EXACT_BELOW = min(rows, neighbours.EXACT_BELOW)
        exact(Path(folder, "small.lance"))
        indexed(Path(folder, "large.lance"), synthetic(rows, width), width)


if __name__ == "__main__":
    main(*sys.argv[1:])
