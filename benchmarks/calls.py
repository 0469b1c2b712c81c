"""What calls with few images cost, beside one call with all of them.

    python benchmarks/calls.py                  # EfficientNet-Lite0
    python benchmarks/calls.py resnet_v1_50     # with stand-in weights, which take as long

Encoded photos, as a service or a data loader has them. Measured in turns: a call with all 20, five
calls with 4 each; a call with 15 and one with 16, a photo each. Prints the medians of 7 rounds, and
of the ratio within a round.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from runpy import run_path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

import penult

ROOT = Path(__file__).parents[1]
ROUNDS = 7
weight = run_path(str(ROOT / "tests/reference/weights_by_name.py"))["weight"]


def stand_in(name: str, folder: Path) -> Path | None:
    """Write weights for a network that comes without any."""
    manifest = ROOT / f"tests/reference/manifests/{name}.json"
    if not manifest.exists():
        return None
    variables = json.loads(manifest.read_text(encoding="utf-8"))["variables"]
    np.savez(folder / "weights.npz", **{n: weight(n, tuple(shape)) for n, shape, _ in variables})
    return folder / "weights.npz"


def seconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    start = perf_counter()
    call()
    return perf_counter() - start


def main() -> None:
    """Print what calls cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", nargs="?", default="efficientnet_lite0")
    name = parser.parse_args().network
    photos = [p.read_bytes() for p in sorted((ROOT / "examples/photos").rglob("*.*g"))[:20]]
    with TemporaryDirectory() as folder:
        model = penult.load_model(name, weights=stand_in(name, Path(folder)))
        model.features(photos)  # gets all ready
        rounds = [
            (
                seconds(lambda: model.features(photos)),
                seconds(lambda: [model.features(photos[i : i + 4]) for i in range(0, 20, 4)]),
                seconds(lambda: model.features(photos[:15])) / 15,
                seconds(lambda: model.features(photos[:16])) / 16,
            )
            for _ in range(ROUNDS)
        ]
    whole, parts, fifteen, sixteen = (1000 * median(times) for times in zip(*rounds, strict=True))
    print(f"{name}: 20 photos at once {whole:.0f} ms, in five calls {parts:.0f} ms,", end=" ")
    print(f"ratio {median(parts / whole for whole, parts, _, _ in rounds):.2f}")
    print(f"a photo of 15 at once {fifteen:.1f} ms, of 16 {sixteen:.1f} ms,", end=" ")
    print(f"ratio {median(many / few for _, _, few, many in rounds):.2f}")


if __name__ == "__main__":
    main()
