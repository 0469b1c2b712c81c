"""What becomes of damaged and forged weights files: one error, or the same tensors.

    python benchmarks/mutants.py [N] [JSON]

Takes the files of tests/reference/checkpoints and tests/checkpoints/data, and a saved probe,
changes each of them at random, but the same in every run, opens N mutants a format (10,000) and
reads all that is in them. Some of TensorFlow's and of probes are signed again, so that they have
what a forger would change, with good checksums. Small files are also cut, and have a bit flipped,
at every byte or at N of them.

It ends with 1 if one of these promises is broken: a CheckpointError of one line or tensors, never
another exception or the end of the process; never more than `SECONDS`, nor more memory than twice
the file and `MEMORY`; never, where checksums cover the content, other tensors than those that were
written; and no file opens that was cut.

Needs Linux, for the memory.
"""

import faulthandler
import gzip
import io
import json
import multiprocessing
import random
import resource
import sys
import tarfile
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from mutations import anything, sign_again, sign_probe_again

from penult.analysis.classifiers import Linear
from penult.analysis.probe_file import Probe, open_probe
from penult.checkpoints import open_checkpoint
from penult.errors import CheckpointError

TESTS = Path(__file__).parents[1] / "tests"
PUBLISHED = TESTS / "reference/checkpoints"
DATA = TESTS / "checkpoints/data"

SECONDS = 5.0
MEMORY = 64 << 20  # bytes, beside twice the file
ADDRESSES = 1 << 30  # bytes that a worker may map beyond those that it begins with
HANG = 300.0  # seconds for a batch, after which the worker shows where it is and ends
BATCH = 250
SMALL = 8 << 10  # bytes; files up to this size are cut and flipped everywhere
CUT, FLIP = "cut", "flipped"

Change = Callable[[bytes, random.Random, list[bytes]], bytes]


class Seed(NamedTuple):
    """A good checkpoint: its files, which one is changed, and which one is opened."""

    files: Mapping[str, bytes]
    changed: str
    opened: str


def tensors(path: Path) -> dict[str, tuple[object, ...]]:
    """All tensors of a checkpoint, as values to be compared."""
    checkpoint = open_checkpoint(path)
    arrays = {name: checkpoint[name] for name in checkpoint}
    return {
        name: (
            array.dtype,
            array.shape,
            array.tolist() if array.dtype == object else array.tobytes(),
        )
        for name, array in arrays.items()
    }


def fitted(path: Path) -> tuple[object, ...]:
    """All that a probe says, as values to be compared."""
    probe = open_probe(path)
    weight, bias = probe.linear.weight.tobytes(), probe.linear.bias.tobytes()
    return weight, bias, str(replace(probe, path=Path(), linear=None))


class Form(NamedTuple):
    """A kind of file: good ones, how to change them, and whether checksums cover their content."""

    seeds: list[Seed]
    change: Change
    covered: bool
    read: Callable[[Path], object] = tensors


def single(paths: Iterable[Path]) -> list[Seed]:
    """Checkpoints of one file each."""
    return [Seed({path.name: path.read_bytes()}, path.name, path.name) for path in sorted(paths)]


def several(changed: str, opened: str | None = None) -> list[Seed]:
    """The published checkpoints of several files, with those that match to be changed."""
    return [
        Seed(
            {each.name: each.read_bytes() for each in path.parent.iterdir()},
            path.name,
            next(path.parent.glob(opened)).name if opened else path.name,
        )
        for path in sorted(PUBLISHED.glob(changed))
    ]


def archives() -> Iterator[Seed]:
    """The published archive, and a small one."""
    yield from single(PUBLISHED.glob("*.tar.gz"))
    content, stream = (PUBLISHED / "mixed_v1/model.ckpt").read_bytes(), io.BytesIO()
    info = tarfile.TarInfo("model.ckpt")
    info.size = len(content)
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(info, io.BytesIO(content))
    yield Seed({"small.tar.gz": gzip.compress(stream.getvalue(), mtime=0)}, *["small.tar.gz"] * 2)


def keras() -> dict[str, bytes]:
    """A file of Keras 2, compressed and not, and one of Keras 3, with the same weights."""
    weights = np.random.default_rng(3).normal(size=(8, 3, 4)).astype(np.float32)
    files = {}
    for name, group in (("plain.h5", "conv/conv"), ("net.weights.h5", "layers/conv/vars")):
        stream = io.BytesIO()
        with h5py.File(stream, "w") as file:
            file.create_dataset(f"{group}/kernel:0", data=weights)
            options = {"compression": "gzip", "shuffle": True, "fletcher32": True}
            file.create_dataset(f"{group}/packed:0", data=weights, **options)
            file["conv" if name == "plain.h5" else "layers"].attrs["weight_names"] = [b"kernel:0"]
        files[name] = stream.getvalue()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", files["net.weights.h5"])
    return {**files, "net.keras": stream.getvalue()}


def probe() -> list[Seed]:
    """A saved probe."""
    weight = np.random.default_rng(4).normal(size=(3, 8)).astype(np.float32)
    made = {"network": "tiny", "size": 8, "ema": False, "versions": {"penult": "0.1.0"}}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "probe.safetensors"
        linear = Linear(weight, weight[:, 0])
        Probe(path, ("cat", "dog", "eel"), "pool", (8,), made, linear, 60, 0.9).save(path)
        return single([path])


def alone(suffix: str) -> list[Seed]:
    """Those of Keras' files that have a suffix."""
    files = keras().items()
    return [Seed({n: content}, n, n) for n, content in files if n.endswith(suffix)]


@cache
def all_files() -> list[bytes]:
    """The changed files of all formats, for splices."""
    return [seed.files[seed.changed] for form in forms().values() for seed in form.seeds]


@cache
def forms() -> dict[str, Form]:
    """All kinds of files."""
    index, data = several("*/*.index"), several("*/*.data-*", "*.index")
    v1 = several("*_v1/*.ckpt") + several("*_v1_sharded/*-of-*")
    return {
        "TensorFlow V1": Form(v1, anything, True),
        "TensorFlow V1, signed": Form(v1, sign_again, False),
        "TensorFlow V2 index": Form(index, anything, True),
        "TensorFlow V2 index, signed": Form(index, sign_again, False),
        "TensorFlow V2 data": Form(data, anything, True),
        "TensorFlow .tar.gz": Form(list(archives()), anything, True),
        "PyTorch zip": Form(single(DATA.glob("zip?.pth")), anything, True),
        "PyTorch legacy": Form(single(DATA.glob("*legacy*.pth")), anything, False),
        "safetensors": Form(single(DATA.glob("*.safetensors")), anything, False),
        "probe": Form(probe(), anything, True, fitted),
        "probe, signed": Form(probe(), sign_probe_again, False, fitted),
        "Keras .h5": Form(alone(".h5"), anything, False),
        "Keras .keras": Form(alone(".keras"), anything, True),
        "NumPy .npz": Form(single(PUBLISHED.glob("*/expected.npz")), anything, True),
    }


class Outcome(NamedTuple):
    """What became of one file."""

    kind: str
    detail: str
    seconds: float
    memory: int


class Report(NamedTuple):
    """What became of a batch."""

    counts: Counter[str]
    seconds: float
    memory: int
    broken: list[str]


def begin() -> None:
    """Limit what a worker may map; what it holds at its start isn't counted."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + ADDRESSES,) * 2)


def resident(which: str) -> int:
    """The resident set: "VmRSS" is the one now, "VmHWM" the largest since it was forgotten."""
    return int(Path("/proc/self/status").read_text().split(which + ":")[1].split()[0]) << 10


def opened(path: Path, read: Callable[[Path], object], good: object, size: int) -> Outcome:
    """Open a file and read all that is in it."""
    Path("/proc/self/clear_refs").write_text("5")  # forget the largest resident set
    before, start, detail = resident("VmRSS"), time.perf_counter(), ""
    try:
        kind = "equal" if read(path) == good else "other"
    except CheckpointError as exc:
        kind, detail = "refused", str(exc)
        if len(detail) > 300 or not detail.isprintable() or f"{path.parent}/" not in detail:
            kind = "unclear"
    except Exception as exc:  # noqa: BLE001 - to be reported
        kind, detail = "raised", repr(exc)
    seconds, memory = time.perf_counter() - start, resident("VmHWM") - before
    if kind in ("equal", "other", "refused") and seconds > SECONDS:
        kind = "slow"
    elif kind in ("equal", "other", "refused") and memory > 2 * size + MEMORY:
        kind = "large"
    return Outcome(kind, detail, seconds, memory)


@cache
def good(form: str, number: int) -> object:
    """What is in a good file."""
    seed = forms()[form].seeds[number]
    with tempfile.TemporaryDirectory() as folder:
        for name, content in seed.files.items():
            (Path(folder) / name).write_bytes(content)
        return forms()[form].read(Path(folder) / seed.opened)


def run(form: str, fine: set[str], files: Callable[[], Iterator[tuple[str, int, bytes]]]) -> Report:
    """Open files, each given by what to call it, the number of its seed and the changed bytes."""
    faulthandler.dump_traceback_later(HANG, exit=True)
    counts: Counter[str] = Counter()
    seconds, memory, broken = 0.0, 0, []
    with tempfile.TemporaryDirectory() as parent:
        for label, number, raw in files():
            seed, folder = forms()[form].seeds[number], Path(parent) / str(number)
            if not folder.exists():
                folder.mkdir()
                for name, content in seed.files.items():
                    (folder / name).write_bytes(content)
            (folder / seed.changed).unlink()
            (folder / seed.changed).write_bytes(raw)
            size = sum(map(len, seed.files.values()))
            path, read = folder / seed.opened, forms()[form].read
            outcome = opened(path, read, good(form, number), size)
            counts[outcome.kind] += 1
            seconds, memory = max(seconds, outcome.seconds), max(memory, outcome.memory)
            if outcome.kind not in fine:
                broken.append(f"{form}, {label}: {outcome.kind} {outcome.detail}".rstrip())
    faulthandler.cancel_dump_traceback_later()
    return Report(counts, seconds, memory, broken)


def allowed(form: str) -> set[str]:
    """What may become of a changed file."""
    return {"refused", "equal"} if forms()[form].covered else {"refused", "equal", "other"}


def mutants(form: str, numbers: range) -> Report:
    """Open these mutants of a format."""
    change = forms()[form].change

    def files() -> Iterator[tuple[str, int, bytes]]:
        for number in numbers:
            rng = random.Random(f"{form} {number}")
            chosen = rng.randrange(len(forms()[form].seeds))
            seed = forms()[form].seeds[chosen]
            yield f"mutant {number}", chosen, change(seed.files[seed.changed], rng, all_files())

    return run(form, allowed(form), files)


def everywhere(form: str, chosen: int, count: int, change: str) -> Report:
    """Open a file cut, or with a bit flipped, at every byte or at this many of them."""
    seed = forms()[form].seeds[chosen]
    raw = seed.files[seed.changed]
    rng = random.Random(form)

    def files() -> Iterator[tuple[str, int, bytes]]:
        for at in rng.sample(range(len(raw)), min(len(raw), count)):
            flipped = bytes([raw[at] ^ 1 << rng.randrange(8)]) + raw[at + 1 :]
            yield f"{seed.changed} {change} at {at}", chosen, raw[:at] + flipped * (change == FLIP)

    return run(form, {"refused"} if change == CUT else allowed(form), files)


def jobs(count: int) -> Iterator[tuple[str, Callable[[], Report]]]:
    """Everything to be done, with the row of the table that it is for."""
    for name, form in forms().items():
        for start in range(0, count, BATCH):
            yield name, partial(mutants, name, range(start, min(start + BATCH, count)))
        if form.change is anything:
            for chosen, seed in enumerate(form.seeds):
                for change in (CUT, FLIP) if len(seed.files[seed.changed]) <= SMALL else ():
                    yield f"{name}, {change}", partial(everywhere, name, chosen, count, change)


def main(count: int, *file: str) -> None:
    """Do it all on all cores; print a table, and write the same as JSON if there is a name."""
    all_files()
    fork = multiprocessing.get_context("fork")
    reports: dict[str, list[Report]] = {}
    with ProcessPoolExecutor(mp_context=fork, initializer=begin) as pool:
        futures = [(name, pool.submit(job)) for name, job in jobs(count)]
        for name, future in futures:
            reports.setdefault(name, []).append(future.result())
    print(
        f"{'':34}{'files':>7}{'refused':>9}{'equal':>7}{'other':>7}{'broken':>8}{'s':>7}{'MB':>6}"
    )
    rows = {}
    for name, batches in reports.items():
        counts = sum((each.counts for each in batches), Counter[str]())
        rows[name] = {
            "files": counts.total(),
            **{kind: counts[kind] for kind in ("refused", "equal", "other")},
            "broken": sum(len(each.broken) for each in batches),
            "seconds": round(max(each.seconds for each in batches), 3),
            "megabytes": round(max(each.memory for each in batches) / 1e6),
        }
        files, refused, equal, other, broken, seconds, memory = rows[name].values()
        print(f"{name:34}{files:7}{refused:9}{equal:7}{other:7}{broken:8}{seconds:7.2f}{memory:6}")
    found = [each for batches in reports.values() for report in batches for each in report.broken]
    print(*found[:100], sep="\n", end="\n" if found else "")
    for name in file:
        Path(name).write_text(json.dumps({"rows": rows, "broken": found}, indent=1) + "\n")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main(*(int(word) if n == 0 else word for n, word in enumerate(sys.argv[1:] or ["10000"])))
