"""What a Ray cluster costs beside the plain command: CPU an image, and CPU whatever the number.

    python benchmarks/ray_cost.py PHOTOS [--images 500 2000] [--runs 1]

Each way runs on two numbers of images, copies of those in PHOTOS; the difference is what an image
costs, the rest is fixed: starting Ray, its processes while they run, the extractors and their
models. It is the CPU of all processes, sampled, and of several runs the median, the ways in turn.
Ray runs in a network namespace of its own (`unshare`, `ip`), where nobody can reach it.

Ways: the plain command; Ray on one machine of two cores, with an extractor a core and with one for
both; and on three machines (a head without cores, and two of one core).
"""

import argparse
import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from itertools import product
from pathlib import Path
from statistics import median

import psutil

SHUT_IN = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "-"]
EVERY = 0.1  # seconds between samples
SUBREAPER = 36  # of prctl(2): who gets the processes that others leave behind
WAYS = {  # machines beside the head, cores of each, cores of an extractor; nothing is no cluster
    "plain": None,
    "one machine, an extractor a core": (1, 2, 1),
    "one machine, one extractor": (1, 2, 2),
    "three machines": (2, 1, 1),
}
DRIVER = """
import sys
from penult.cli import main
from penult.runners import ray
ray.CORES = int(sys.argv.pop(1))
main()
"""


def counted(command: list[str]) -> float:
    """CPU seconds of a command and of all that it starts, until the last of them has ended.

    They are sampled: the kernel forgets the time of children that Ray's processes don't wait for.
    """
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    seen: dict[psutil.Process, float] = {}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            sample(seen)
            time.sleep(EVERY)
    if process.returncode:
        raise SystemExit(f"exit code {process.returncode}: {command}")
    while psutil.Process().children():
        sample(seen)
        with suppress(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
    return sum(seen.values())


def sample(seen: dict[psutil.Process, float]) -> None:
    """Note what each process below this one has taken so far."""
    for each in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            times = each.cpu_times()
            seen[each] = times.user + times.system


def on_cluster(machines: int, cores: int, each: int, arguments: list[str]) -> None:
    """Run `penult` on a cluster that is started for it, and ended."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    settings = {
        "node_ip_address": "127.0.0.1",
        "include_dashboard": False,
        "object_store_memory": 200 << 20,
    }
    alone = machines == 1
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": cores if alone else 0} | settings
    )
    for _ in range(0 if alone else machines):
        cluster.add_node(num_cpus=cores, **settings)
    driver = [sys.executable, "-c", DRIVER, str(each), *arguments, "--ray", cluster.address]
    try:
        subprocess.run(driver, check=True)
    finally:
        cluster.shutdown()


def copies(photos: Path, folder: Path, images: int) -> None:
    """Fill a folder with images, over and over the same ones."""
    files = [file for file in sorted(photos.rglob("*")) if file.suffix in {".jpg", ".png"}]
    for number in range(images):
        file = files[number % len(files)]
        target = folder / str(number // len(files)) / f"{number}{file.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


def measured(way: str, folder: Path, table: Path) -> float:
    """CPU seconds of one run."""
    shutil.rmtree(table, ignore_errors=True)
    extract = ["extract", str(folder), "-o", str(table)]
    own = [sys.executable, __file__]
    if WAYS[way] is None:
        command = [sys.executable, "-m", "penult", *extract]
    else:
        command = [*SHUT_IN, *own, "--cluster", *map(str, WAYS[way]), *extract]
    counting = subprocess.run([*own, "--count", *command], check=True, stdout=subprocess.PIPE)
    return float(json.loads(counting.stdout))


def main() -> None:
    """Measure all ways and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--images", type=int, nargs=2, default=[500, 2000])
    parser.add_argument("--runs", type=int, default=1, help="of which the median counts")
    arguments = parser.parse_args()
    few, many = sorted(arguments.images)
    taken: dict[tuple[str, int], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch:
        for images in (few, many):
            copies(arguments.photos, Path(scratch, str(images)), images)
        for _ in range(arguments.runs):
            for way, images in product(WAYS, (few, many)):
                seconds = measured(way, Path(scratch, str(images)), Path(scratch, "t.lance"))
                taken[way, images].append(seconds)
                print(f"{way}, {images} images: {seconds:.1f} CPU-s", file=sys.stderr, flush=True)
    print(f"| way | CPU-s, {few} | CPU-s, {many} | ms an image | against plain | fixed CPU-s |")
    print("| --- | --- | --- | --- | --- | --- |")
    plain = 0.0
    for way in WAYS:
        small, large = median(taken[way, few]), median(taken[way, many])
        each = (large - small) / (many - few)
        plain = plain or each
        print(
            f"| {way} | {small:.1f} | {large:.1f} | {1000 * each:.1f} | "
            f"{each / plain - 1:+.0%} | {small - few * each:.1f} |"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--count"]:
        print(counted(sys.argv[2:]))
    elif sys.argv[1:2] == ["--cluster"]:
        with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as own:
            os.environ["RAY_TMPDIR"] = own  # not where a cluster of the user's would be looked for
            on_cluster(*map(int, sys.argv[2:5]), sys.argv[5:])
    else:
        start = time.monotonic()
        main()
        print(f"\n{time.monotonic() - start:.0f} s in all", file=sys.stderr)
