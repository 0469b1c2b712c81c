import os
import shutil
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import penult
from penult.errors import SourceError, StoreError, UsageError
from penult.extraction import run as extraction


@pytest.fixture
def folder(photos, tmp_path):
    """Six photos, one of them in a subfolder."""
    target = tmp_path / "photos"
    (target / "space").mkdir(parents=True)
    for name in ("espresso.jpg", "hens.jpg", "koala.jpg", "macaw.png", "tripod.jpg"):
        shutil.copy2(photos / name, target / name)
    shutil.copy2(photos / "space/mars.png", target / "space/mars.png")
    return target


@pytest.fixture
def run(model, folder, tmp_path):
    """Extract the folder into a table; return the features and the final counts."""

    def extract(**options):
        seen = []
        options = {"out": tmp_path / "t.lance", "progress": seen.append} | options
        return penult.extract(folder, model, **options), seen[-1]

    return extract


def test_features_of_a_folder_equal_the_published_ports(run, reference):
    features, counts = run()
    assert features.keys == [
        "espresso.jpg",
        "hens.jpg",
        "koala.jpg",
        "macaw.png",
        "space/mars.png",
        "tripod.jpg",
    ]
    expected = reference["pooled_features"][np.isin(reference["keys"], features.keys)]
    difference = np.linalg.norm(features.numpy() - expected) / np.linalg.norm(expected)
    assert difference < 1e-4
    assert (counts.listed, counts.ok, counts.failed, counts.skipped) == (6, 6, 0, 0)


def test_a_table_says_what_made_it(run):
    made = run()[0].provenance
    assert made["network"] == "efficientnet_lite0"
    assert made["weights"] == "efficientnet-lite0-57934424.pth"
    assert made["weights_sha256"].startswith("57934424")
    assert made["preprocessing"] == "square 224/256 bicubic, scale 1, mean 127, std 128"
    assert set(made["versions"]) == {"penult", "numpy", "onnxruntime", "PIL", "lance"}


def test_a_second_run_computes_nothing(run):
    before = run()[0].numpy()
    features, counts = run()
    assert (counts.ok, counts.skipped) == (0, 6)
    np.testing.assert_array_equal(features.numpy(), before)


@pytest.mark.parametrize("year", [1, 1850, 1901, 2263, 9999])
def test_times_that_no_table_can_hold_are_no_change(run, year, monkeypatch):
    seconds = (year - 1970) * 31_556_952
    true = os.stat

    def old(path, **options):
        status = true(path, **options)
        if not str(path).endswith("hens.jpg"):
            return status
        fields = {
            name: getattr(status, name) for name in ("st_mode", "st_size", "st_dev", "st_ino")
        }
        return SimpleNamespace(**fields, st_mtime_ns=seconds * 10**9)

    monkeypatch.setattr(os, "stat", old)
    run()
    features, again = run()
    assert (again.ok, again.skipped) == (0, 6)
    assert penult.verify(features.path, n=None).changed == []


def test_a_new_and_a_changed_image_are_computed(run, folder, photos):
    run()
    shutil.copy2(photos / "lemurs.jpg", folder / "lemurs.jpg")
    shutil.copy2(photos / "red_panda.jpg", folder / "hens.jpg")
    features, counts = run()
    assert (counts.ok, counts.skipped, len(features)) == (2, 5, 7)
    panda = penult.load_model().features([photos / "red_panda.jpg"])
    found = features.numpy()[features.keys.index("hens.jpg")]
    np.testing.assert_allclose(found, panda[0], rtol=1e-4, atol=1e-5)


def test_an_image_that_fails_costs_one_row(run, folder):
    whole = (folder / "hens.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "text.jpg").write_text("<html>")
    features, counts = run()
    assert (counts.ok, counts.failed) == (6, 2)
    assert list(features.failures) == ["cut.jpg", "text.jpg"]
    assert features.failures["cut.jpg"].startswith("truncated: ")
    assert features.failures["text.jpg"].startswith("not_an_image: ")
    again = run()[1]
    assert (again.skipped, again.failed_before) == (6, 2)


def test_an_image_that_vanishes_costs_one_row(model, folder, tmp_path):
    def remove(counts):
        (folder / "tripod.jpg").unlink(missing_ok=True)

    features = penult.extract(folder, model, out=tmp_path / "t.lance", progress=remove)
    assert len(features) == 5
    assert features.failures["tripod.jpg"].startswith("unreadable: ")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"model": "efficientnet_lite1"}, "efficientnet_lite1"),
        ({"pool": "max"}, "pool is 'avg', asked was 'max'"),
        ({"layer": "block_3", "pool": "max"}, "pool is 'avg', asked was 'max'"),
    ],
)
def test_other_features_are_refused_in_the_same_table(run, folder, tmp_path, other, message):
    run()
    with pytest.raises(StoreError, match=message):
        penult.extract(folder, out=tmp_path / "t.lance", **other)


def test_what_is_computed_is_kept_when_a_run_is_interrupted(run, monkeypatch):
    def interrupt(counts):
        if counts.ok == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(progress=interrupt)
    features, counts = run()
    assert (counts.ok, counts.skipped, len(features)) == (3, 3, 6)


def test_rows_are_committed_as_the_work_proceeds(run, monkeypatch):
    commits = []
    append = extraction.TableWriter.append
    monkeypatch.setattr(extraction, "COMMIT_ROWS", 2)
    monkeypatch.setattr(
        extraction.TableWriter,
        "append",
        lambda self, rows: (commits.append(len(rows)), append(self, rows)),
    )
    assert len(run()[0]) == 6
    assert commits == [2, 2, 2]


KILLED = """
import sys, penult
from penult.extraction import run
run.COMMIT_ROWS = 2
def slow(counts):
    import time; print(counts.ok, flush=True); time.sleep(0.05)
penult.extract(sys.argv[1], out=sys.argv[2], progress=slow)
"""


@pytest.mark.parametrize("rows", [1, 3, 4])
def test_a_run_killed_midway_is_completed_by_the_next(run, folder, tmp_path, rows):
    table = tmp_path / "t.lance"
    arguments = [sys.executable, "-c", KILLED, str(folder), str(table)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
        while int(process.stdout.readline()) < rows:
            pass
        os.kill(process.pid, signal.SIGKILL)
    features, counts = run()
    assert counts.skipped in (rows // 2 * 2, (rows - 1) // 2 * 2)
    assert counts.ok == 6 - counts.skipped
    assert len(features.keys) == len(set(features.keys)) == 6
    whole = penult.extract(folder, out=tmp_path / "undisturbed.lance")
    np.testing.assert_allclose(features.numpy(), whole.numpy(), rtol=1e-5, atol=1e-6)


def test_several_layers_become_several_columns(folder, tmp_path):
    layers = ["block_1/expansion_output", "pooled_features"]
    features = penult.extract(folder, layer=layers, out=tmp_path / "t.lance")
    assert dict(features.layers) == {"block_1/expansion_output": (96,), "pooled_features": (1280,)}
    assert features.numpy("block_1/expansion_output").shape == (6, 96)


def test_classify_names_classes_and_failures(model, folder):
    (folder / "empty.jpg").touch()
    found = {c.key: c for c in penult.classify(folder, model, k=2)}
    (first, probability), _ = found["koala.jpg"].classes
    assert first == "koala"
    assert 0.5 < probability <= 1
    assert found["empty.jpg"].error == "empty: zero bytes"


def test_a_source_that_does_not_exist_is_refused_before_any_work(tmp_path):
    with pytest.raises(SourceError, match="nowhere"):
        penult.extract(tmp_path / "nowhere", out=tmp_path / "t.lance")
    assert not (tmp_path / "t.lance").exists()
    with pytest.raises(UsageError, match="no source of images"):
        penult.extract(out=tmp_path / "t.lance")


def test_a_model_brings_its_own_weights_and_layers(model, folder):
    with pytest.raises(UsageError, match="a Model has its layer: give"):
        penult.extract(folder, model, layer="head")
    with pytest.raises(UsageError, match="a Model has its weights"):
        penult.classify(folder, model, weights="other.pth")


def test_classify_is_checked_before_the_first_result(model, folder):
    with pytest.raises(UsageError, match="k must be at least 1, not 0"):
        penult.classify(folder, model, k=0)
    with pytest.raises(SourceError, match="nowhere"):
        penult.classify("nowhere", model)


def test_classify_finds_its_model_by_itself(folder):
    (koala,) = penult.classify(folder / "koala.jpg", "efficientnet_lite1", k=1)
    assert koala.classes[0][0] == "koala"
