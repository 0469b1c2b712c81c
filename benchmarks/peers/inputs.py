"""The photos and weights that all peers are given; what is there already is left alone.

    python benchmarks/peers/inputs.py CACHE

Photos are crops of examples/photos at varied scales, seeded, JPEG of quality 90: 400 of 500×375 and
60 of 12 megapixels. TF-Slim's networks get a TensorFlow checkpoint of the stand-in weights that
tests/reference/weights_by_name.py makes, since the published ones are not part of this repository.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from runpy import run_path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "tests/reference"
PHOTOS = {"500×375": ((500, 375), 400), "12 megapixels": ((4000, 3000), 60)}  # size, how many
CHECKPOINTS = ("resnet_v1_50", "vgg_16")


def make_photos(folder: Path, size: tuple[int, int], count: int) -> None:
    """Cut `count` photos of one size out of the examples."""
    examples = [
        p for p in sorted(ROOT.glob("examples/photos/**/*")) if p.suffix in {".jpg", ".png"}
    ]
    rng = np.random.default_rng(0)
    for index in range(count):
        with Image.open(examples[index % len(examples)]) as example:
            photo = varied(example.convert("RGB"), size, rng)
        photo.save(folder / f"{index:04}.jpg", quality=90)


def varied(example: Image.Image, size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Cut out a random place at a random scale, in the proportions of `size`."""
    scale = rng.uniform(0.6, 1) * min(a / b for a, b in zip(example.size, size, strict=True))
    width, height = (scale * side for side in size)
    left, top = rng.uniform(0, example.width - width), rng.uniform(0, example.height - height)
    box = (left, top, left + width, top + height)
    return example.resize(size, Image.Resampling.BICUBIC, box)


def make_checkpoint(folder: Path, network: str) -> None:
    """Write a TensorFlow checkpoint (V2) of stand-in weights."""
    weight = run_path(str(REFERENCE / "weights_by_name.py"))["weight"]
    writer = run_path(str(ROOT / "tests/checkpoints/tensorflow_writer.py"))
    manifest = json.loads((REFERENCE / f"manifests/{network}.json").read_text(encoding="utf-8"))
    variables = {name: weight(name, tuple(shape)) for name, shape, _ in manifest["variables"]}
    index, data = writer["v2"](variables)
    (folder / "model.ckpt.index").write_bytes(index)
    (folder / "model.ckpt.data-00000-of-00001").write_bytes(data)


def once(folder: Path, make: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401 - passed on
    """Make a folder's content, unless that was done to its end before."""
    done = folder / ".done"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        make(folder, *arguments)
        done.touch()


def main(cache: Path) -> None:
    """Make whatever the cache lacks."""
    for name, (size, count) in PHOTOS.items():
        once(cache / "photos" / name, make_photos, size, count)
    for network in CHECKPOINTS:
        once(cache / "weights" / network, make_checkpoint, network)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
