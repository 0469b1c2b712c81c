"""How close `penult extract` comes to what this machine can do.

    python benchmarks/limits.py [NETWORK ...]

Decoding, preprocessing, the network and the store are each measured alone, on all cores, on the
same files; so is the whole of `penult.extract`, with a model that is ready. Decoding and
preprocessing have processes that are ready, set up as Penult's. As all of them need the same cores,
an image costs at least the sum of what it costs in each, and the best rate is

    1 / (1/decode + 1/preprocess + 1/network + 1/store)

Rounds are interleaved, since the machine may have other work; printed are medians, and the median
of the ratio in each round. The photos are made of examples/photos: cut, mirrored, resized to
500 x 375 or to 4000 x 3000, and compressed as JPEG: so many that to start the decoders, 0.2 s, is
little of a round. Weights are stand-ins, by tests/reference.

A last line for each says what a core's second went into, as `Timings` has it.
"""

import os
import random
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from runpy import run_path
from statistics import median
from typing import Any, ClassVar

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

import penult
from penult import nets
from penult.extraction.run import COMMIT_ROWS
from penult.graph import variables
from penult.images import load
from penult.images.preprocess import Preprocessing
from penult.images.processes import ENVIRONMENT
from penult.model.stream import BLOCK
from penult.store import Row, TableWriter
from penult.util.machine import cores
from penult.util.progress import Timings

ROOT = Path(__file__).parents[1]
PHOTOS = [p for p in sorted(ROOT.glob("examples/photos/**/*")) if p.suffix in (".jpg", ".png")]
NETWORKS = {"efficientnet_lite0": 1200, "resnet_v1_50": 200, "vgg_16": 64}  # images to a round
KINDS = {"small": ((500, 375), 1200), "12 Mpixel": ((4000, 3000), 40)}
ROUNDS = 5
IN_MEMORY = 8  # decoded images that are preprocessed again and again
STAND_IN = run_path(str(ROOT / "benchmarks/networks.py"))["stand_in"]


def make_photos(folder: Path, size: tuple[int, int], count: int) -> list[Path]:
    """Write as many different photos."""
    rng = random.Random(0)
    folder.mkdir()
    for index in range(count):
        with Image.open(PHOTOS[index % len(PHOTOS)]) as photo:
            left, top, right, bottom = (rng.uniform(a, a + 0.15) for a in (0, 0, 0.85, 0.85))
            box = (
                left * photo.width,
                top * photo.height,
                right * photo.width,
                bottom * photo.height,
            )
            varied = photo.convert("RGB").resize(size, Image.Resampling.BICUBIC, box)
        varied.save(folder / f"{index:04}.jpg", quality=rng.choice([80, 85, 90, 95]))
    return sorted(folder.iterdir())


def make_model(name: str, folder: Path) -> penult.Model:
    """Load a network with stand-in weights."""
    spec = nets.get(name)
    weights = variables([spec.layers()[spec.architecture.embedding]])
    file = folder / f"{name}.safetensors"
    save_file({v.name: np.ascontiguousarray(STAND_IN(v)) for v in weights}, file)
    return penult.load_model(name, weights=file)


class Stages:
    """The stages of an extraction, each to be run alone on the same files."""

    def __init__(self, model: penult.Model, files: list[Path], folder: Path) -> None:
        self.model, self.files, self.folder = model, files, folder
        self.engine = model.engine
        decoded = [load(file) for file in files[: self.engine.batch]]
        self.inputs = np.stack([model.preprocessing(image) for image in decoded])
        self.vectors = {name: row[0] for name, row in self.engine.run(self.inputs).items()}
        self.processes = ProcessPoolExecutor(
            cores(), get_context("spawn"), Worker.begin, (model.preprocessing, files[:IN_MEMORY])
        )
        self.preprocess()  # starts them

    def decode(self) -> None:
        """Read and decode every file."""
        deque(self.processes.map(Worker.decode, self.files, chunksize=BLOCK), maxlen=0)

    def preprocess(self) -> None:
        """Make as many inputs, of a few images."""
        indices = range(len(self.files))
        deque(self.processes.map(Worker.preprocess, indices, chunksize=BLOCK), maxlen=0)

    def network(self) -> None:
        """Run as many inputs through the network."""
        batch = self.engine.batch
        whole, rest = divmod(len(self.files), batch)
        sizes = [batch] * whole + [rest] * bool(rest)
        on_all_cores(lambda size: self.engine.run(self.inputs[:size]), sizes)

    def store(self) -> None:
        """Commit as many rows."""
        rows = (Row(str(index), 0, 0, vectors=self.vectors) for index in range(len(self.files)))
        with self._table() as table:
            while some := list(islice(rows, COMMIT_ROWS)):
                table.append(some)

    def extract(self) -> None:
        """Do it all."""
        out = Path(tempfile.mkdtemp(dir=self.folder)) / "t.lance"
        penult.extract(self.files, self.model, out=out)

    def _table(self) -> TableWriter:
        out = Path(tempfile.mkdtemp(dir=self.folder)) / "t.lance"
        return TableWriter.open_or_create(out, self.model.outputs, self.model.recipe.provenance)


class Worker:
    """What a process does of it; its images and preprocessing are the process's own."""

    images: ClassVar[list[Image.Image]]
    preprocessing: ClassVar[Preprocessing]

    @classmethod
    def begin(cls, preprocessing: Preprocessing, files: list[Path]) -> None:
        """Decode the images that are preprocessed."""
        cls.images, cls.preprocessing = [load(file) for file in files], preprocessing

    @staticmethod
    def decode(file: Path) -> None:
        """Read and decode a file."""
        load(file)

    @classmethod
    def preprocess(cls, index: int) -> None:
        """Make an input of one of the images."""
        cls.preprocessing(cls.images[index % IN_MEMORY])


def on_all_cores(function: Callable[[Any], object], items: Iterable[Any]) -> None:
    """Call in as many threads as there are cores; what is called lets others run meanwhile."""
    with ThreadPoolExecutor(cores()) as pool:
        for future in [pool.submit(function, item) for item in items]:
            future.result()


def measure(stages: Stages) -> str:
    """Run all stages in turn; return the cells of a row."""
    names = ["decode", "preprocess", "network", "store", "extract"]
    rounds = []
    for _ in range(ROUNDS):
        seconds = []
        for name in names:
            start = time.perf_counter()
            getattr(stages, name)()
            seconds.append(time.perf_counter() - start)
        rounds.append(seconds)
    count = len(stages.files)
    rates = [count / median(column) for column in zip(*rounds, strict=True)]
    best = count / median(sum(seconds[:-1]) for seconds in rounds)
    reached = median(sum(seconds[:-1]) / seconds[-1] for seconds in rounds)
    return "".join(f"{rate:12.1f}" for rate in [*rates[:-1], best, rates[-1]]) + f"{reached:9.0%}"


def shares(stages: Stages) -> str:
    """Say where the time of a stream goes; idle is what no stage had of the cores."""
    timings = Timings()
    start = time.perf_counter()
    for _ in stages.model.stream(stages.files, timings=timings):
        pass
    total = cores() * (time.perf_counter() - start)
    names = ("reading", "decoding", "preprocessing", "network")
    parts = {name: getattr(timings, name) / total for name in names}
    parts["idle or other"] = 1 - sum(parts.values())
    return ", ".join(f"{name} {share:.0%}" for name, share in parts.items())


def main(names: list[str]) -> None:
    """Print a row for each network and kind of photo."""
    os.environ |= ENVIRONMENT
    heads = ["decode", "preprocess", "network", "store", "best", "extract"]
    print(f"{'images/s':30}" + "".join(f"{head:>12}" for head in heads) + f"{'reached':>9}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        photos = {kind: make_photos(folder / kind, *made) for kind, made in KINDS.items()}
        for name in names or NETWORKS:
            model = make_model(name, folder)
            for kind, files in photos.items():
                stages = Stages(model, files[: NETWORKS.get(name, 100)], folder)
                print(f"{name + ', ' + kind:30}{measure(stages)}", flush=True)
                print(f"    {shares(stages)}", flush=True)
                stages.processes.shutdown()


if __name__ == "__main__":
    main(sys.argv[1:])
