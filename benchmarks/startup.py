"""What a start costs: Penult against the bare imports that it can't do without.

    python benchmarks/startup.py [RUNS]

Runs each command as a whole process, interleaved, and prints medians and ratios. The limits are
those that the project holds itself to. Then two figures in seconds: what a TensorFlow checkpoint of
102 MB (ResNet-50, stand-in weights) adds to the same command with the default network, and what it
takes to write the graph of NASNet large, the largest, from weights in memory. What is installed
along counts: Arrow imports pandas where it is, as after `make test`, which takes as long again.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from runpy import run_path
from statistics import median

import numpy as np

from penult import nets
from penult.graph import variables
from penult.graph.products import products
from penult.graph.winograd import winograd
from penult.onnx.writer import to_onnx

ROOT = Path(__file__).parents[1]
PHOTO = ROOT / "examples/photos/hens.jpg"
PYTHON = sys.executable

BARE_CLI = [PYTHON, "-c", "import typer"]
BARE_RUN = [PYTHON, "-c", "import onnxruntime, lance, PIL.Image"]
EXTRACT = [PYTHON, "-m", "penult", "extract", PHOTO]
CASES = {  # name: command, what it is compared with, at most how many times as long
    "penult --version": ([PYTHON, "-m", "penult", "--version"], BARE_CLI, 2.0),
    "import penult": ([PYTHON, "-c", "import penult"], BARE_CLI, 2.0),
    "penult extract of one photo": (EXTRACT, BARE_RUN, 1.2),
}


def seconds(command: list[str]) -> float:
    """Run a command in an empty folder; return the wall time."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        return time.perf_counter() - start


def checkpoint_costs(runs: int) -> float:
    """Compare a run that reads a large checkpoint with one that doesn't."""
    with tempfile.TemporaryDirectory() as folder:
        inputs = run_path(str(ROOT / "benchmarks/peers/inputs.py"))
        inputs["make_checkpoint"](Path(folder), "resnet_v1_50")
        command = [*EXTRACT, "-w", f"{folder}/model.ckpt"]
        return median(seconds(command) - seconds(EXTRACT) for _ in range(runs))


def graph_takes(name: str) -> float:
    """Describe a network and write its model."""
    spec = nets.get(name)
    embedding = spec.architecture.embedding
    needed = variables([spec.layers()[embedding]])
    weights = {v.name: np.ones(v.shape, np.float32) for v in needed}
    start = time.perf_counter()
    values = winograd(products({embedding: spec.layers()[embedding]}))
    to_onnx(values, lambda variable: weights[variable.name])
    return time.perf_counter() - start


def main(runs: int) -> None:
    """Measure all cases in turn, `runs` times, and print a table."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in CASES}
    for _ in range(runs):
        for name, (command, bare, _) in CASES.items():
            times[name].append((seconds(command), seconds(bare)))
    print(f"{'':30}{'median':>9}{'bare':>9}{'ratio':>8}{'limit':>8}")
    for name, pairs in times.items():
        ours, bare = (median(column) for column in zip(*pairs, strict=True))
        ratio = median(a / b for a, b in pairs)
        print(f"{name:30}{ours:8.3f}s{bare:8.3f}s{ratio:8.2f}{CASES[name][2]:8.1f}")
    print(f"\na checkpoint of 102 MB adds {checkpoint_costs(runs):.2f} s (limit 1)")
    print(f"the graph of nasnet_large takes {graph_takes('nasnet_large'):.2f} s (limit 5)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 11)
