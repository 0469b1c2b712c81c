"""A table whose keys are hostile, with real files behind some rows, being served."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import penult
from penult.store import FeatureTable, Row

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
    with FeatureTable.open_or_create(
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
