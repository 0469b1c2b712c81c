"""Whether a change of the code moves any bit of any layer: digests recorded, then compared.

    python benchmarks/bits.py record bits.json     # at the commit before
    python benchmarks/bits.py compare bits.json    # at the commit after
    python benchmarks/bits.py compare bits.json -n 'resnet*'

Each network of tests/reference gets its stand-in weights and runs on example photos with all of
its layers unpooled, its default layers averaged, with `exact` too, and its classifier;
EfficientNet-Lite with its published weights. Each preprocessing runs on all photos in two sizes.
Digests hold for one processor and one version of ONNX Runtime, so both commits have to run on the
same machine.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from runpy import run_path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

import penult

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "tests/reference"
PHOTOS = sorted((ROOT / "examples/photos").rglob("*.*g"))
PREPROCESSINGS = ("efficientnet", "inception", "vgg", "lenet", "cifarnet", "torchvision", "raw")
weight = run_path(str(REFERENCE / "weights_by_name.py"))["weight"]


def digest(arrays: list[np.ndarray]) -> str:
    """One digest of some arrays, shapes included."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(repr((array.shape, str(array.dtype))).encode())
        found.update(np.ascontiguousarray(array))
    return found.hexdigest()[:16]


def layers(model: penult.Model, photos: list[Path]) -> dict[str, str]:
    """The digest of each layer of a model for some photos."""
    outcomes = [outcome.vectors for outcome in model.stream(photos)]
    return {name: digest([each[name] for each in outcomes]) for name in model.outputs}


def of_network(name: str, weights: Path | None) -> dict[str, str]:
    """The digests of all layers, and of features in each way to compute them."""
    every = list(penult.load_model(name, weights=weights).layers)
    found = layers(penult.load_model(name, weights=weights, layer=every, pool="none"), PHOTOS[:2])
    for title, options in {
        "features": {},
        "exact": {"exact": True},
        "fast": {"decode": "fast"},
        "max": {"pool": "max", "layer": every[len(every) // 2]},
    }.items():
        model = penult.load_model(name, weights=weights, **options)
        found |= {f"{title}: {k}": v for k, v in layers(model, PHOTOS[:3]).items()}
    logits = penult.load_model(name, weights=weights).logits(PHOTOS[:2])
    return found | {"logits()": digest([logits])}


def of_preprocessings() -> dict[str, str]:
    """The digests of all inputs that each preprocessing makes of the photos."""
    photos = [Image.open(path).convert("RGB") for path in PHOTOS]
    found = {}
    for name in PREPROCESSINGS:
        for size in (224, 299):
            made = penult.load_model(preprocess=name, size=size).preprocessing
            found[f"{name} {size}"] = digest([made(photo) for photo in photos])
    return found


def networks(pattern: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each name with its digests; networks with stand-in weights have a reference."""
    if fnmatchcase("preprocessings", pattern):
        yield "preprocessings", of_preprocessings()
    for name in ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"):
        if fnmatchcase(name, pattern):
            yield name, of_network(name, None)
    for file in sorted(REFERENCE.glob("manifests/*.json")):
        if not fnmatchcase(file.stem, pattern):
            continue
        manifest = json.loads(file.read_text(encoding="utf-8"))
        variables = {n: weight(n, tuple(shape)) for n, shape, _ in manifest["variables"]}
        with TemporaryDirectory() as folder:
            path = Path(folder, "weights.npz")
            np.savez(path, **variables)
            del variables
            yield file.stem, of_network(file.stem, path)


def main() -> None:
    """Record digests in a file, or compare with it and exit with 1 if any differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("action", choices=["record", "compare"])
    parser.add_argument("file", type=Path)
    parser.add_argument("-n", "--networks", default="*", help="pattern of names")
    arguments = parser.parse_args()
    record = arguments.action == "record"
    known = {} if record else json.loads(arguments.file.read_text(encoding="utf-8"))
    found, differing = {}, 0
    for name, digests in networks(arguments.networks):
        found[name] = digests
        if record:
            print(f"{name}: {len(digests)} digests", flush=True)
            continue
        wrong = [each for each, value in known[name].items() if digests.get(each) != value]
        differing += len(wrong)
        print(
            f"{name}: {len(known[name])} digests, {len(wrong)} differ {wrong[:3] or ''}", flush=True
        )
    if record:
        arguments.file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    sys.exit(bool(differing))


if __name__ == "__main__":
    main()
