"""What `duplicates` takes of a large table: seconds and memory.

    python benchmarks/duplicates_cost.py [ROWS [WIDTH]]

Makes a table of ROWS × WIDTH (100,000 × 1280) clustered vectors in a temporary folder here. No two
are near enough to be duplicates, so each is compared with all before it: it takes no longer. There
are no files, so pixels aren't compared. Whole processes; run it by `taskset` to choose cores.
"""

import sys
import tempfile
from pathlib import Path

from processes import measure
from search import synthetic, table

COMMAND = [sys.executable, "-m", "penult"]


def main(rows: int = 100_000, width: int = 1280) -> None:
    """Measure in a folder on this disk: /tmp may be memory."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        path = Path(folder, "large.lance")
        table(path, synthetic(rows, width), width)
        idle = measure([*COMMAND, "info", path], {})
        run = measure([*COMMAND, "duplicates", path, "--no-pixels"], {})
    print(
        f"{rows:,} × {width}: {run.seconds:.0f} s, {run.peak / 1e6:.0f} MB at most; "
        f"`penult info`: {idle.peak / 1e6:.0f} MB"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
