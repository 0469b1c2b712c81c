"""What a search costs: exact ones in small tables, and what an index finds in large ones.

    python benchmarks/search.py [ROWS [WIDTH]]

Makes tables of clustered vectors in a temporary folder here: 20,000 × 1280, searched exactly, by
NumPy as Penult does and by a scan of Lance's; then ROWS × WIDTH (1,000,000 × 128), by each kind of
index. Recall is that of the 10 nearest of 100 rows, the row itself left out, against an exact
search. Medians of 100 searches in a running process.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

import penult
from penult.analysis import neighbours
from penult.store import FeatureTable, Row, durable

LAYER = "features"
KINDS = ("IVF_FLAT", "IVF_SQ", "IVF_RQ")
BATCH = 50_000  # rows made and stored at a time
CLUSTER = 500  # rows


def table(path: Path, rows: int, width: int) -> penult.Features:
    """Clusters of some hundred rows, whose spread is half the distance between centres."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((max(1, rows // CLUSTER), width), np.float32)
    with FeatureTable.open_or_create(path, {LAYER: (width,)}, {"network": "synthetic"}) as made:
        for start in range(0, rows, BATCH):
            count = min(BATCH, rows - start)
            vectors = centres[random.integers(len(centres), size=count)]
            vectors += random.standard_normal((count, width), np.float32) / 2
            made.append(
                [
                    Row(f"{start + i:08}.jpg", 1, 1, width=1, height=1, vectors={LAYER: vector})
                    for i, vector in enumerate(vectors)
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
    features = table(path, 20_000, 1280)
    query = features.numpy()[7]
    numpy = milliseconds(lambda: features.search(query))
    lance = milliseconds(lambda: features.nearest(LAYER, query, 10), runs=10)
    print(f"20,000 × 1280, exact: {numpy:.1f} ms; a scan by Lance {lance:.0f} ms")


def indexed(path: Path, rows: int, width: int) -> None:
    """Print what each kind of index finds, and in what time."""
    table(path, rows, width)
    for kind in KINDS[: 2 if width % 8 else 3]:  # IVF_RQ needs a multiple of 8
        durable.index_kind = lambda _, kind=kind: kind
        found = penult.index(path, layer=LAYER)
        size = sum(file.stat().st_size for file in path.glob("_indices/*/*")) / 1e6
        print(
            f"{rows:,} × {width}, {kind}: recall {found.recall:.3f}, {found.seconds * 1e3:.1f} ms, "
            f"built in {found.built:.0f} s, {size:.0f} MB of indexes so far",
            flush=True,
        )


def main(rows: int = 1_000_000, width: int = 128) -> None:
    """Measure in a folder on this disk: /tmp may be memory."""
    neighbours.EXACT_BELOW = min(rows, neighbours.EXACT_BELOW)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        exact(Path(folder, "small.lance"))
        indexed(Path(folder, "large.lance"), rows, width)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
