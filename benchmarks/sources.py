"""What it costs to read images from archives, tables and buckets rather than from a folder.

    python benchmarks/sources.py [IMAGES [ROUNDS]]

Makes IMAGES (1000) JPEGs of 500 pixels out of examples/photos, each with other pixels, in a folder
of the current disk, and the same files as each kind of source; the buckets are on 127.0.0.1, by a
server of the tests that answers after 10 ms, in a process of its own. Each is extracted by a
process of its own, ROUNDS (3) times in turn: printed is the best. CPU is that of the process and
its decoders, an image; where other programs take the cores, only that can be compared.
"""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import lance
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from pyarrow import feather

import penult

PHOTOS = Path(__file__).parents[1] / "examples/photos"


def photos(count: int) -> dict[str, bytes]:
    """JPEGs by name."""
    noise = np.random.default_rng(0)
    some = [Image.open(path).convert("RGB") for path in sorted(PHOTOS.glob("*.jpg"))]
    for image in some:
        image.thumbnail((500, 500))
    files = {}
    for n in range(count):
        pixels = np.asarray(some[n % len(some)]).copy()
        pixels[::7, ::7] ^= noise.integers(0, 8, 3, np.uint8)
        raw = BytesIO()
        Image.fromarray(pixels).save(raw, "JPEG", quality=90)
        files[f"{n:06}.jpg"] = raw.getvalue()
    return files


def sources(root: Path, files: dict[str, bytes]) -> dict[str, Path]:
    """Write the files as each kind of source."""
    (root / "folder").mkdir()
    for name, data in files.items():
        (root / "folder" / name).write_bytes(data)
    for kind, mode in {"tar": "w", "tar.gz": "w:gz"}.items():
        with tarfile.open(root / f"s.{kind}", mode) as archive:
            archive.add(root / "folder", ".")
    with tarfile.open(root / "s.tar") as archive:
        raw = archive.fileobj
        assert raw is not None
        raw.seek(0)
        with pa.CompressedOutputStream(str(root / "s.tar.zst"), "zstd") as stream:
            stream.write(raw.read())
    with zipfile.ZipFile(root / "s.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    table = pa.table({"image": [{"bytes": each, "path": name} for name, each in files.items()]})
    pq.write_table(table, root / "s.parquet", row_group_size=100)
    feather.write_feather(table, str(root / "s.arrow"), chunksize=100)
    lance.write_dataset(table, root / "s.lance")
    kinds = ["tar", "tar.gz", "tar.zst", "zip", "parquet", "arrow", "lance"]
    return {"folder": root / "folder"} | {kind: root / f"s.{kind}" for kind in kinds}


@contextmanager
def bucket(root: Path) -> Iterator[dict[str, str]]:
    """Serve the folder and the tar as buckets; their names, the environment is set."""
    command = [sys.executable, __file__, "--serve", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as server:
        assert server.stdout is not None
        os.environ.update(json.loads(server.stdout.readline()))
        yield {"s3 prefix": "s3://b/folder", "s3 tar": "s3://b/s.tar"}


def serve(root: str) -> None:
    """Be the server, until standard input ends."""
    tests = Path(__file__).parents[1] / "tests"
    sys.path += [str(tests), str(tests / "images")]
    from bucket import Bucket

    objects = {f"folder/{path.name}": path.read_bytes() for path in Path(root, "folder").iterdir()}
    server = Bucket(objects | {"s.tar": Path(root, "s.tar").read_bytes()})
    server.delay = 0.01
    print(json.dumps(server.environment()), flush=True)
    sys.stdin.read()
    server.close()


def extract(source: str) -> None:
    """Extract a source here, and print what it took."""
    model = penult.load_model()
    model.features(sorted(PHOTOS.glob("*.jpg"))[:2])  # all is started
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        began, before = time.perf_counter(), _cpu()
        features = penult.extract(source, model, out=Path(folder, "t.lance"))
        seconds, cpu = time.perf_counter() - began, _cpu() - before
        most = psutil.Process().memory_info().rss
        print(json.dumps([len(features), seconds, cpu, most]))


def _cpu() -> float:
    here = psutil.Process()
    times = [process.cpu_times() for process in (here, *here.children())]
    return sum(each.user + each.system for each in times)


def main(count: int = 1000, rounds: int = 3) -> None:
    """Measure all kinds of sources."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        paths = sources(Path(folder), photos(count))
        with bucket(Path(folder)) as buckets:
            named = {kind: str(path) for kind, path in paths.items()} | buckets
            runs: dict[str, list[list[float]]] = {kind: [] for kind in named}
            for _ in range(rounds):
                for kind, source in named.items():
                    command = [sys.executable, __file__, "--one", source]
                    done = subprocess.run(command, capture_output=True, text=True, check=True)
                    runs[kind].append(json.loads(done.stdout.splitlines()[-1]))
    base = min(cpu for _, _, cpu, _ in runs["folder"])
    print("| source | images/s | CPU ms/image | against the folder | MB |")
    print("| --- | --- | --- | --- | --- |")
    for kind, some in runs.items():
        assert all(images == count for images, *_ in some)
        seconds, cpu = min(run[1] for run in some), min(run[2] for run in some)
        most = max(run[3] for run in some) / 1e6
        print(
            f"| {kind} | {count / seconds:.0f} | {1000 * cpu / count:.2f} | {cpu / base - 1:+.1%} "
            f"| {most:.0f} |"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        extract(sys.argv[2])
    elif sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2])
    else:
        main(*map(int, sys.argv[1:]))
