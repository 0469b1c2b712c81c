"""Long runs of `penult.extract`: where the time goes, whether memory grows, what poison costs.

    python benchmarks/long_runs.py profile [IMAGES]    2,000 by default
    python benchmarks/long_runs.py memory [IMAGES]     50,000
    python benchmarks/long_runs.py poison [IMAGES]     10,000, of them 0, 1, 10 and 100 poisonous

With the default network, on JPEGs of 500×375 cut from examples/photos: 400 different ones, each
linked under many names. Memory is that of this process and its decoders, shared pages counted once
(PSS). Poison crashes its decoder, hangs it or takes 4 GiB; the others' features must be, bit for
bit, those of the run without any.
"""

import os
import sys
import tempfile
from pathlib import Path
from runpy import run_path
from statistics import median
from time import perf_counter

import numpy as np
import psutil
from PIL import Image
from poison import HARMS, Poisoned

import penult
from penult.util.machine import cores, one_heap
from penult.util.progress import Counts

INPUTS = run_path(str(Path(__file__).parent / "peers/inputs.py"))
SIZE, DIFFERENT = INPUTS["PHOTOS"]["500×375"]
PILLS = (0, 1, 10, 100)
SAMPLES = 100  # of memory in a run


def make_photos(folder: Path, count: int) -> list[Path]:
    """Write the different photos, then link them until there are as many as asked for."""
    originals, photos = folder / "originals", folder / "photos"
    originals.mkdir()
    photos.mkdir()
    INPUTS["make_photos"](originals, SIZE, min(DIFFERENT, count))
    files = sorted(originals.iterdir())
    links = [photos / f"{index:06}.jpg" for index in range(count)]
    for index, link in enumerate(links):
        os.link(files[index % len(files)], link)
    return links


def profile(folder: Path, count: int) -> None:
    """Say where the time of a run went, of all cores."""
    last = Counts()

    def keep(counts: Counts) -> None:
        nonlocal last
        last = counts

    photos = make_photos(folder, count)
    model = penult.load_model()
    model.features(photos[:20])
    penult.extract(photos, model, out=folder / "t.lance", progress=keep)
    total = cores() * last.seconds
    stages = ("reading", "decoding", "preprocessing", "network")
    parts = {name: getattr(last.timings, name) for name in stages}
    parts["all else"] = total - sum(parts.values())
    print(f"{count:,} images, {count / last.seconds:.0f} images/s on {cores()} cores")
    for name, seconds in parts.items():
        print(f"{name:15}{seconds / total:7.1%}")


def memory(folder: Path, count: int) -> None:
    """Say what a run takes in its beginning and at its end."""
    one_heap()  # as the command does
    process, samples = psutil.Process(), []

    def sample(counts: Counts) -> None:
        if counts.done % (count // SAMPLES) == 0 and counts.done:
            tree = (process, *process.children(recursive=True))
            samples.append(sum(each.memory_full_info().pss for each in tree) / 1e6)

    penult.extract(make_photos(folder, count), out=folder / "t.lance", progress=sample)
    begin, end = median(samples[:5]), median(samples[-5:])
    print(f"{count:,} images: {begin:.0f} MB in the first 5 %, {end:.0f} MB in the last, ", end="")
    print(f"{end / begin - 1:+.1%}; at most {max(samples):.0f} MB")


def poison(folder: Path, count: int) -> None:
    """Extract the same photos with more and more poison among them."""
    photos = make_photos(folder, count)
    expected = None
    for pills in PILLS:
        poisoned = put_poison(photos, pills)
        model = penult.load_model()
        model.preprocessing = Poisoned(model.preprocessing)
        start = perf_counter()
        found = penult.extract(photos, model, out=folder / f"{pills}.lance")
        seconds = perf_counter() - start
        expected = found.numpy() if expected is None else expected
        good = [index for index in range(count) if photos[index] not in poisoned]
        equal = np.array_equal(found.numpy(), expected[good])
        print(
            f"{pills:4} of {count:,} poisonous: {len(found.failures)} failed, {len(found)} ok, "
            f"{'bit-equal' if equal else 'NOT EQUAL'}, {seconds:.0f} s",
            flush=True,
        )


def put_poison(photos: list[Path], pills: int) -> set[Path]:
    """Replace photos, spread over all, by poison of each kind in turn."""
    chosen = photos[7 :: len(photos) // pills][:pills] if pills else []
    for index, photo in enumerate(chosen):
        photo.unlink()
        colour = list(HARMS.values())[index % len(HARMS)]
        Image.new("RGB", (64, 64), colour).save(photo, "png")
    return set(chosen)


PARTS = {"profile": (profile, 2_000), "memory": (memory, 50_000), "poison": (poison, 10_000)}


def main(arguments: list[str]) -> None:
    """Do one part."""
    part, count = PARTS[arguments[0]]
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        part(Path(folder), int(arguments[1]) if arguments[1:] else count)


if __name__ == "__main__":
    main(sys.argv[1:])
