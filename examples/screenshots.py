"""Make the pictures of `penult view` in docs/pictures: view-grid.webp and view-map.webp.

    python examples/screenshots.py [TABLE or FOLDER OF PHOTOS [OUT]]

A table is shown with the places that `penult map` gave it, a folder's photos with clusters too.
Needs penult[analysis], Chromium and Playwright for Python.
"""

import shutil
import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

import penult

LARGEST = 250_000  # bytes of a picture
OPTIONS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader"]


def main(source: Path, out: Path) -> None:
    """Take both pictures of a table, or of one that is made of a folder's photos."""
    with tempfile.TemporaryDirectory() as temporary:
        path = source
        if source.suffix != ".lance":
            path = Path(temporary) / f"{source.name}.lance"
            penult.extract(source, out=path)
            penult.cluster(path, store=True)
            penult.map(path, store=True)
        with penult.view(path) as viewer, sync_playwright() as running:
            browser = running.chromium.launch(
                executable_path=shutil.which("chromium"), args=OPTIONS
            )
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(viewer.url)
            page.wait_for_selector(".tile.loaded")
            for name in ("Grid", "Map"):
                page.get_by_role("tab", name=name).click()
                page.wait_for_timeout(2500)  # for all pictures in sight
                _save(page.screenshot(), out / f"view-{name.lower()}.webp")
            browser.close()


def _save(screenshot: bytes, path: Path) -> None:
    """Write a picture as well as the size allows."""
    with Image.open(BytesIO(screenshot)) as image:
        for quality in (90, 80, 70, 60):
            image.convert("RGB").save(path, quality=quality, method=6)
            if path.stat().st_size <= LARGEST:
                break


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    main(*(given + [Path("examples/photos"), Path("docs/pictures")][len(given) :]))
