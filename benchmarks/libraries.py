"""Networks of torchvision, timm, transformers and OpenCLIP: how far from the library's, how fast.

    python benchmarks/libraries.py FOLDER [PATTERN] [--speed]

FOLDER has references like tests/reference/modern: what the libraries computed with stand-in
weights. Prints rows of Markdown: relative errors (L2) of features and logits, and the largest
difference at a place of any layer, in deviations of that layer. With `--speed` also images/s of the
network alone up to its features, on all cores, and the ratio to the same graph in ONNX's own
operators, as an export has it; the two take turns.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path
from statistics import median

import numpy as np

from penult.engine import OnnxRuntime
from penult.graph.tokens import portable
from penult.nets.registry import read_designs
from penult.onnx.writer import to_onnx
from penult.util.machine import cores

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/nets"))

import modern  # noqa: E402 -- the path is set above

ROUNDS, BATCH, CALLS = 5, 4, 4


def engines(reference: modern.Reference) -> Iterator[OnnxRuntime]:
    """Make the network as Penult runs it, then in ONNX's own operators."""
    design = reference.design
    graph = modern.build(design, reference.manifest["input_size"][-1])
    values = {"features": graph[design.architecture().embedding]}
    for outputs in (values, portable(values)):
        yield OnnxRuntime(to_onnx(outputs, lambda variable: reference.weight(variable.name)))


def speed(reference: modern.Reference) -> tuple[float, float]:
    """Measure images/s, and the ratio to the plain graph."""
    batch = np.repeat(reference.inputs[:1], BATCH, axis=0)
    ours, plain = engines(reference)
    seconds: dict[OnnxRuntime, list[float]] = {ours: [], plain: []}
    with ThreadPoolExecutor(cores()) as pool:
        for _ in range(ROUNDS + 1):
            for engine, taken in seconds.items():
                started = time.perf_counter()
                list(pool.map(engine.run, [batch] * CALLS))
                taken.append(time.perf_counter() - started)
    mine, other = (median(taken[1:]) for taken in seconds.values())
    return BATCH * CALLS / mine, other / mine


def main() -> None:
    """Print a row a network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("pattern", nargs="?", default="*")
    parser.add_argument("--speed", action="store_true")
    arguments = parser.parse_args()
    columns = ["network", "features", "logits", "layers"]
    columns += ["images/s", "as exported"] if arguments.speed else []
    print(f"| {' | '.join(columns)} |\n{'| --- ' * len(columns)}|")
    for name in modern.names(arguments.folder):
        reference = modern.Reference(name, arguments.folder)
        if not fnmatch(name, arguments.pattern):
            continue
        if not read_designs(reference.shapes, reference.card):
            continue
        errors = modern.differences(reference)
        layers = max((error for _, error in modern.prints(reference)), default=0)
        logits = f"{errors['logits']:.0e}" if "logits" in errors else ""
        row = [name, f"{errors['features']:.0e}", logits, f"{layers:.0e}"]
        if arguments.speed:
            rate, ratio = speed(reference)
            row += [f"{rate:.3g}", f"{ratio:.2f}"]
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
