"""`verify` tells features that differ from images that do."""

import os
import shutil

import numpy as np
import pytest

import penult
from penult.cli import show
from penult.engine import OnnxRuntime
from penult.errors import CheckpointError, StoreError, UsageError
from penult.store import Row, TableWriter

PHOTOS = ("espresso.jpg", "hens.jpg", "koala.jpg", "tripod.jpg")


@pytest.fixture
def folder(photos, tmp_path):
    (tmp_path / "few").mkdir()
    for name in PHOTOS:
        shutil.copy(photos / name, tmp_path / "few")
    return tmp_path / "few"


@pytest.fixture
def table(model, folder, tmp_path):
    (folder / "bad.jpg").touch()
    return penult.extract(folder, model, out=tmp_path / "t.lance").path


def tampered(table, key, factor=1.0, **provenance):
    """Write the table anew, one vector multiplied, the provenance changed."""
    features = penult.open(table)
    kind, rows = features.provenance | provenance, zip(features.keys, features.numpy(), strict=True)
    with TableWriter.open(table) as old:
        known = dict(old.known())
    shutil.rmtree(table)
    with TableWriter.open_or_create(table, features.layers, kind) as new:
        for name, vector in rows:
            vectors = {"pooled_features": vector * np.float32(factor if name == key else 1)}
            row = known[name]
            new.append([Row(name, row.bytes, row.mtime_ns, row.path, vectors=vectors)])


def test_a_table_that_is_right(table):
    found = penult.verify(table)
    assert found.compared == 4
    assert found.largest <= 1e-6
    assert found.key in PHOTOS
    assert (found.changed, found.vanished, found.failures, found.ok) == ([], [], {}, True)


def test_a_difference_is_found_and_named(table):
    tampered(table, "koala.jpg", factor=1.01)
    found = penult.verify(table, n="all")
    assert found.key == "koala.jpg"
    assert found.largest == pytest.approx(0.01 / 1.01, rel=1e-3)
    assert not found.ok


def test_images_that_changed_or_vanished_are_no_difference(table, folder):
    os.utime(folder / "hens.jpg", ns=(1, 1))
    (folder / "koala.jpg").unlink()
    found = penult.verify(table)
    assert (found.changed, found.vanished) == (["hens.jpg"], ["koala.jpg"])
    assert (found.compared, found.ok) == (2, True)


def test_content_tells_changed_images_where_it_is_known(model, table, folder):
    penult.extract(folder, model, out=table, checksum=True)
    os.utime(folder / "hens.jpg", ns=(1, 1))
    data = bytearray((folder / "koala.jpg").read_bytes())
    data[-9] ^= 1
    (folder / "koala.jpg").write_bytes(data)
    found = penult.verify(table)
    assert (found.changed, found.compared, found.ok) == (["koala.jpg"], 3, True)


def test_nothing_to_compare_is_not_right(table, folder):
    shutil.rmtree(folder)
    found = penult.verify(table)
    assert (found.compared, len(found.vanished), found.ok) == (0, 4, False)


def test_rows_are_drawn_by_a_seed(table):
    seen = [penult.verify(table, n=1, seed=seed).key for seed in (0, 0, 1, 2, 3, 4)]
    assert seen[0] == seen[1]
    assert len(set(seen)) > 1


def test_progress_counts_each_image(table, folder):
    (folder / "koala.jpg").unlink()
    seen = []
    penult.verify(table, progress=seen.append)
    assert (seen[-1].listed, seen[-1].ok, seen[-1].skipped) == (4, 3, 1)


def test_layers_pool_and_size_are_those_of_the_table(folder, tmp_path):
    layers = ["block_1", "block_3/expansion_output"]
    out = tmp_path / "t.lance"
    penult.extract(folder, layer=layers, pool="max", size=96, preprocess="raw", out=out)
    found = penult.verify(out)
    assert (found.compared, found.ok) == (4, True)


def test_weights_of_a_package_are_found_wherever_it_lies(table):
    tampered(table, None, weights_path="/nowhere/w.pth")
    assert penult.verify(table).ok


def test_weights_that_have_gone_are_asked_for(model, table, monkeypatch):
    tampered(table, None, weights_path="/nowhere/w.pth")
    monkeypatch.setattr("penult.model.model.lookup", lambda name: None)
    with pytest.raises(CheckpointError, match=r"w.pth'.*; say where the weights of .*are \(-w\)$"):
        penult.verify(table)
    assert penult.verify(table, weights=model.network.path).ok


@pytest.fixture
def elsewhere(model, folder, tmp_path):
    """A table that says that another device made it."""

    def engine(cut):
        made = OnnxRuntime(cut)
        made.description = {**made.description, "device": "cuda"}
        return made

    on_cuda = penult.Model(model.network, engine=engine)
    return penult.extract(folder, on_cuda, out=tmp_path / "elsewhere.lance").path


def test_a_table_of_another_device_is_computed_again_on_this_one(elsewhere, capsys):
    found = penult.verify(elsewhere)
    assert (found.made_on, found.device, found.compared, found.ok) == ("cuda", "cpu", 4, True)
    show.verified(found, as_json=False)
    assert "made on        cuda\ncomputed on    cpu\n" in capsys.readouterr().out


def test_a_table_of_another_device_is_searched_but_gets_no_rows(model, elsewhere, folder):
    (best, *_) = penult.search(elsewhere, folder / "hens.jpg")
    assert best.key == "hens.jpg"
    with pytest.raises(StoreError, match="device is 'cuda', asked was 'cpu': ask for the same, "):
        penult.extract(folder, model, out=elsewhere)


def test_other_weights_are_refused(table):
    tampered(table, None, weights_sha256="ab" * 32)
    with pytest.raises(UsageError, match=r"didn't make .*: weights_sha256 is 'ab.*\(-w\)$"):
        penult.verify(table)


def test_a_table_that_does_not_say_what_made_it_is_refused(table):
    tampered(table, None, size="large", transform=None)
    with pytest.raises(StoreError, match="doesn't say its size, transform: make it again"):
        penult.verify(table)


def test_at_least_one_row_is_asked_for(table):
    with pytest.raises(UsageError, match="n must be at least 1, not 0"):
        penult.verify(table, n=0)


def test_a_file_that_keeps_size_and_time_but_not_its_content_has_changed(model, folder, tmp_path):
    table = penult.extract(folder, model, out=tmp_path / "c.lance", checksum=True).path
    file, smaller = folder / "espresso.jpg", (folder / "tripod.jpg").read_bytes()
    before = file.stat()
    file.write_bytes(smaller.ljust(before.st_size, b"\0"))
    os.utime(file, ns=(before.st_mtime_ns, before.st_mtime_ns))
    result = penult.verify(table, n="all")
    assert (result.changed, result.compared, result.ok) == (["espresso.jpg"], 3, True)
