"""Top-1 and top-5 accuracy on labelled photos.

    python benchmarks/accuracy.py FOLDER [MODEL]

The name of each photo, or of its folder, begins with its class's WordNet id: `n01440764_tench.JPEG`
or `n01440764/1.jpg`. The figures in docs/benchmarks are for the 1000 photos, one a class, of
https://github.com/EliSchwartz/imagenet-sample-images.
"""

import sys
from pathlib import Path

import numpy as np

import penult

CLASSES = Path(penult.__file__).with_name("nets") / "imagenet_classes.tsv"


def main(folder: str, *model: str) -> None:
    """Print the share of photos whose label is the likeliest class, or among the five likeliest."""
    ids = [line.split("\t")[0] for line in CLASSES.read_text(encoding="utf-8").splitlines()]
    found = {
        path: ids.index(name[:9])
        for path in sorted(Path(folder).rglob("*.*"))
        for name in (path.name, path.parent.name)
        if name[:9] in ids
    }
    best = np.argsort(-penult.load_model(*model).logits(found), axis=1)
    hits = best[:, :5] == np.array(list(found.values()))[:, None]
    print(
        f"{len(found)} photos: top-1 {hits[:, 0].mean():.1%}, top-5 {hits.any(axis=1).mean():.1%}"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
