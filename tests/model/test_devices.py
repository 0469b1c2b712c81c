"""What another device computes is what the processor does: of OpenVINO, where it is installed."""

import pickle

import numpy as np
import pytest

import penult
from penult.engine.devices import find
from penult.errors import NetworkError
from penult.extraction.verification import TOLERANCE


@pytest.fixture(scope="module")
def openvino():
    try:
        find("openvino")
    except NetworkError as exc:
        pytest.skip(f"{exc}")


def difference(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize("layer", ["stem", "block_5", "pooled_features", "head"])
@pytest.mark.parametrize("pool", ["avg", "none"])
def test_features_are_those_of_the_processor(openvino, layer, pool, photos):
    images = sorted(photos.glob("*.jpg"))
    here, there = (
        penult.load_model(layer=layer, pool=pool, device=device) for device in ("cpu", "openvino")
    )
    assert difference(there.features(images), here.features(images)) < TOLERANCE / 10
    assert there.recipe.device == "openvino"
    assert here.recipe.differences(there.recipe) == ["device is 'cpu', asked was 'openvino'"]


def test_a_table_goes_from_one_device_to_the_other(openvino, model, photos, tmp_path):
    there = penult.extract(photos, device="openvino", out=tmp_path / "there.lance")
    here = penult.extract(photos, model, out=tmp_path / "here.lance")
    for table, device in ((there, "cpu"), (there, "openvino"), (here, "openvino")):
        found = penult.verify(table.path, device=device)
        assert (found.ok, found.device, found.compared) == (True, device, len(here))
    again = penult.extract(photos, device="openvino", out=there.path)
    assert len(again) == len(here)


def test_a_model_is_sent_with_its_device(openvino, photos):
    model = penult.load_model(device="openvino")
    sent = pickle.loads(pickle.dumps(model))
    assert sent.recipe == model.recipe
    assert sent.classifier.engine.description["device"] == "openvino"
    np.testing.assert_array_equal(
        sent.logits([photos / "hens.jpg"]), model.logits([photos / "hens.jpg"])
    )
