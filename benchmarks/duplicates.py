"""How well near-duplicates are found: altered versions of pictures, and those that only look alike.

    python benchmarks/duplicates.py [FOLDER [PHOTOS [MADE]]]

Of photos and of pictures made up by `made_pictures` (MADE of a kind, 100), each gets a version of
every kind below; all are written to files, extracted and compared as by the command. FOLDER is
`examples/photos` by default; where it holds fewer photos than asked for (500), parts of them that
don't overlap stand for further ones. Printed are the share of drops that are of the same picture
(precision), the share of versions of each kind that are found (recall), and how many pictures
`--move` would leave no version of. The made ones are others than `penult.analysis.agreement` was
tuned on, which were those of seed 0.

Then, of photos: by threshold, what features alone find; and for copies with as many pixels, how
often the original is kept: by the size of files alone (as with `--no-pixels`), and with sharpness.
"""

import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from made_pictures import MAKERS, made
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

import penult
from penult.analysis import filing
from penult.analysis.stars import assign
from penult.analysis.thresholds import PLAIN

SEED = 1
PHOTOS = Path(__file__).parents[1] / "examples/photos"
THRESHOLDS = (0.80, 0.85, 0.88, 0.90, 0.92, 0.94, 0.96, 0.98)
SMALLEST = 160  # pixels of a part that stands for a photo


def resized(photo: Image.Image) -> Image.Image:
    """Half as wide and high."""
    return photo.resize((photo.width // 2, photo.height // 2), Image.Resampling.LANCZOS)


def recompressed(photo: Image.Image) -> Image.Image:
    """JPEG of quality 30; of what has transparency WebP."""
    file = io.BytesIO()
    photo.save(file, "WEBP" if photo.mode == "RGBA" else "JPEG", quality=30)
    return Image.open(file).convert(photo.mode)


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


def brightened(by: float) -> Callable[[Image.Image], Image.Image]:
    """All levels times so much; transparency stays."""

    def alter(picture: Image.Image) -> Image.Image:
        result = ImageEnhance.Brightness(picture.convert("RGB")).enhance(by)
        if picture.mode == "RGBA":
            result.putalpha(picture.getchannel("A"))
        return result

    return alter


KINDS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "resized": resized,
    "recompressed": recompressed,
    "cropped": cropped,
    "brighter": brightened(1.25),
    "darker": brightened(0.75),
}
OF_PHOTOS: dict[str, Callable[[Image.Image], Image.Image]] = {
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


def evaluate(kind: str, pictures: list[Image.Image]) -> None:
    """Print what is found of one kind of pictures."""
    kinds = KINDS | (OF_PHOTOS if kind == "photos" else {})
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, kind)
        folder.mkdir()
        for number, picture in enumerate(pictures):
            for name, alter in {"original": lambda same: same, **kinds}.items():
                save(alter(picture), folder / f"{number:03}-{name}", kind)
        table = penult.extract(folder, out=Path(place, "t.lance"))
        found = table.duplicates()
        filing.move(found, Path(place, "moved"), root=folder)
        left = {path.name[:3] for path in folder.iterdir()}
    pairs = [(group.keep.key, drop.key) for group in found.groups for drop in group.drop]
    right = [pair for pair in pairs if pair[0][:3] == pair[1][:3]]
    members = {Path(key).stem for pair in right for key in pair}
    recall = {
        name: np.mean([f"{n:03}-{name}" in members for n in range(len(pictures))]) for name in kinds
    }
    shares = "".join(f"{name} {share:.1%}  " for name, share in recall.items())
    print(
        f"{kind:12} {len(pictures)} pictures, precision {len(right) / max(1, len(pairs)):.1%}, "
        f"lost by --move {len(pictures) - len(left)}; {shares}"
    )


def save(picture: Image.Image, path: Path, kind: str) -> None:
    """Photos and scans as JPEG of quality 95, all else without loss."""
    if kind in ("photos", "scans"):
        picture.save(path.with_suffix(".jpg"), quality=95)
    else:
        picture.save(path.with_suffix(".png"))


def features_alone(photos: list[Image.Image]) -> None:
    """Print precision and recall of features without pixels, a line a threshold."""
    kinds = KINDS | OF_PHOTOS
    model, count = penult.load_model(), len(photos)
    versions = [photos, *([alter(photo) for photo in photos] for alter in kinds.values())]
    unit = np.concatenate([model.features(images) for images in versions])
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    print("photos by features alone\n threshold  precision" + "".join(f"{k:>13}" for k in kinds))
    for threshold in THRESHOLDS:
        precision, recall = judge(unit, count, threshold)
        mark = " default" if threshold == PLAIN else ""
        print(f"{threshold:10.2f}{precision:11.1%}" + "".join(f"{r:13.1%}" for r in recall) + mark)


def judge(unit: NDArray[np.float32], count: int, threshold: float) -> tuple[float, list[float]]:
    """Precision, and recall of each kind; rows are the originals, then a kind at a time."""
    kept_for = assign(unit.copy(), threshold).kept_for
    photo = np.arange(len(unit)) % count
    dropped = kept_for != np.arange(len(unit))
    right = dropped & (photo == photo[kept_for])
    return float(right.sum() / max(1, dropped.sum())), [
        float(part.mean()) for part in np.split(right[count:], len(unit) // count - 1)
    ]


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


def main(folder: Path = PHOTOS, count: int = 500, made_count: int = 100) -> None:
    """Evaluate all kinds, then photos further."""
    photos = originals(folder, count)
    evaluate("photos", photos)
    for kind in MAKERS:
        evaluate(kind, made(kind, made_count, SEED))
    features_alone(photos)
    kept(photos)


if __name__ == "__main__":
    main(*(kind(value) for kind, value in zip((Path, int, int), sys.argv[1:], strict=False)))
