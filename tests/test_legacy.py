"""The original's command: its images, paths, layers and numbers."""

import json
import os
import pickle
import shutil
import struct
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest

import penult
from penult.errors import SourceError, StoreError

REFERENCE = Path(__file__).parent / "reference"
MOBILENET = REFERENCE / "checkpoints/mobilenet_v1_025_v1/mobilenet_v1_025.ckpt"
PHOTOS = ("chelsea", "coffee", "astronaut", "rocket")
weight = run_path(str(REFERENCE / "weights_by_name.py"))["weight"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to be in, with two photos below `imgs/`."""
    (tmp_path / "imgs/sub").mkdir(parents=True)
    shutil.copy(REFERENCE / "images/chelsea.jpg", tmp_path / "imgs/b.jpg")
    shutil.copy(REFERENCE / "images/coffee.jpg", tmp_path / "imgs/sub/a.JPG")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stand_in(name, path):
    """Write a network's stand-in weights, as safetensors."""
    manifest = json.loads((REFERENCE / f"manifests/{name}.json").read_text(encoding="utf-8"))
    header, start = {}, 0
    for variable, shape, _ in manifest["variables"]:
        end = start + 4 * int(np.prod(shape))
        header[variable] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
        start = end
    raw = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(raw)) + raw)
        for variable, shape, _ in manifest["variables"]:
            file.write(weight(variable, tuple(shape)).tobytes())


def compute(**options):
    return penult.legacy.compute_features("imgs/", MOBILENET, "mobilenet_v1_025", **options)


def test_features_are_those_of_the_network(here):
    computed = compute()
    assert computed.path == Path("features/mobilenet_v1_025_features.pkl")
    assert (computed.count, computed.failures) == (2, {})
    features = penult.legacy.load_features(computed.path)
    network = penult.load_model("mobilenet_v1_025", weights=MOBILENET)
    assert list(features) == ["imgs/b.jpg", "imgs/sub/a.JPG"]
    expected = network.features(list(features))
    np.testing.assert_allclose(np.stack(list(features.values())), expected, rtol=1e-5, atol=1e-6)


def test_any_pickle_reader_has_the_vectors(here):
    features = pickle.loads(compute().path.read_bytes())
    assert {type(path) for path in features} == {str}
    assert {(vector.shape, vector.dtype.str) for vector in features.values()} == {((256,), "<f4")}


@pytest.mark.parametrize(
    ("folder", "path"),
    [
        ("imgs", "imgs/b.jpg"),
        ("imgs/", "imgs/b.jpg"),
        ("./imgs", "./imgs/b.jpg"),
        ("imgs/sub/..", "imgs/sub/../b.jpg"),
    ],
)
def test_paths_begin_with_the_folder_as_given(folder, path, here):
    computed = penult.legacy.compute_features(folder, MOBILENET, "mobilenet_v1_025")
    assert path in penult.legacy.load_features(computed.path)


def test_the_original_took_four_kinds_of_image(here):
    for name in ("c.png", "d.bmp", "e.jpeg", ".f.JPEG", "g.tif", "jpg"):
        shutil.copy("imgs/b.jpg", f"imgs/sub/{name}")
    assert compute().count == 6


def test_a_failing_image_costs_itself_only(here):
    (here / "imgs/0.png").write_text("no image")
    computed = compute()
    assert computed.count == 2
    assert computed.failures.keys() == {"imgs/0.png"}
    assert computed.failures["imgs/0.png"].startswith("not_an_image: ")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may list all")
def test_a_folder_that_cannot_be_listed_is_a_failure(here):
    (here / "imgs/sub").chmod(0)
    failures = compute().failures
    (here / "imgs/sub").chmod(0o700)
    assert failures == {"imgs/sub": "unreadable: Permission denied"}


def test_progress_counts_to_the_end(here):
    done = []
    compute(progress=lambda counts: done.append((counts.listed, counts.done)))
    assert done == [(2, 0), (2, 1), (2, 2)]


def test_an_older_file_is_replaced_whole(here):
    (here / "features").mkdir()
    old = here / "features/mobilenet_v1_025_features.pkl"
    old.write_text("old")
    compute()
    assert len(penult.legacy.load_features(old)) == 2
    assert list(old.parent.iterdir()) == [old]


def test_a_folder_in_the_way_is_said(here):
    (here / "features").write_text("a file")
    with pytest.raises(StoreError, match=r"can't write 'features/mobilenet_v1_025_.*pkl'"):
        compute()


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("nowhere", "no folder 'nowhere'; check --data_dir"),
        ("imgs/b.jpg", "no folder 'imgs/b.jpg'"),
        ("empty", "no images in 'empty': .jpg, .jpeg, .bmp, .png are taken"),
    ],
)
def test_a_folder_without_images_is_refused(folder, reason, here):
    (here / "empty").mkdir()
    with pytest.raises(SourceError) as caught:
        penult.legacy.compute_features(folder, MOBILENET, "mobilenet_v1_025")
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(
    ("model", "network", "layer", "size"),
    [
        ("inception_v1", "inception_v1", "AvgPool_0a_7x7", 224),
        ("inception_v2", "inception_v2", "AvgPool_1a", 224),
        ("inception_v3", "inception_v3", "AvgPool_1a", 224),
        ("inception_v4", "inception_v4", "PreLogitsFlatten", 224),
        ("inception_resnet_v2", "inception_resnet_v2", "PreLogitsFlatten", 299),
        ("resnet_v1_152", "resnet_v1_152", "global_pool", 224),
        ("resnet_v2_50", "resnet_v2_50", "global_pool", 224),
        ("vgg_16", "vgg_16", "vgg_16/fc8", 224),
        ("vgg19", "vgg_19", "vgg_19/fc8", 224),
        ("alexnet", "alexnet_v2", "alexnet_v2/fc7", 224),
        ("mobilenet_v1", "mobilenet_v1", "AvgPool_1a", 224),
    ],
)
def test_each_network_has_its_layer_and_raw_size(model, network, layer, size, here, monkeypatch):
    class AskedError(Exception):
        pass

    def load_model(*names, **options):
        raise AskedError(*names, options)

    monkeypatch.setattr("penult.legacy.load_model", load_model)
    with pytest.raises(AskedError) as raw:
        penult.legacy.compute_features("imgs", "w.ckpt", model, "raw")
    name, options = raw.value.args
    assert (name, options["layer"]) == (network, layer)
    assert (options["size"] or penult.describe(network).spec.size) == size
    with pytest.raises(AskedError) as trained:
        penult.legacy.compute_features("imgs", "w.ckpt", model)
    assert (trained.value.args[1]["size"], trained.value.args[1]["preprocess"]) == (None, None)


@pytest.mark.parametrize("name", ["inception_v1", "inception_v3"])
def test_raw_is_what_the_original_computed(name, here):
    stand_in(name, here / "w.ckpt")
    computed = penult.legacy.compute_features(
        REFERENCE / "images", "w.ckpt", name, preprocess="raw"
    )
    features = penult.legacy.load_features(computed.path)
    found = np.stack([features[str(REFERENCE / f"images/{photo}.jpg")] for photo in PHOTOS])
    with np.load(REFERENCE / "golden/legacy_compute_features.npz") as legacy:
        expected = legacy[name]
    assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < 1e-4
