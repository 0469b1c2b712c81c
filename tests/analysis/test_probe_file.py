"""A saved probe gives what the fitted one gave, and a forged one is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file

import penult
from penult.analysis.classifiers import Linear
from penult.analysis.probe_file import DOCUMENT, Probe
from penult.errors import CheckpointError, StoreError, UsageError


@pytest.fixture
def made(tmp_path):
    linear = Linear(np.arange(6, dtype=np.float32).reshape(2, 3), np.ones(2, np.float32), 10.0)
    return Probe(tmp_path / "p.safetensors", ("a", "ü"), "pool", (3,), {}, linear, 9, 0.5)


def test_what_was_saved_is_read(made):
    made.save(made.path)
    read = penult.open_probe(made.path)
    assert np.array_equal(read.linear.weight, made.linear.weight)
    assert read.classes == made.classes
    assert (read.layer, read.shape, read.images, read.linear.strength) == ("pool", (3,), 9, 10.0)
    assert load_file(made.path)["bias"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ["a", "a"]}, "its classes are fewer than two, or one is there twice"),
        ({"classes": [1, 2]}, "its classes are no names"),
        ({"classes": ["a", "b", "c"]}, "3 classes of 3 values need other tensors"),
        ({"shape": [2**62, 4]}, "need other tensors"),
        ({"shape": [-3]}, "its shape isn't one"),
        ({"layer": None}, "its layer or provenance is missing"),
        ({"format": 2}, "its document isn't of format 1"),
        ({"C": True}, "its C is no number"),
        ({"images": -1}, "its images can't be '-1'"),
    ],
)
def test_forged_documents(made, monkeypatch, changes, message):
    document = made._document() | changes
    monkeypatch.setattr(Probe, "_document", lambda self: document)
    made.save(made.path)
    with pytest.raises(
        CheckpointError, match=message + "; damaged or forged: save the probe again"
    ):
        penult.open_probe(made.path)


def test_weights_that_are_no_numbers(made):
    linear = Linear(np.full((2, 3), np.nan, np.float32), made.linear.bias)
    replace(made, linear=linear).save(made.path)
    with pytest.raises(CheckpointError, match="its weights are no finite numbers"):
        penult.open_probe(made.path)


def test_other_files_are_no_probes(made):
    made.save(made.path)
    content = made.path.read_bytes()
    made.path.write_bytes(content.replace(DOCUMENT.encode(), b"x" * len(DOCUMENT)))
    with pytest.raises(CheckpointError, match="isn't a probe: make one with penult probe --save"):
        penult.open_probe(made.path)
    made.path.write_bytes(content[:-1])
    with pytest.raises(CheckpointError, match="bytes, but the tensors end at"):
        penult.open_probe(made.path)


def test_a_probe_ends_in_safetensors(made):
    with pytest.raises(UsageError, match=r"'p\.npz': expected a probe to end in \.safetensors"):
        made.save("p.npz")


def test_a_probe_that_does_not_say_its_model(made, photos):
    with pytest.raises(StoreError, match=r"doesn't say its network, .*: make it again"):
        made.classify(photos)


def test_new_photos_are_classified_by_the_model_of_the_table(model, photos, tmp_path):
    table = penult.extract(photos, model, out=tmp_path / "t.lance")
    labels = {key: "ab"[place % 2] for place, key in enumerate(table.keys)}
    out = tmp_path / "p.safetensors"
    penult.probe(table, labels, folds=2, save=out)
    probe = penult.open_probe(out)
    likely = probe.linear.probabilities(table.numpy())
    for result in probe.classify(photos, k=2):
        assert dict(result.classes) == pytest.approx(
            dict(zip("ab", likely[table.keys.index(result.key)], strict=True)), abs=1e-5
        )


def test_another_model_than_the_table_s_is_refused(model, photos, tmp_path):
    table = penult.extract(photos / "space", model, out=tmp_path / "t.lance")
    linear = Linear(np.zeros((2, 1280), np.float32), np.zeros(2, np.float32))
    made = table.provenance | {"weights_sha256": "0" * 64}
    shape = {"layer": "pooled_features", "shape": (1280,)}
    probe = Probe(tmp_path / "p.safetensors", ("a", "b"), **shape, provenance=made, linear=linear,
                  images=2, accuracy=1.0)  # fmt: skip
    with pytest.raises(UsageError, match=r"didn't make .*p\.safetensors'"):
        probe.classify(photos)
    assert json.dumps(probe._document())
