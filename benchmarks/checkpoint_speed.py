"""How fast TensorFlow's checkpoints are read: against reading the file and summing it up alone.

    python benchmarks/checkpoint_speed.py [RUNS]

Writes VGG-16 with stand-in weights, 553 MB, as V1, V2 and `.tar.gz`, into a temporary folder. Then,
with all of it in the page cache, each is read in turn in two ways: every variable by
`open_checkpoint`, and the bytes into a buffer with the CRC-32C of each piece (of the unpacked ones
for the archive), which nothing that verifies a checkpoint can do without.

Memory is that of a fresh process that reads one variable after another and keeps none. Of its own
are the arrays and buffers; the resident set has also the pages of the mapped file, which the system
takes back when it needs them.
"""

import gzip
import json
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from runpy import run_path
from statistics import median

import google_crc32c
import numpy as np

from penult.checkpoints import open_checkpoint

TESTS = Path(__file__).parents[1] / "tests"
LIMIT = 1.5  # times as long as reading the file with its checksum; not for the archive
PIECE = 1 << 20  # bytes

MEMORY = """
import sys, tracemalloc
from pathlib import Path
from penult.checkpoints import open_checkpoint

def peak():  # not getrusage's, which begins with that of the parent
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024

start = peak()
if sys.argv[2] == "own":
    tracemalloc.start()
checkpoint = open_checkpoint(sys.argv[1])
for name in checkpoint:
    checkpoint[name]
print(tracemalloc.get_traced_memory()[1] if sys.argv[2] == "own" else peak() - start)
"""


def write_all(folder: Path) -> dict[str, list[Path]]:
    """Write the stand-in in each format; returns what to open and read, by format."""
    writer = run_path(str(TESTS / "checkpoints/tensorflow_writer.py"))
    weight = run_path(str(TESTS / "reference/weights_by_name.py"))["weight"]
    manifest = json.loads((TESTS / "reference/manifests/vgg_16.json").read_text())
    variables = {name: weight(name, tuple(shape)) for name, shape, _ in manifest["variables"]}
    v1, index, archive = (folder / name for name in ("v1.ckpt", "v2.index", "v1.tar.gz"))
    data = folder / "v2.data-00000-of-00001"
    v1.write_bytes(writer["v1"](variables))
    for path, content in zip((index, data), writer["v2"](variables), strict=True):
        path.write_bytes(content)
    with tarfile.open(archive, "w:gz", compresslevel=1) as packed:
        packed.add(v1, v1.name)
    return {"V1": [v1], "V2": [index, data], "V1 in .tar.gz": [archive]}


def sum_up(paths: list[Path]) -> None:
    """Read files, unpacked if they are archives, and compute their CRC-32C."""
    buffer = np.empty(PIECE, np.uint8)
    for path in paths:
        crc = 0
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb", buffering=0) as stream:
            while count := stream.readinto(buffer.data):
                crc = google_crc32c.extend(crc, buffer[:count])


def read_all(paths: list[Path]) -> None:
    """Read every variable of a checkpoint, and keep none."""
    checkpoint = open_checkpoint(paths[0])
    for name in checkpoint:
        checkpoint[name]


def seconds(function: Callable[[list[Path]], None], paths: list[Path]) -> float:
    """The wall time of a call."""
    start = time.perf_counter()
    function(paths)
    return time.perf_counter() - start


def memory(path: Path, kind: str) -> float:
    """The peak of a process that reads a checkpoint, in 10^6 bytes: its "own" or "resident"."""
    command = [sys.executable, "-c", MEMORY, str(path), kind]
    return int(subprocess.run(command, check=True, capture_output=True).stdout) / 1e6


def main(runs: int) -> None:
    """Measure all formats in turn, `runs` times, and print a table."""
    with tempfile.TemporaryDirectory() as folder:
        files = write_all(Path(folder))
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in files}
        for _ in range(runs + 1):  # the first warms up
            for name, paths in files.items():
                times[name].append((seconds(read_all, paths), seconds(sum_up, paths)))
        largest = max(array.nbytes for array in open_checkpoint(files["V2"][0]).values()) / 1e6
        print(f"{'':15}{'read':>9}{'sum':>9}{'ratio':>7}{'limit':>7}{'own':>9}{'resident':>10}")
        for name, pairs in times.items():
            ours, bare = (median(column) for column in zip(*pairs[1:], strict=True))
            ratio = median(a / b for a, b in pairs[1:])
            peaks = [memory(files[name][0], kind) for kind in ("own", "resident")]
            limit = "–" if name.endswith("gz") else LIMIT
            print(
                f"{name:15}{ours:8.3f}s{bare:8.3f}s{ratio:7.2f}{limit:>7}"
                f"{peaks[0]:6.0f} MB{peaks[1]:7.0f} MB"
            )
        print(f"the largest variable, and so the largest block, has {largest:.0f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
