"""What commands on large tables take: a made table, and each command as a process of its own.

    python benchmarks/large_tables.py [ROWS [WIDTH]]

Makes a table of clustered vectors, 2,000,000 × 128, in a temporary folder here, of which no image
exists. Memory is the peak of all processes of a command; that of files that the system may drop at
any time, as of mapped vectors, is in it.
"""

import sys
import tempfile
from pathlib import Path

from processes import measure
from search import LAYER, synthetic, table

PENULT = Path(sys.executable).with_name("penult")
COMMANDS = {
    "info": ["info"],
    "search, exact": ["search", "{key}"],
    "index": ["index"],
    "search, by the index": ["search", "{key}"],
    "search, by the index, among half": ["search", "{key}", "--where", "key <= '{key}'"],
    "20 clusters": ["cluster", "-k", "20"],
    "sample": ["sample", "-n", "100", "--diverse"],
    "export": ["export", "{folder}/out.parquet"],
    "duplicates, by features": ["duplicates", "--no-pixels", "-o", "{folder}/pairs.csv"],
}


def main(rows: int = 2_000_000, width: int = 128) -> None:
    """Print what each takes."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = Path(folder) / "large.lance"
        table(path, synthetic(rows, width), width)
        print(f"{rows:,} × {width}: {4 * rows * width / 1e9:.1f} GB of {LAYER}", flush=True)
        for name, (command, *options) in COMMANDS.items():
            given = [each.format(key=f"{rows // 2:08}.jpg", folder=folder) for each in options]
            run = measure([PENULT, command, path, *given], {})
            print(f"| {name} | {run.seconds:.0f} s | {run.peak / 1e9:.1f} GB |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
