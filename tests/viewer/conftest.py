"""A table whose keys are hostile, with real files behind some rows, being served, and a browser."""

import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import penult
from penult.store import Row, TableWriter

KEYS = [
    "<img src=x onerror=document.title='run'>.png",
    "a/\"onmouseover=\"document.title='run'.png",
    "a/<script>document.title='run'</script>.png",
    "a/new\nline.png",
    "a/\u202egnp.exe.png",
    "b/gone.png",
    "b/changed.png",
    "b/plain.png",
]


@pytest.fixture(scope="session")
def table(tmp_path_factory):
    """Rows in the order of `KEYS`, of which `gone` has no file, and `changed` another."""
    folder = tmp_path_factory.mktemp("viewed")
    rows = [_row(folder, number, key) for number, key in enumerate(sorted(KEYS))]
    rows.append(
        Row("c/<b>failed</b>.png", 1, 1, error="damaged: <script>document.title=1</script>")
    )
    with TableWriter.open_or_create(
        folder / "t.lance", {"pool": (4,)}, {"network": "<i>tiny</i>"}
    ) as table:
        table.append(rows)
        table.annotate(
            sorted(KEYS),
            {
                "cluster": np.arange(8, dtype=np.int32) % 3,
                "x": np.linspace(-1, 1, 8, dtype=np.float32),
                "y": np.linspace(-1, 1, 8, dtype=np.float32) ** 2,
                "label": [f"<u>{number % 2}</u>" for number in range(8)],
            },
        )
    return folder / "t.lance"


@pytest.fixture(scope="session")
def viewer(table):
    with penult.view(table) as viewer:
        yield viewer


@pytest.fixture(scope="session")
def photographed(photos, tmp_path_factory):
    """A server of a table that the default model has made of four photos."""
    folder = tmp_path_factory.mktemp("photographed")
    for name in ("cat_chelsea.jpg", "cat_kitten.jpg", "rocket.jpg", "tripod.jpg"):
        shutil.copy2(photos / name, folder)
    features = penult.extract(folder, out=folder / "t.lance")
    with penult.view(features) as viewer:
        yield viewer


@pytest.fixture
def page(browser, viewer):
    with opened(browser, viewer.url) as page:
        yield page


@pytest.fixture
def photo_page(browser, photographed):
    with opened(browser, photographed.url) as page:
        yield page


@pytest.fixture
def made(browser, tmp_path):
    """Opens the page of a table with some rows, columns, and places for the first of them."""
    viewers = []

    def made(rows, placed=0, **columns):
        path = tmp_path / "it's a table.lance"
        keys = sorted(f"{number}.jpg" for number in range(rows))
        vector = np.ones(2, np.float32)
        with TableWriter.open_or_create(path, {"pool": (2,)}, {"network": "tiny"}) as table:
            table.append([Row(key, 1, 1, width=4, height=3, vectors={"pool": vector})
                          for key in keys])  # fmt: skip
            places = np.arange(placed, dtype=np.float32)
            if columns:
                table.annotate(keys, columns)
            if placed:
                table.annotate(keys[:placed], {"x": places, "y": places})
        viewers.append(penult.view(path))
        return opened(browser, viewers[-1].url)

    yield made
    for viewer in viewers:
        viewer.close()


@contextmanager
def opened(browser, address, **options):
    """A page, of which no script may fail, no dialog open, and nothing be blocked."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | options)
    page = context.new_page()
    troubles = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("dialog", lambda dialog: (troubles.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda line: "Security" in line.text and troubles.append(line.text))
    page.goto(address)
    page.wait_for_selector("body.ready", state="attached")
    yield page
    assert troubles == []
    context.close()


def _row(folder: Path, number: int, key: str) -> Row:
    path = folder / f"{number}.png"
    Image.new("RGB", (60 + 10 * number, 60), (30 * number, 120, 90)).save(path)
    state = path.stat()
    if "gone" in key:
        path.unlink()
    vector = np.eye(8, 4, dtype=np.float32)[number] + np.float32(0.1)
    size = state.st_size + ("changed" in key)
    return Row(key, size, state.st_mtime_ns, str(path), width=60 + 10 * number, height=60,
               vectors={"pool": vector})  # fmt: skip
