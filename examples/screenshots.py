"""Make the README's pictures of `penult view`: docs/view-grid.png and docs/view-map.png.

    python examples/screenshots.py [FOLDER OF PHOTOS [OUT]]

Needs Chromium, Playwright for Python and penult[analysis].
"""

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

import penult
from penult.store import FeatureTable

LARGEST = 300_000  # bytes of a picture
OPTIONS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader"]


def main(folder: Path, out: Path) -> None:
    """Make a table of a folder's photos with places on a map, and take both pictures."""
    with tempfile.TemporaryDirectory() as temporary:
        features = penult.extract(folder, out=Path(temporary) / f"{folder.name}.lance")
        _place(features)
        with penult.view(features.path) as viewer, sync_playwright() as running:
            browser = running.chromium.launch(
                executable_path=shutil.which("chromium"), args=OPTIONS
            )
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(viewer.url)
            page.wait_for_selector(".tile.loaded")
            for name, key in (("grid", "g"), ("map", "m")):
                page.keyboard.press(key)
                page.wait_for_timeout(2500)  # for all pictures in sight
                _save(page.screenshot(), out / f"view-{name}.png")
            browser.close()


def _place(features: penult.Features) -> None:
    """Store the first two principal components as places."""
    vectors = features.numpy()
    left, scale, _ = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    x, y = (left * scale)[:, :2].T
    with FeatureTable.open(features.path) as table:
        table.annotate(features.keys, {"x": x.astype("float32"), "y": y.astype("float32")})


def _save(screenshot: bytes, path: Path) -> None:
    """Write a picture in as many colours as the size allows."""
    whole = path.with_suffix(".full.png")
    whole.write_bytes(screenshot)
    with Image.open(whole) as image:
        for colours in (256, 128, 64, 32):
            image.convert("RGB").quantize(colours).save(path, optimize=True)
            if path.stat().st_size <= LARGEST:
                break
    whole.unlink()


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    main(*(given + [Path("examples/photos"), Path("docs")][len(given) :]))
