"""Layers that are added to a table, with runs that are killed, and what stays as it is."""

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import penult
from penult.errors import StoreError
from penult.store import Row, TableWriter

from ..means import Means

IMAGES = 12
RUN = """
import sys
from pathlib import Path

folder, out, log, point, when, count, tests = sys.argv[1:]
sys.path.insert(0, tests)
import penult
from killing import kill_at
from means import Means
from penult.extraction import run

run.COMMIT_ROWS = 4
kill_at(point, when, int(count))
penult.extract(folder, Means(Path(log), layers=["max"]), out=out)
"""


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(IMAGES):
        image = Image.new("RGB", (9, 9), (6 * index, 255 - index, 7))
        image.putpixel((0, 0), (255, 9, index))
        image.save(folder / f"{index:02}.png")
    return folder


@pytest.fixture
def table(folder, tmp_path):
    return penult.extract(folder, Means(), out=tmp_path / "t.lance")


def lines(log):
    return log.read_text().splitlines() if log.exists() else []


def of_both(folder, tmp_path):
    return penult.extract(folder, Means(layers=["mean", "max"]), out=tmp_path / "both.lance")


def assert_equal(table, other):
    found, other = penult.open(table.path), penult.open(other.path)
    assert dict(found.layers) == dict(other.layers)
    assert found.keys == other.keys
    assert found.provenance == other.provenance
    for layer in other.layers:
        np.testing.assert_array_equal(found.numpy(layer), other.numpy(layer))


def test_a_layer_is_added_and_nothing_else_is_computed(folder, table, tmp_path):
    log = tmp_path / "log"
    before = table.numpy()
    data = {file.name for file in (table.path / "data").iterdir()}
    found = penult.extract(folder, Means(log, layers=["max"]), out=table.path)
    assert list(found.layers) == ["mean", "max"]
    assert len(lines(log)) == IMAGES
    np.testing.assert_array_equal(found.numpy("mean"), before)
    assert data <= {file.name for file in (table.path / "data").iterdir()}
    assert not (table.path / "_penult_adding").exists()
    assert_equal(found, of_both(folder, tmp_path))


def test_all_layers_are_continued_whichever_are_asked_for(folder, tmp_path):
    log = tmp_path / "log"
    table = of_both(folder, tmp_path)
    Image.new("RGB", (5, 5), "red").save(folder / "new.png")
    found = penult.extract(folder, Means(log, layers=["max"]), out=table.path)
    assert [Path(line).name for line in lines(log)] == ["new.png"]
    assert found.numpy("mean").shape == found.numpy("max").shape == (IMAGES + 1, 3)


def test_new_changed_and_failed_images_come_along(folder, table, tmp_path):
    Image.new("RGB", (5, 5), "red").save(folder / "new.png")
    Image.new("RGB", (6, 6), "blue").save(folder / "03.png")
    (folder / "bad.png").write_bytes(b"no image")
    told = []
    found = penult.extract(
        folder, Means(layers=["min", "max"]), out=table.path, progress=told.append
    )
    assert list(found.layers) == ["mean", "min", "max"]
    assert found.failures.keys() == {"bad.png"}
    last = told[-1]
    assert (last.listed, last.ok, last.failed_before) == (IMAGES + 2, IMAGES + 1, 1)
    assert last.done == last.listed
    np.testing.assert_array_equal(found["03.png"], np.float32([0, 0, 255]))
    assert_equal(
        found,
        penult.extract(folder, Means(layers=["mean", "min", "max"]), out=tmp_path / "all.lance"),
    )


def test_rows_of_other_sources_get_the_layer_too(folder, table, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(folder / "00.png", other / "x.png")
    found = penult.extract(other, Means(layers=["max"]), out=table.path)
    assert found.numpy("max").shape == (IMAGES + 1, 3)


def test_columns_and_writing_go_on(folder, table):
    penult.cluster(table.path, 3, store=True)
    penult.extract(folder, Means(layers=["max"]), out=table.path)
    penult.cluster(table.path, 2, layer="max", store=True, column="mine")
    Image.new("RGB", (5, 5), "red").save(folder / "new.png")
    Image.new("RGB", (6, 6), "blue").save(folder / "03.png")
    (folder / "04.png").unlink()
    found = penult.extract(folder, Means(), out=table.path, prune=True)
    assert list(found.layers) == ["mean", "max"]
    assert set(found.columns) == {"cluster", "cluster_name", "mine", "mine_name"}
    assert len(found) == IMAGES
    np.testing.assert_array_equal(found.numpy("max")[found.keys.index("03.png")], [0, 0, 255])
    with TableWriter.open(table.path) as writer:
        writer.compact(at_least=0)
    assert penult.open(table.path).numpy("max").shape == (IMAGES, 3)
    assert set(penult.open(table.path).columns) == set(found.columns)


def test_a_row_whose_image_is_gone_is_named_and_the_others_are_saved(folder, table, tmp_path):
    log = tmp_path / "log"
    gone = (folder / "05.png").rename(tmp_path / "away.png")
    message = (
        "can't get 'max': of 1 of its images no features can be computed any more, '05.png' "
        "(gone): put them back, or have their rows renewed or removed (extract their folder, "
        "--prune); the others are saved"
    )
    with pytest.raises(StoreError, match=re.escape(message)):
        penult.extract(folder, Means(log, layers=["max"]), out=table.path)
    assert list(penult.open(table.path).layers) == ["mean"]
    gone.rename(folder / "05.png")
    found = penult.extract(folder, Means(log, layers=["max"]), out=table.path)
    assert len(lines(log)) == IMAGES
    assert_equal(found, of_both(folder, tmp_path))


def test_pruned_rows_need_no_layer(folder, table):
    (folder / "05.png").unlink()
    found = penult.extract(folder, Means(layers=["max"]), out=table.path, prune=True)
    assert found.numpy("max").shape == (IMAGES - 1, 3)


def test_a_row_that_changed_elsewhere_is_named(folder, table, tmp_path):
    Image.new("RGB", (6, 6), "blue").save(folder / "03.png")
    (tmp_path / "other").mkdir()
    shutil.copy(folder / "00.png", tmp_path / "other/x.png")
    with pytest.raises(StoreError, match=re.escape("'03.png' (changed)")):
        penult.extract(tmp_path / "other", Means(layers=["max"]), out=table.path)


def test_layers_that_were_begun_stay_while_others_are_added(folder, table, tmp_path):
    log = tmp_path / "log"
    away = (folder / "05.png").rename(tmp_path / "away.png")
    with pytest.raises(StoreError, match="can't get 'max'"):
        penult.extract(folder, Means(log, layers=["max"]), out=table.path)
    away.rename(folder / "05.png")
    penult.extract(folder, Means(layers=["min"]), out=table.path)
    found = penult.extract(folder, Means(log, layers=["max"]), out=table.path)
    assert len(lines(log)) == IMAGES
    assert sorted(found.layers) == ["max", "mean", "min"]
    assert not (table.path / "_penult_adding").exists()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("point", "count"),
    [
        ("penult.extraction.run:_commit", 4),  # the first three are of a run with nothing to do
        ("penult.store.durable:widen", 1),
        ("penult.store.durable:_sync_versions", 4),
        ("lance:LanceDataset.commit", 4),
        ("lance:LanceDataset.commit", 5),
        ("penult.extraction.adding:clear", 2),
        ("shutil:rmtree", 1),
    ],
)
def test_a_run_that_is_killed_loses_no_row_and_goes_on(folder, table, tmp_path, point, count, when):
    log = tmp_path / "log"
    before = table.numpy()
    arguments = [folder, table.path, log, point, when, count, Path(__file__).parents[1]]
    done = subprocess.run([sys.executable, "-c", RUN, *map(str, arguments)], check=False)
    assert done.returncode == -signal.SIGKILL
    np.testing.assert_array_equal(penult.open(table.path).numpy("mean"), before)
    found = penult.extract(folder, Means(log, layers=["max"]), out=table.path)
    assert len(lines(log)) <= IMAGES + 4
    assert_equal(found, of_both(folder, tmp_path))
    assert not (table.path / "_penult_adding").exists()


def test_a_network_adds_its_layers_and_is_continued_without_naming_them(photos, tmp_path):
    (tmp_path / "few").mkdir()
    for name in ("hens.jpg", "macaw.png"):
        shutil.copy(photos / name, tmp_path / "few")
    out = tmp_path / "t.lance"
    penult.extract(tmp_path / "few", layer="block_1", out=out)
    shutil.copy(photos / "koala.jpg", tmp_path / "few")
    assert list(penult.extract(tmp_path / "few", out=out).layers) == ["block_1"]
    found = penult.extract(tmp_path / "few", layer=["block_1", "pooled_features"], out=out)
    assert list(found.layers) == ["pooled_features", "block_1"]
    assert penult.verify(out, "all").largest == 0
    assert found.search("hens.jpg", 1)[0].key in {"macaw.png", "koala.jpg"}


def test_another_recipe_is_refused(photos, tmp_path):
    penult.extract(photos / "hens.jpg", layer="block_1", out=tmp_path / "t.lance")
    with pytest.raises(StoreError, match="holds other features: pool is 'avg', asked was 'max'"):
        penult.extract(photos / "hens.jpg", layer="stem", pool="max", out=tmp_path / "t.lance")


def test_layers_of_many_rows_are_copied_piece_by_piece(tmp_path, monkeypatch):
    monkeypatch.setattr("penult.store.widening.BATCH_BYTES", 600)
    with TableWriter.open_or_create(tmp_path / "a.lance", {"a": (2,)}, {}) as table:
        for start in (0, 5):
            table.append(
                [
                    Row(f"{i}", 1, 1, vectors={"a": np.full(2, i, np.float32)})
                    for i in range(start, start + 5)
                ]
            )
        table.append([Row("bad", 1, 1, error="empty: zero bytes")])
        table.remove(["3"])
        with TableWriter.open_or_create(tmp_path / "b.lance", {"b": (3,)}, {}) as beside:
            beside.append(
                [
                    Row(f"{i}", 1, 1, vectors={"b": np.full(3, -i, np.float32)})
                    for i in range(9, -1, -1)
                ]
            )
            table.add_layers(beside, ["b", "a"])
    found = penult.open(tmp_path / "a.lance")
    assert list(found.layers) == ["b", "a"]
    assert found.failures == {"bad": "empty: zero bytes"}
    np.testing.assert_array_equal(found.numpy("b")[:, 0], -found.numpy("a")[:, 0])
