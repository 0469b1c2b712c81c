"""Top-1 and top-5 accuracy on labelled photos by words alone, for networks of images and words.

    python benchmarks/zero_shot.py FOLDER MODEL [WEIGHTS [TEMPLATE…]]

Photos of ImageNet are labelled as for `accuracy.py`, by the WordNet id that their name, or that of
their folder, begins with: their classes are OpenAI's 1000 names. In any other folder the classes
are the folders that photos lie in, with spaces for `_`. Templates are OpenAI's 80 (`imagenet`).
"""

import sys
from pathlib import Path

import numpy as np
from accuracy import CLASSES

import penult
from penult.extraction.wordlists import read_templates
from penult.images import find_images

NAMES = Path(penult.__file__).with_name("extraction") / "words" / "imagenet_names.txt"


def labelled(folder: Path) -> tuple[dict[Path, int], list[str]]:
    """The class of each photo, and the names of the classes."""
    photos = [Path(item.image) for item in find_images(folder)]
    lines = CLASSES.read_text(encoding="utf-8").splitlines()
    places = {line.split("\t")[0]: place for place, line in enumerate(lines)}
    of_imagenet = {
        path: places[name[:9]]
        for path in photos
        for name in (path.name, path.parent.name)
        if name[:9] in places
    }
    if of_imagenet:
        return of_imagenet, NAMES.read_text(encoding="utf-8").splitlines()
    names = sorted({path.parent.name for path in photos})
    found = {path: names.index(path.parent.name) for path in photos}
    return found, [name.replace("_", " ") for name in names]


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def main(folder: str, model: str, weights: str | None = None, *templates: str) -> None:
    """Print the share of photos whose label is the nearest, or among the five nearest."""
    photos, names = labelled(Path(folder))
    with penult.load_model(model, weights=weights) as loaded:
        filled = read_templates(templates or "imagenet")
        texts = loaded.embed_text(names, templates=filled)
        images = loaded.features(list(photos))
    nearest = np.argsort(-unit(images) @ unit(texts).T, axis=1)
    hits = nearest[:, :5] == np.array(list(photos.values()))[:, None]
    print(
        f"{len(photos)} photos, {len(names)} classes, {len(filled)} templates: "
        f"top-1 {hits[:, 0].mean():.1%}, top-5 {hits.any(axis=1).mean():.1%}"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
