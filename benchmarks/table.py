"""What many small commits cost: a table of a million rows, against the same in one commit.

    python benchmarks/table.py [ROWS]

Vectors are random, 64 values a row, in commits of 256 rows as `penult extract` makes them. Printed
are the time to write, the size on disk, fragments and versions left, and medians of the times to
open for reading, to open for writing, and to read all vectors, interleaved.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

import penult
from penult.store import Row, TableWriter

WIDTH, COMMIT_ROWS, RUNS = 64, 256, 5


def write(path: Path, rows: int, commit_rows: int) -> float:
    """Write a table; return the seconds it took."""
    rng = np.random.default_rng(0)
    start = time.perf_counter()
    with TableWriter.open_or_create(path, {"pool": (WIDTH,)}, {"network": "random"}) as table:
        for first in range(0, rows, commit_rows):
            vectors = rng.random((min(commit_rows, rows - first), WIDTH), np.float32)
            table.append([row(first + i, vector) for i, vector in enumerate(vectors)])
        table.compact()
    return time.perf_counter() - start


def row(number: int, vector: np.ndarray) -> Row:
    """A row as of the photo of some number."""
    key = f"folder{number // 1000:04}/{number:08}.jpg"
    path = f"/data/photos/{key}"
    return Row(key, 100_000 + number, 10**18 + number, path, width=1, vectors={"pool": vector})


def seconds(action: Callable[[Path], object], path: Path) -> float:
    """Time one call."""
    start = time.perf_counter()
    action(path)
    return time.perf_counter() - start


def main(rows: int) -> None:
    """Write both tables, measure, and print."""
    with tempfile.TemporaryDirectory() as folder:
        tables = {"small commits": COMMIT_ROWS, "one commit": rows}
        print(f"{rows} rows of {WIDTH} values, {rows * WIDTH * 4 / 1e6:.0f} MB")
        for name, commit_rows in tables.items():
            took = write(Path(folder, name), rows, commit_rows)
            facts = penult.open(Path(folder, name)).info
            print(
                f"{name:15}{took:8.1f} s to write, {facts['bytes'] / 1e6:.0f} MB, "
                f"{facts['fragments']} fragments, {facts['versions']} versions"
            )
        for what, action in ACTIONS.items():
            times: dict[str, list[float]] = {name: [] for name in tables}
            for _ in range(RUNS):
                for name in tables:
                    times[name].append(seconds(action, Path(folder, name)))
            small, one = (median(times[name]) for name in tables)
            print(f"{what:15}{small:8.2f} s, {small / one:.2f} times one commit's")


ACTIONS: dict[str, Callable[[Path], object]] = {
    "open to read": penult.open,
    "open to write": lambda path: TableWriter.open(path).close(),
    "all vectors": lambda path: penult.open(path).numpy(),
}

if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
