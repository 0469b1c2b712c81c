"""How well near-duplicates are found: altered versions of photos, and photos that only look alike.

    python benchmarks/duplicates.py [FOLDER [PHOTOS]]

Each photo gets a version of every kind below, made in memory. FOLDER is `examples/photos` by
default; where it holds fewer photos than asked for (500), parts of them that don't overlap stand
for further ones. Printed are, by threshold, the share of versions of each kind that `duplicates`
would drop (recall), and the share of drops that are of the same photo (precision). Then, for copies
with as many pixels, how often the original is kept: by the size of files alone (as
with `--no-pixels`), and with sharpness.
"""

import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageOps

import penult
from penult.analysis.near_duplicates import THRESHOLD, Alike, assign
from penult.analysis.pixels import ALIKE, SIDE, Grey, agreement

PHOTOS = Path(__file__).parents[1] / "examples/photos"
THRESHOLDS = (0.80, 0.85, 0.88, 0.90, 0.92, 0.94, 0.96, 0.98)
SMALLEST = 160  # pixels of a part that stands for a photo


def resized(photo: Image.Image) -> Image.Image:
    """Half as wide and high."""
    return photo.resize((photo.width // 2, photo.height // 2), Image.Resampling.LANCZOS)


def recompressed(photo: Image.Image) -> Image.Image:
    """JPEG of quality 30."""
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=30)
    return Image.open(file).convert("RGB")


def cropped(photo: Image.Image) -> Image.Image:
    """A tenth of the width and height off, half of it at each edge."""
    x, y = photo.width // 20, photo.height // 20
    return photo.crop((x, y, photo.width - x, photo.height - y))


def watermarked(photo: Image.Image) -> Image.Image:
    """White letters across the middle, an eighth of the height."""
    marked = photo.copy()
    draw = ImageDraw.Draw(marked)
    draw.text(
        (photo.width / 2, photo.height / 2), "SAMPLE", "white", anchor="mm",
        font_size=photo.height / 8,
    )  # fmt: skip
    return marked


KINDS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "resized": resized,
    "recompressed": recompressed,
    "cropped": cropped,
    "watermarked": watermarked,
    "flipped": ImageOps.mirror,
}


def blurred(photo: Image.Image) -> Image.Image:
    """Out of focus by a pixel."""
    return photo.filter(ImageFilter.GaussianBlur(1))


def shaken(photo: Image.Image) -> Image.Image:
    """Moved by five pixels."""
    return photo.filter(ImageFilter.Kernel((5, 5), [0] * 10 + [1] * 5 + [0] * 10))


def enlarged(photo: Image.Image) -> Image.Image:
    """From half the size."""
    return resized(photo).resize(photo.size, Image.Resampling.BICUBIC)


WORSE = {
    "JPEG quality 30": (recompressed, 30),
    "JPEG quality 60": (lambda photo: photo, 60),
    "blurred": (blurred, 95),
    "shaken": (shaken, 95),
    "enlarged": (enlarged, 95),
    "watermarked": (watermarked, 90),
}  # and the quality that they are saved with


def originals(folder: Path, count: int) -> list[Image.Image]:
    """Distinct originals: whole photos, or, where they are too few, one way of cutting them up."""
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in {".jpg", ".jpeg", ".png"})
    whole = [Image.open(file).convert("RGB") for file in files[:count]]
    side = 1
    while len(parts := _cut(whole, side)) < count and len(_cut(whole, side + 1)) > len(parts):
        side += 1
    return parts[:count]


def _parts(photo: Image.Image, side: int) -> Iterator[Image.Image]:
    width, height = photo.width // side, photo.height // side
    for row in range(side):
        for column in range(side):
            x, y = column * width, row * height
            yield photo.crop((x, y, x + width, y + height))


def _cut(whole: list[Image.Image], side: int) -> list[Image.Image]:
    return [p for photo in whole for p in _parts(photo, side) if min(p.size) >= SMALLEST]


def evaluate(
    unit: NDArray[np.float32], count: int, threshold: float, alike: Alike | None
) -> tuple[float, float, dict[str, float]]:
    """Precision, recall, and recall of each kind; rows are the originals, then a kind at a time."""
    kept_for, _ = assign(unit.copy(), threshold, alike)
    photo = np.arange(len(unit)) % count
    dropped = kept_for != np.arange(len(unit))
    right = dropped & (photo == photo[kept_for])
    by_kind = right[count:].reshape(len(KINDS), count).mean(axis=1)
    precision = right.sum() / max(1, dropped.sum())
    return float(precision), float(by_kind.mean()), dict(zip(KINDS, by_kind, strict=True))


def kept(photos: list[Image.Image]) -> None:
    """Print how often an original, a JPEG of quality 90, is kept rather than a worse copy of it."""
    print(f"{'the original is kept':24}{'by file size':>14}{'and sharpness':>15}")
    for name, (alter, quality) in WORSE.items():
        with tempfile.TemporaryDirectory() as folder:
            for index, photo in enumerate(photos):
                photo.save(f"{folder}/{index:03}-original.jpg", quality=90)
                alter(photo).save(f"{folder}/{index:03}-copy.jpg", quality=quality)
            features = penult.extract(folder, out=f"{folder}/t.lance")
            pairs = [
                (group.keep, drop)
                for group in features.duplicates().groups
                for drop in group.drop
                if drop.key[:3] == group.keep.key[:3]
            ]
        larger = [(a.bytes > b.bytes) == ("original" in a.key) for a, b in pairs]
        found = ["original" in keep.key for keep, _ in pairs]
        print(f"{name:24}{np.mean(larger):14.1%}{np.mean(found):15.1%}  of {len(pairs)}")


def main(folder: Path = PHOTOS, count: int = 500) -> None:
    """Compute features of all versions, and print a line a threshold."""
    model = penult.load_model()
    whole = originals(folder, count)
    versions = [whole, *([alter(photo) for photo in whole] for alter in KINDS.values())]
    unit = np.concatenate([model.features(images) for images in versions])
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    same = unit[: len(whole)] @ unit[: len(whole)].T
    alike = np.sort((same - 2 * np.eye(len(whole), dtype=np.float32)).max(axis=1))
    print(
        f"{len(whole)} originals, {len(KINDS)} versions each; nearest other original: "
        f"median {np.median(alike):.2f}, highest {', '.join(f'{a:.3f}' for a in alike[-6::2])}"
    )
    print(f"{'threshold':>10}{'precision':>11}{'recall':>8}  " + "".join(f"{k:>13}" for k in KINDS))
    grey = Grey(SIDE)
    greys = np.array([grey(image)[:, :, 0] for images in versions for image in images], np.uint8)

    def alike(rows: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.bool]:
        return agreement(greys[rows], greys[others]) >= ALIKE

    for name, compare in {"features alone": None, "and pixels": alike}.items():
        print(name)
        for threshold in sorted({*THRESHOLDS, THRESHOLD}):
            precision, recall, kinds = evaluate(unit, len(whole), threshold, compare)
            mark = " default" if compare and threshold == THRESHOLD else ""
            shares = "".join(f"{share:13.1%}" for share in kinds.values())
            print(f"{threshold:10.2f}{precision:11.1%}{recall:8.1%}  {shares}{mark}")
    kept(whole)


if __name__ == "__main__":
    main(*(kind(value) for kind, value in zip((Path, int), sys.argv[1:], strict=False)))
