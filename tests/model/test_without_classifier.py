"""Networks that have no classifier are ordinary: only what needs one says that there is none."""

import numpy as np
import pytest
from safetensors.numpy import save_file

import penult
from penult.errors import NetworkError, UsageError
from penult.graph import global_avg_pool, relu, variables
from penult.images.geometry import Squash
from penult.images.preprocess import Scaled, Transform
from penult.nets import Architecture, Pretrained, describe, lenet, pytorch

NAME = "lenet_backbone"  # begins with its family's name


def backbone(images, classes):
    layers = {"stem": relu(pytorch.conv_bn(images, "c", "b", filters=4, kernel=3, epsilon=1e-5))}
    return layers | {"pool": global_avg_pool(layers["stem"])}


def preprocess(size):
    return Transform(Squash(size, "bicubic"), Scaled(127.5, 1))


@pytest.fixture
def weights(tmp_path, monkeypatch):
    architecture = Architecture(backbone, "pool", None, None, "paper", "source")
    network = Pretrained(NAME, architecture, 16, preprocess, classes=0)
    monkeypatch.setattr(lenet, "PRETRAINED", [*lenet.PRETRAINED, network])
    arrays = {v.name: np.ones(v.shape, np.float32) for v in variables(network.layers().values())}
    save_file(arrays, tmp_path / "backbone.safetensors")
    return tmp_path / "backbone.safetensors"


def test_it_is_recognised_and_gives_features(weights, photos):
    model = penult.load_model(weights=weights)
    assert model.network.name == NAME
    assert model.features([photos / "cat_chelsea.jpg"]).shape == (1, 4)


def test_it_has_no_logits(weights, photos):
    model = penult.load_model(NAME, weights=weights)
    with pytest.raises(NetworkError, match=f"^{NAME} has no classifier$"):
        model.logits([photos / "cat_chelsea.jpg"])


def test_it_classifies_nothing(weights, photos):
    with pytest.raises(NetworkError, match=f"^{NAME} has no classifier$"):
        penult.classify(photos, NAME, weights=weights)


def test_it_is_written_as_onnx_which_has_no_logits_either(weights, photos, tmp_path):
    converted = penult.load_model(weights=weights).write_onnx(tmp_path / "b.onnx")
    again = penult.load_model(weights=converted, preprocess="raw")
    assert again.features([photos / "cat_chelsea.jpg"]).shape == (1, 4)
    with pytest.raises(NetworkError, match=f"^{NAME} has no classifier$"):
        again.logits([photos / "cat_chelsea.jpg"])


def test_it_is_inspected_and_described(weights):
    found = penult.inspect(weights)
    assert (found.networks, found.classes, found.missing) == ((NAME,), None, ())
    assert {variable.role for variable in found.variables} == {"network"}
    assert [layer.name for layer in describe(NAME).layers] == ["stem", "pool"]


def test_its_preprocessing_needs_no_name(weights):
    model = penult.load_model(weights=weights, size=8)
    assert (model.preprocess, model.preprocessing) == ("custom", preprocess(8))
    assert str(model.preprocessing) == "squash 8 bicubic, scale 1/127.5, mean 1"


def test_its_table_is_computed_again(weights, photos, tmp_path):
    penult.extract(photos, weights=weights, out=tmp_path / "t.lance")
    assert penult.verify(tmp_path / "t.lance", n=2).ok


def test_its_preprocessing_is_kept_in_an_onnx_file(weights, tmp_path):
    made = penult.load_model(weights=weights, size=8)
    converted = made.write_onnx(tmp_path / "b.onnx")
    assert penult.load_model(weights=converted).preprocessing == made.preprocessing


@pytest.mark.parametrize("name", ["custom", "clip"])
def test_only_names_that_make_a_preprocessing_may_be_asked_for(weights, name):
    with pytest.raises(UsageError, match=f"preprocess must be one of .*, raw, .* not '{name}'$"):
        penult.load_model(weights=weights, preprocess=name)
