"""Weights that lie in files beside the ONNX file, as exporters write them."""

import hashlib
import os

import numpy as np
import pytest

import onnx
from penult.engine import OnnxRuntime
from penult.errors import CheckpointError
from penult.onnx.file import OnnxFile

from .onnx_models import KERNEL, MATRIX, classifier, onnx_model

BATCH = np.random.default_rng(5).normal(size=(3, 6, 6, 3)).astype(np.float32)


def save(folder, **options):
    """Write the model as `torch.onnx.export` does: `net.onnx` with `net.onnx.data` beside it."""
    options = {"location": "net.onnx.data", "size_threshold": 0} | options
    model = onnx_model(classifier())
    onnx.save_model(model, folder / "net.onnx", save_as_external_data=True, **options)
    return folder / "net.onnx"


def changed(path, **entries):
    """Change what the file says of where its first tensor is."""
    model = onnx.load(path, load_external_data=False)
    weights = model.graph.initializer[0]
    found = {each.key: each.value for each in weights.external_data} | entries
    weights.ClearField("external_data")
    for key, value in found.items():
        if value is not None:
            weights.external_data.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())
    return path


def computed(file, layer):
    return OnnxRuntime(file.cut([layer])).run(BATCH)[layer]


def expected(tmp_path):
    whole = tmp_path / "whole.onnx"
    whole.write_bytes(onnx_model(classifier()).SerializeToString())
    return computed(OnnxFile(whole), "logits")


@pytest.mark.parametrize("options", [{}, {"all_tensors_to_one_file": False, "location": None}])
def test_weights_beside_the_file_are_those_in_it(tmp_path, options):
    path = save(tmp_path, **options)
    assert {each.name for each in tmp_path.iterdir()} - {"net.onnx"} == (
        {"kernel", "matrix"} if options else {"net.onnx.data"}
    )
    file = OnnxFile(path)
    np.testing.assert_array_equal(file.cut(["map"]).weights["kernel"], KERNEL)
    np.testing.assert_array_equal(computed(file, "logits"), expected(tmp_path))


def test_the_digest_is_of_all_files(tmp_path):
    path = save(tmp_path)
    parts = [hashlib.sha256(p.read_bytes()).digest() for p in (path, tmp_path / "net.onnx.data")]
    assert OnnxFile(path).digest == hashlib.sha256(b"".join(parts)).hexdigest()
    data = tmp_path / "net.onnx.data"
    data.write_bytes(data.read_bytes()[:-1] + b"\x00")
    assert OnnxFile(path).digest != hashlib.sha256(b"".join(parts)).hexdigest()


def test_offset_and_length_may_be_left_out(tmp_path):
    data = tmp_path / "kernel"
    save(tmp_path, all_tensors_to_one_file=False, location=None)
    assert data.stat().st_size == KERNEL.nbytes
    file = OnnxFile(changed(tmp_path / "net.onnx", offset=None, length=None))
    np.testing.assert_array_equal(computed(file, "logits"), expected(tmp_path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes and links")
@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"location": "../net.onnx.data"}, "keeps 'kernel' in '../net.onnx.data', and only files"),
        ({"location": "/etc/passwd"}, "keeps 'kernel' in '/etc/passwd', and only files of its own"),
        ({"location": "sub\\net.onnx.data"}, "only files of its own folder are read"),
        ({"location": ".."}, "only files of its own folder are read"),
        ({"location": ""}, "only files of its own folder are read"),
        ({"location": "*/_ORT_MEM_ADDR_/*"}, "only files of its own folder are read"),
        ({"location": "away"}, "only files of its own folder are read"),
        ({"location": "circle"}, "keeps 'kernel' in 'circle', which can't be read beside it"),
        ({"location": "gone"}, r"in 'gone', which can't be read beside it \(no such file"),
        ({"location": "pipe"}, r"can't be read beside it \(not a regular file\)"),
        ({"location": "x" * 300}, r"can't be read beside it \(file name too long\)"),
        ({"offset": "-4"}, "with offset '-4'; damaged"),
        ({"offset": "9" * 30}, "with offset '99.*'; damaged"),
        ({"offset": "4096"}, "ends at byte 5824 of 'net.onnx.data', which has 2048; damaged"),
        ({"length": "1724"}, "has 1724 bytes in 'net.onnx.data' where 1728 were expected; damaged"),
        ({"length": "1e3"}, "with length '1e3'; damaged"),
    ],
)
def test_places_that_are_not_beside_it_are_refused(tmp_path, entries, reason):
    folder = tmp_path / "folder"
    folder.mkdir()
    path = save(folder)
    (tmp_path / "net.onnx.data").write_bytes((folder / "net.onnx.data").read_bytes())
    (folder / "away").symlink_to(tmp_path / "net.onnx.data")
    (folder / "circle").symlink_to(folder / "circle")
    os.mkfifo(folder / "pipe")
    with pytest.raises(CheckpointError, match=rf"net\.onnx'.* {reason}") as caught:
        OnnxFile(changed(path, **entries))
    assert str(caught.value).isprintable()


def test_a_data_file_that_was_cut_is_refused(tmp_path):
    path = save(tmp_path)
    data = tmp_path / "net.onnx.data"
    data.write_bytes(data.read_bytes()[:1700])
    with pytest.raises(CheckpointError, match=r"ends at byte 1728 of 'net.onnx.data', which has"):
        OnnxFile(path)


def test_tensors_that_overlap_are_refused(tmp_path):
    path = save(tmp_path)
    model = onnx.load(path, load_external_data=False)
    again = model.graph.initializer.add()
    again.CopyFrom(model.graph.initializer[0])
    again.name = "again"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(CheckpointError, match=r"tensors overlap in 'net.onnx.data'; damaged"):
        OnnxFile(path)


def test_both_files_may_be_links_into_one_folder(tmp_path):
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshot"
    blobs.mkdir()
    snapshot.mkdir()
    save(blobs)
    for name, blob in [("net.onnx", "a1"), ("net.onnx.data", "b2")]:
        (blobs / name).rename(blobs / blob)
        (snapshot / name).symlink_to(blobs / blob)
    found = computed(OnnxFile(snapshot / "net.onnx"), "logits")
    np.testing.assert_array_equal(found, expected(tmp_path))
    assert MATRIX.nbytes < 1024  # so a small one that goes into the model was read too
