"""A saved probe gives what the fitted one gave, and a forged one is refused."""

import json
import random
import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file

import penult
from penult.analysis import probe_file
from penult.analysis.classifiers import Linear
from penult.analysis.probe_file import DOCUMENT, Probe
from penult.errors import CheckpointError, PenultError, StoreError, UsageError


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
        ({"shape": [2**30, 4]}, "need other tensors"),
        ({"shape": [2**62]}, "its shape isn't one"),
        ({"shape": [-3]}, "its shape isn't one"),
        ({"shape": [2**62] * 9}, "its shape isn't one"),
        ({"layer": None}, "its layer or provenance isn't one"),
        ({"layer": "l" * 2000}, "its layer or provenance isn't one"),
        ({"provenance": {"size": 10**400}}, "its layer or provenance isn't one"),
        ({"provenance": {"a": {"b": {"c": {"d": {}}}}}}, "its layer or provenance isn't one"),
        ({"provenance": {"network": "n" * 5000}}, "its layer or provenance isn't one"),
        ({"classes": ["a", ""]}, "its classes are no names"),
        ({"classes": ["a", "\ud800"]}, "its classes are no names"),
        ({"classes": ["a", "b" * 10**6]}, "its classes are no names"),
        ({"accuracy": 1.5}, "its accuracy can't be '1.5'"),
        ({"accuracy": float("nan")}, "its accuracy can't be 'nan'"),
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


def test_a_document_without_end(made, monkeypatch):
    monkeypatch.setattr(probe_file, "MAX_DOCUMENT", 100)
    made.save(made.path)
    with pytest.raises(CheckpointError, match="its document has more than 100 characters"):
        penult.open_probe(made.path)


def outcome(path, content):
    """The probe that these bytes are, or None if they are refused as they should be."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    try:
        return penult.open_probe(path)
    except CheckpointError as exc:
        message = str(exc)
        assert message.isprintable()
        assert len(message) <= 300
        assert path.name in message
        return None


def test_a_probe_cut_anywhere_is_refused(made):
    content = made.save(made.path).read_bytes()
    assert not any(outcome(made.path, content[:length]) for length in range(len(content)))


def mutant(raw, rng):
    """A copy with a bit flipped, or a stretch lost, doubled, cleared, or taken from elsewhere."""
    at, other, length = rng.randrange(len(raw)), rng.randrange(len(raw)), rng.choice([1, 4, 30])
    piece = raw[at : at + length]
    flipped = bytes([piece[0] ^ 1 << rng.randrange(8)]) + piece[1:]
    new = rng.choice([flipped, flipped, b"", piece * 2, bytes(length), raw[other : other + length]])
    return raw[:at] + new + raw[at + length :]


def test_mutants_are_refused_or_the_same_probe(made):
    content, rng, same = made.save(made.path).read_bytes(), random.Random(0), 0
    for _ in range(3000):
        found = outcome(made.path, mutant(content, rng))
        if found is not None:
            assert found._document() == made._document() | {"classes": found.classes}
            assert found.classes == made.classes
            assert np.array_equal(found.linear.weight, made.linear.weight)
            assert np.array_equal(found.linear.bias, made.linear.bias)
            same += 1
    assert 0 < same < 300


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


def told(provenance, tmp_path, **changes):
    """A probe of the default model's features, but for some changes, written and read again."""
    linear = Linear(np.zeros((2, 1280), np.float32), np.zeros(2, np.float32))
    values = {"layer": "pooled_features", "shape": (1280,), "provenance": provenance}
    path = tmp_path / "p.safetensors"
    values |= {"classes": ("a", "b"), "linear": linear, "images": 2, "accuracy": 1.0} | changes
    return penult.open_probe(Probe(path, **values).save(path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"size": 10**9},
            r"of 224 pixels, the network takes 1000000000: .* \(--size\): make it",
        ),
        ({"pool": "p" * 4000}, r"pool must be avg, max, none, cls or cls\+avg, not 'ppp"),
        ({"decode": "\x1b[2J"}, r"decode must be exact or fast, not '\\x1b\[2J'"),
        ({"transform": {"n" * 4000: 1}}, "preprocessing must hold geometry, normalisation, not "),
        ({"network": "n" * 4000}, "no network is named 'nnn"),
        ({"weights_path": "/dev/zero", "weights_sha256": "0"}, "zero': not a regular file; .*-w"),
        ({"weights_path": "a\0", "weights_sha256": "0"}, r"'a\\x00': embedded null byte; "),
        ({"weights_path": "a" * 4000, "weights_sha256": "0"}, "file name too long; "),
        ({"size": True}, "doesn't say its size: make it again"),
    ],
)
def test_what_a_stranger_says_of_the_model(model, photos, tmp_path, changes, message):
    probe = told(model.recipe.provenance | model.recipe.notes | changes, tmp_path)
    with pytest.raises(PenultError, match=message) as caught:
        list(probe.classify(photos / "rocket.jpg"))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize(
    "changes",
    [
        {"layer": "stem"},
        {"layer": "no" * 500},
        {"linear": Linear(np.zeros((2, 3), np.float32), np.zeros(2, np.float32)), "shape": (3,)},
    ],
)
def test_a_layer_of_another_width_is_refused(model, photos, tmp_path, changes):
    probe = told(model.recipe.provenance | model.recipe.notes, tmp_path, **changes)
    with pytest.raises(UsageError, match=r"didn't make '|has no layer 'nono"):
        probe.classify(photos / "rocket.jpg")


def test_weights_as_large_as_can_be_give_probabilities(model, photos, tmp_path):
    largest = np.full((2, 1280), np.finfo(np.float32).max)
    linear = Linear(largest, largest[:, 0])
    probe = told(model.recipe.provenance | model.recipe.notes, tmp_path, linear=linear)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (found,) = probe.classify(photos / "rocket.jpg")
    assert [share for _, share in found.classes] == [0.5, 0.5]


def test_names_of_classes_cannot_steer_a_terminal(model, photos, tmp_path):
    told(model.recipe.provenance | model.recipe.notes, tmp_path, classes=("\x1b[2Ja", "b\nc\u202e"))
    command = [sys.executable, "-m", "penult", "classify", photos / "rocket.jpg", "--probe"]
    done = subprocess.run([*command, tmp_path / "p.safetensors"], capture_output=True, check=True)
    assert done.stdout == rb"rocket.jpg: \x1b[2Ja 50.0%, b\nc\u202e 50.0%" + b"\n"


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
