"""Extract on a cluster, saying each progress as a line of JSON; started by test_kills.py."""

import json
import sys
import time

import penult
from penult.util.progress import Counts


def say(counts: Counts) -> None:
    """Print what a test waits for."""
    said = {"ok": counts.ok, "failed": counts.failed, "nodes": counts.nodes}
    print(json.dumps(said | {"skipped": counts.skipped, "time": time.monotonic()}), flush=True)


if __name__ == "__main__":
    folder, out, address = sys.argv[1:]
    penult.extract(folder, out=out, ray=address, progress=say)
