"""What a start costs: Penult against the bare imports that it can't do without.

    python benchmarks/startup.py [RUNS]

Runs each command as a whole process, interleaved, and prints medians and ratios. The limits are
those that the project holds itself to.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

PHOTO = Path(__file__).parents[1] / "examples/photos/hens.jpg"
PYTHON = sys.executable

BARE_CLI = [PYTHON, "-c", "import typer"]
BARE_RUN = [PYTHON, "-c", "import onnxruntime, lance, PIL.Image"]
CASES = {  # name: command, what it is compared with, at most how many times as long
    "penult --version": ([PYTHON, "-m", "penult", "--version"], BARE_CLI, 2.0),
    "import penult": ([PYTHON, "-c", "import penult"], BARE_CLI, 2.0),
    "penult extract of one photo": ([PYTHON, "-m", "penult", "extract", PHOTO], BARE_RUN, 1.5),
}


def seconds(command: list[str]) -> float:
    """Run a command in an empty folder; return the wall time."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
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


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 11)
