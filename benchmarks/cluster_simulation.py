"""How long runs on clusters take that nobody has tried: simulated from what was measured.

    python benchmarks/cluster_simulation.py [--core-hour 0.04] [--bandwidth 10] …
    python benchmarks/cluster_simulation.py --measure PHOTO

A run is simulated shard by shard: the driver lists and plans, hands out shards, hears of them and
commits, one thing at a time; cores compute shards, some slower than others, some lost with
their machine; all read from one store. `--measure` prints, for this machine, the CPU of what a
driver does, to be given as options; the defaults were measured so.
"""

import argparse
import pickle
import random
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from pathlib import Path
from time import process_time

import numpy as np

from penult.extraction.plan import Plan
from penult.extraction.run import COMMIT_SECONDS
from penult.images import find_images
from penult.runners.extractor import Done
from penult.runners.pool import LOST_SECONDS, WINDOW
from penult.runners.shards import Shard, shard_rows
from penult.store import PartWriter, Row, TableWriter
from penult.util.progress import Timings

SIZES = (1_000_000, 50_000_000, 1_000_000_000)
CORES = (16, 256, 4096)
NETWORKS = {  # multiply-adds of an image in thousand millions, values of a feature
    "light CNN (EfficientNet-Lite0)": (0.4, 1280),
    "ViT-B/16": (17.6, 768),
    "ViT-L/16": (61.6, 1024),
}
SPREAD = 0.1  # of the time of shards: their logarithm's standard deviation
MEASURED_ROWS = 4000  # of the shard that --measure carries
FRAGMENTS = 1000  # of the table that --measure commits to


@dataclass
class Cluster:
    """What a run meets: figures of `--help`, in seconds, bytes and cores."""

    image: float
    rate: float
    bytes: float
    bandwidth: float
    plan: float
    shard: float
    commit: float
    fragment: float
    lost_every: float


@dataclass
class Run:
    """What came of a run, in seconds."""

    driver: float
    wall: float
    working: float
    reading: bool

    def bottleneck(self, cores: int) -> str:
        """What decides how long it takes."""
        if self.driver > 0.8 * self.wall:
            return "the driver"
        if self.reading:
            return "reading"
        busy = self.working / (cores * self.wall)
        return "cores" if busy > 0.8 else "too few images for so many cores"


def simulate(images: int, cores: int, cost: float, width: int, cluster: Cluster) -> Run:
    """Let a run go by."""
    chance = random.Random(0)
    rows = shard_rows(images, cores, (64 << 20) // (200 + 4 * width))
    count = -(-images // rows)
    readers = min(cores, count)  # at once
    shared = cluster.bytes * readers / cluster.bandwidth  # of an image's time
    carrying = cluster.shard * rows / MEASURED_ROWS
    each = max(cost, shared)
    running: list[tuple[float, int]] = []
    finished: set[int] = set()
    handed = saved = 0
    clock, idle, driver, working, committed = 0.0, cores, 0.0, 0.0, 0.0

    def busy(seconds: float) -> None:
        nonlocal clock, driver
        clock += seconds
        driver += seconds

    while saved < count:
        listed = min(images, (handed + 1) * rows) * cluster.plan + driver  # one core does both
        is_open = idle and handed < count and handed - saved < WINDOW * cores
        if is_open and (not running or listed <= max(clock, running[0][0])):
            clock = max(clock, listed)
            busy(carrying / 2)
            seconds = min(rows, images - handed * rows) * each * chance.lognormvariate(0, SPREAD)
            working += seconds
            if chance.random() < seconds / cluster.lost_every:  # and another does it again
                seconds += seconds * chance.random() + LOST_SECONDS
            heappush(running, (clock + seconds, handed))
            idle, handed = idle - 1, handed + 1
            continue
        if running:
            when, shard = heappop(running)
            clock = max(clock, when)
            busy(carrying / 2)
            finished.add(shard)
            idle += 1
        if saved in finished and (clock - committed > COMMIT_SECONDS or not running):
            while saved in finished:
                finished.remove(saved)
                saved += 1
            busy(cluster.commit + cluster.fragment * saved)
            committed = clock
    return Run(images * cluster.plan + driver, clock, working, shared > cost)


def measure(photo: Path) -> None:
    """Print what this machine's CPU takes for what a driver does."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, table = Path(scratch, "photos"), Path(scratch, "t.lance")
        folder.mkdir()
        for number in range(2 * MEASURED_ROWS):
            shutil.copyfile(photo, folder / f"{number}.jpg") if not number else (
                folder / f"{number}.jpg"
            ).hardlink_to(folder / "0.jpg")
        with TableWriter.open_or_create(table, {"pool": (4,)}, {"network": "none"}) as writer:
            began = process_time()
            how = {"retry_failed": False, "checksum": False, "prune": False}
            with Plan(writer, find_images(folder), **how) as plan:
                jobs = [*plan]
            print(f"--plan {1e6 * (process_time() - began) / len(jobs):.1f} µs an image")
            parts = PartWriter(table, writer.kind)
            vectors = {"pool": np.zeros(4, np.float32)}

            def row(number: int) -> Row:
                return Row(f"{number}.png", 1, number, f"/{number}.png", vectors=vectors)

            done = Done(parts.write([row(n) for n in range(MEASURED_ROWS)]), Timings())

            def carry() -> None:
                files = [job.file for job in jobs[:MEASURED_ROWS]]
                pickle.dumps(Shard(0, files).files)
                pickle.loads(pickle.dumps(done))
                done.part.as_written(files)

            print(f"--shard {1000 * timed(carry, 5):.1f} ms to hand out {MEASURED_ROWS} images")
            costs = []
            for start in (10_000, 20_000):
                batch = [[row(n)] for n in range(start, start + FRAGMENTS)]
                writer.adopt([(rows, parts.write(rows)) for rows in batch])
                single = [[row(start + n)] for n in range(FRAGMENTS, FRAGMENTS + 10)]
                written = iter([(rows, parts.write(rows)) for rows in single])
                costs.append(timed(lambda one=written: writer.adopt([next(one)]), 10))
            slope = (costs[1] - costs[0]) / FRAGMENTS
            print(f"--fragment {1e6 * slope:.1f} µs a commit, for each fragment there is")
            print(f"--commit {1000 * (costs[0] - slope * FRAGMENTS):.1f} ms beside that")


def timed(work: Callable[[], object], times: int) -> float:
    """CPU seconds of a call."""
    began = process_time()
    for _ in range(times):
        work()
    return (process_time() - began) / times


def options() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--measure", type=Path, metavar="PHOTO", help="measure the driver's part here")
    add("--core-hour", type=float, default=0.04, help="what an hour of a core costs")
    add("--image", type=float, default=7.0, help="ms to read, decode and prepare an image")
    add("--rate", type=float, default=45.0, help="thousand million multiply-adds a second, a core")
    add("--bytes", type=float, default=107.0, help="kB of an image")
    add("--bandwidth", type=float, default=10.0, help="gigabits a second that the store gives")
    add("--plan", type=float, default=16.0, help="µs to list an image and plan what to do")
    add("--shard", type=float, default=25.0, help="ms to hand out 4000 images and hear of them")
    add("--commit", type=float, default=4.0, help="ms of a commit")
    add("--fragment", type=float, default=1.5, help="µs of a commit, for each fragment there is")
    add("--lost-every", type=float, default=1000.0, help="hours that a core's machine lives")
    return parser.parse_args()


def main() -> None:
    """Print a table of runs."""
    given = options()
    if given.measure:
        measure(given.measure)
        return
    cluster = Cluster(
        image=given.image / 1e3,
        rate=given.rate,
        bytes=given.bytes * 1e3,
        bandwidth=given.bandwidth * 1e9 / 8,
        plan=given.plan / 1e6,
        shard=given.shard / 1e3,
        commit=given.commit / 1e3,
        fragment=given.fragment / 1e6,
        lost_every=given.lost_every * 3600,
    )
    print("| images, millions | network | cores | hours | core-hours | price | table, GB | limit |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for images in SIZES:
        for network, (gmacs, width) in NETWORKS.items():
            cost = cluster.image + gmacs / cluster.rate
            for cores in CORES:
                run = simulate(images, cores, cost, width, cluster)
                hours = run.wall / 3600
                print(
                    f"| {images // 10**6:,} | {network} | {cores:,} | {hours:,.2f} | "
                    f"{cores * hours:,.0f} | {cores * hours * given.core_hour:,.0f} | "
                    f"{images * (200 + 4 * width) / 1e9:,.0f} | {run.bottleneck(cores)} |"
                )


if __name__ == "__main__":
    main()
