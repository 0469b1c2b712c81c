"""What becomes of weights files that are made to hurt, as the count of something in them grows.

    python benchmarks/made_to_hurt.py [JSON]

Of each kind of `hurtful`, files of 30 counts, from 10 to the largest, are opened, and all that
is in them is read. Each must be an error of one line or tensors, in at most `SECONDS` of processor
time, with at most the file's size and `MEMORY` at its peak. It ends with 1 if one isn't.

Each file is read by a process of its own that begins with everything imported. Needs Linux.
"""

import json
import multiprocessing
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from hurtful import KINDS
from mutants import resident

from penult.errors import CheckpointError
from penult.model.inspection import inspect

SIZES = 30
SECONDS = 5.0  # of a core
MEMORY = 100 * 10**6  # bytes beside the file's
LIMIT = 60  # seconds of a core, after which a process is ended
GOOD = Path(__file__).parents[1] / "tests/checkpoints/data/zip2.pth"


class Outcome(NamedTuple):
    """What became of one file; memory in bytes."""

    count: int
    size: int
    seconds: float
    memory: int
    said: str

    @property
    def is_fine(self) -> bool:
        """Whether it kept all promises."""
        one_line = len(self.said) <= 300 and self.said.isprintable()
        return one_line and self.seconds <= SECONDS and self.memory <= self.size + MEMORY


def counts(most: int) -> list[int]:
    """Thirty counts, each the same times the one before."""
    return [round(10 * (most / 10) ** (step / (SIZES - 1))) for step in range(SIZES)]


def read(path: Path) -> str:
    """Read all that is in a file; returns the error, if it is one."""
    try:
        inspect(path, statistics=True)
    except CheckpointError as exc:
        return str(exc) if f"{path.parent}/" in str(exc) else f"without the file's name: {exc}"
    return ""


def measure(path: Path, size: int, count: int) -> Outcome:
    """Read a file; to be called in a process of its own."""
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT + 1))
    Path("/proc/self/clear_refs").write_text("5")  # forget the largest resident set
    before, start = resident("VmRSS"), time.process_time()
    try:
        said = read(path)
    except Exception as exc:  # noqa: BLE001 - to be reported
        said = f"{exc!r}\n"
    seconds = time.process_time() - start
    return Outcome(count, size, seconds, resident("VmHWM") - before, said)


def grown(kind: str, count: int) -> Outcome:
    """Write a file and read it in another process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = KINDS[kind].write(folder, count)
        size = sum(each.stat().st_size for each in folder.iterdir())
        fork = multiprocessing.get_context("fork")
        receiver, sender = fork.Pipe(duplex=False)
        child = fork.Process(target=lambda: sender.send(measure(path, size, count)))
        child.start()
        sender.close()
        try:
            return receiver.recv()
        except EOFError:
            return Outcome(count, size, LIMIT, 0, "no end\n")
        finally:
            child.join()


def main(*file: str) -> None:
    """Measure all kinds on all cores; print a table, and write it as JSON if there is a name."""
    read(GOOD)  # everything is imported
    fork = multiprocessing.get_context("fork")
    found: dict[str, list[Outcome]] = {}
    print(f"{'':30}{'most':>11}{'read':>11}{'s':>7}{'MB':>6}{'broken':>8}", flush=True)
    with ProcessPoolExecutor(mp_context=fork) as pool:
        jobs = {
            name: [pool.submit(partial(grown, name), count) for count in counts(kind.most)]
            for name, kind in KINDS.items()
        }
        for name, futures in jobs.items():
            found[name] = outcomes = [each.result() for each in futures]
            largest = max((each.count for each in outcomes if not each.said), default=0)
            seconds = max(each.seconds for each in outcomes)
            beside = max(each.memory - each.size for each in outcomes) / 1e6
            broken = sum(not each.is_fine for each in outcomes)
            print(
                f"{name:30}{outcomes[-1].count:11}{largest:11}{seconds:7.2f}{beside:6.0f}{broken:8}",
                flush=True,
            )
    bad = [(name, it) for name, each in found.items() for it in each if not it.is_fine]
    print(f"{sum(map(len, found.values()))} files, {len(bad)} broken")
    print(*(f"{name}: {each}" for name, each in bad[:100]), sep="\n", end="\n" if bad else "")
    for name in file:
        rows = {kind: [each._asdict() for each in outcomes] for kind, outcomes in found.items()}
        Path(name).write_text(json.dumps(rows, indent=1) + "\n")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
