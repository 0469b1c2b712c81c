"""How much memory it takes to know what a run has to do, of a million images by default.

    python benchmarks/planning.py [IMAGES]

The table and the listing are made up, and nothing is computed until all is listed, so that all that
can wait does. Each case runs in a process of its own. Printed are the most memory that it took, and
what of it was left when the plan was made, beside what a table of one row takes; and seconds of a
core. Keys have 26 bytes, places 39.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa

from penult.extraction.plan import Plan
from penult.images import Origin, Version
from penult.store import TableWriter, durable
from penult.util.machine import one_heap
from penult.util.progress import Counts

TOGETHER = 1 << 16
CASES = ("new", "unchanged", "changed", "half", "moved")


def key(number: int) -> str:
    """The key of an image."""
    return f"n{number % 1000:05}/image_{number:09}.jpg"


@dataclass(frozen=True, slots=True)
class Made:
    """An image that there isn't."""

    key: str
    root: str
    number: int
    image: str = ""

    @property
    def place(self) -> str:
        """Where it would be."""
        return self.root + self.key

    @property
    def origin(self) -> Origin:
        """Makes them."""
        return ORIGIN

    def version(self) -> Version:
        """Some size and time."""
        return Version(100_000 + self.number, 1_700_000_000_000_000_000 + self.number)

    def digest(self) -> None:
        """It has none."""


class _Origin:
    def item(self, key: str, place: str, version: Version) -> Made:
        return Made(key, place.removesuffix(key), version.bytes - 100_000)


ORIGIN = _Origin()


@dataclass
class Listing:
    """A source of images that there aren't."""

    case: str
    images: int

    def __iter__(self) -> Iterator[Made]:
        first = self.images // 2 if self.case == "half" else 0
        root = "/moved/photos/" if self.case == "moved" else "/data/photos/"
        for number in range(first, first + self.images):
            yield Made(key(number), root, number + (self.case == "changed"))

    def covers(self, place: str) -> bool:
        """It covers all."""
        return True


def write(path: Path, images: int) -> Path:
    """Write a table of such images."""
    with TableWriter.open_or_create(path, {"pool": (4,)}, {"network": "made up"}) as table:
        schema = table.kind.schema()
        dataset = table._dataset
        for start in range(0, images, TOGETHER):
            rows = piece(schema, range(start, min(start + TOGETHER, images)))
            dataset = durable.commit(path, dataset, rows, replace=False)
    return path


def piece(schema: pa.Schema, numbers: range) -> pa.Table:
    """Some rows."""
    some = [Made(key(number), "/data/photos/", number) for number in numbers]
    values = pa.array(np.zeros(4 * len(some), np.float32))
    columns = {
        "key": [each.key for each in some],
        "path": [each.place for each in some],
        "pool": pa.FixedSizeListArray.from_arrays(values, 4),
        "bytes": [each.version().bytes for each in some],
        "mtime": pa.array([each.version().mtime_ns for each in some]).cast(pa.timestamp("ns")),
    }
    missing = {f.name: pa.nulls(len(some), f.type) for f in schema if f.name not in columns}
    return pa.table(columns | missing, schema=schema)


def planned(path: Path, case: str, images: int) -> tuple[int, float]:
    """Plan a run on a table; return how many images it has to compute, and the memory then."""
    counts = Counts(listing=True)
    how = {"retry_failed": False, "checksum": False, "prune": False}
    with TableWriter.open(path) as table, Plan(table, Listing(case, images), **how) as plan:
        while counts.listing:
            time.sleep(0.05)
            plan.update(counts)
        memory = psutil.Process().memory_info().rss
        return sum(1 for _ in plan), memory


def measure(small: str, table: str, case: str, images: int) -> None:
    """Plan here, and print what it took."""
    one_heap()  # as the command does
    planned(Path(small), "unchanged", 1)
    before, began = psutil.Process().memory_info().rss, time.process_time()
    jobs, after = planned(Path(table), case, images)
    status = Path("/proc/self/status").read_text()
    most = 1024 * int(status.split("VmHWM:")[1].split()[0])
    seconds = time.process_time() - began
    print(json.dumps([jobs, most - before, after - before, seconds]))


def measured(folder: Path, case: str, images: int) -> tuple[int, int, int, float]:
    """Plan in a process of its own: images to compute, most memory, memory left, seconds."""
    small, table = folder / "small.lance", folder / ("small" if case == "new" else "large.lance")
    table = small if case == "new" else table
    command = [sys.executable, __file__, "--one", str(small), str(table), case, str(images)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    jobs, most, left, seconds = json.loads(done.stdout)
    return jobs, most, left, seconds


def main(images: int = 1_000_000) -> None:
    """Measure all cases."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        write(folder / "small.lance", 1)
        write(folder / "large.lance", images)
        print("| images | to compute | MB at most | MB then | CPU-s |")
        print("| --- | --- | --- | --- | --- |")
        for case in CASES:
            jobs, most, left, seconds = measured(folder, case, images)
            print(f"| {case} | {jobs:,} | {most / 1e6:.0f} | {left / 1e6:.0f} | {seconds:.1f} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure(*sys.argv[2:5], int(sys.argv[5]))
    else:
        main(*map(int, sys.argv[1:]))
