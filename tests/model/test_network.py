"""Networks from checkpoints and from ONNX files, which are to be used alike."""

import pickle
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

import onnx
import penult
from onnx import TensorProto, helper, numpy_helper
from penult.errors import NetworkError, UsageError
from penult.model.network import load_network

ROOT = Path(__file__).parents[2]
PHOTOS = [ROOT / "examples/photos" / name for name in ("cat_chelsea.jpg", "hens.jpg")]
CHECKPOINT = ROOT / "tests/reference/checkpoints/mobilenet_v1_025_v2"


@pytest.fixture(scope="module")
def model():
    layers = ["Conv2d_5_pointwise", "AvgPool_1a", "Logits"]
    return penult.load_model("mobilenet_v1_025", weights=CHECKPOINT, layer=layers)


@pytest.fixture(scope="module")
def converted(model, tmp_path_factory):
    return model.write_onnx(tmp_path_factory.mktemp("onnx") / "mobile.onnx")


@pytest.fixture
def foreign(tmp_path):
    """A network as PyTorch exports them: (n, 3, 8, 8), a convolution, a pool, a matrix."""
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(4, 3, 3, 3)).astype(np.float32)
    matrix = rng.normal(size=(4, 5)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["map"]),
        helper.make_node("GlobalAveragePool", ["map"], ["pool"]),
        helper.make_node("Flatten", ["pool"], ["features"]),
        helper.make_node("MatMul", ["features", "matrix"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 5])],
        [numpy_helper.from_array(kernel, "kernel"), numpy_helper.from_array(matrix, "matrix")],
    )
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def test_a_converted_file_is_standard_onnx(converted, model):
    onnx.checker.check_model(converted, full_check=True)
    session = ort.InferenceSession(converted)
    images = np.stack([model.preprocessing(np.asarray(_rgb(path))) for path in PHOTOS])
    outputs = dict(zip(model.outputs, session.run(None, {"images": images}), strict=True))
    for layer, found in outputs.items():
        np.testing.assert_allclose(found, model.features(PHOTOS, layer), rtol=1e-5, atol=1e-6)


def test_a_converted_file_gives_the_same_features_without_being_told_more(converted, model):
    again = penult.load_model(weights=converted)
    assert again.outputs == model.outputs
    assert (again.network.name, again.network.size) == ("mobilenet_v1_025", 128)
    assert str(again.preprocessing) == str(model.preprocessing)
    for layer in model.outputs:
        expected = model.features(PHOTOS, layer)
        np.testing.assert_allclose(again.features(PHOTOS, layer), expected, rtol=1e-6, atol=1e-6)
    assert again.logits(PHOTOS).shape == (2, 1001)
    assert len(again.classes) == 1001


def test_a_converted_file_without_classifier_says_so(model, tmp_path):
    features = penult.load_model("mobilenet_v1_025", weights=CHECKPOINT)
    converted = penult.load_model(weights=features.write_onnx(tmp_path / "features.onnx"))
    with pytest.raises(NetworkError, match=r"features\.onnx' was written without its classifier"):
        converted.logits(PHOTOS)


def test_a_file_of_another_program_is_a_network_of_its_own(foreign):
    model = penult.load_model(weights=foreign, preprocess="torchvision")
    assert model.outputs == {"features": (4,)}
    assert model.features(PHOTOS).shape == (2, 4)
    assert model.layers["map"] == (6, 6, 4)
    maps = penult.load_model(weights=foreign, preprocess="torchvision", layer="map")
    np.testing.assert_allclose(maps.features(PHOTOS), model.features(PHOTOS), rtol=1e-5)
    assert model.logits(PHOTOS).shape == (2, 5)
    assert model.classes == ["0", "1", "2", "3", "4"]


def _anonymous(path):
    """The same file as another program might have written it, without its origin."""
    model = onnx.load(path)
    model.ClearField("metadata_props")
    path.unlink()
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("name", ["NET.ONNX", "network", "net.bin"])
def test_the_content_says_that_a_file_is_onnx(model, tmp_path, name):
    whole = penult.load_model("mobilenet_v1_025", weights=CHECKPOINT, layer="Logits")
    path = _anonymous(whole.write_onnx(tmp_path / name))
    found = penult.load_model(weights=path, preprocess="inception")  # its classifier is a 1x1 conv
    assert list(found.outputs.values()) == [(256,)]
    expected = model.features(PHOTOS, "AvgPool_1a")
    np.testing.assert_allclose(found.features(PHOTOS), expected, rtol=1e-5, atol=1e-6)
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.features(PHOTOS), found.features(PHOTOS))


def test_an_output_taken_for_want_of_a_classifier_is_said_and_recorded(tmp_path):
    headless = penult.load_model("mobilenet_v1_025", weights=CHECKPOINT, layer="AvgPool_1a")
    path = _anonymous(headless.write_onnx(tmp_path / "net.onnx"))
    note = "no classifier was found at its end, so its own output 'AvgPool_1a' is taken"
    with pytest.warns(UserWarning, match=rf"net\.onnx': {note}") as warned:
        found = penult.load_model(weights=path, preprocess="inception")
    assert warned[0].filename == __file__
    assert found.recipe.notes["note"].startswith(note)
    asked = penult.load_model(weights=path, preprocess="inception", layer="AvgPool_1a")
    assert "note" not in asked.recipe.notes
    np.testing.assert_array_equal(asked.features(PHOTOS), found.features(PHOTOS))


def test_a_file_of_another_program_needs_to_be_told_the_preprocessing(foreign):
    with pytest.raises(
        UsageError, match=r"doesn't say how its input is made: say it .*torchvision"
    ):
        penult.load_model(weights=foreign)


@pytest.mark.parametrize("options", [{"model": "lenet"}, {"ema": True}])
def test_an_onnx_file_takes_no_name_and_no_averages(foreign, options):
    with pytest.raises(UsageError, match="is a network by itself: leave out -m, --ema"):
        penult.load_model(weights=foreign, preprocess="raw", **options)


def test_an_onnx_file_is_not_converted_again(foreign, tmp_path):
    model = penult.load_model(weights=foreign, preprocess="raw")
    with pytest.raises(UsageError, match=r"net\.onnx' is an ONNX file already"):
        model.write_onnx(tmp_path / "again.onnx")


def test_the_end_of_a_layers_name_is_enough():
    network = load_network("mobilenet_v2_035", CHECKPOINT)
    assert network.layer_name("layer_7/output") == "layer_7/output"
    with pytest.raises(
        UsageError, match=r"'output' may be layer_2/output or .*give the whole name"
    ):
        network.layer_name("output")
    with pytest.raises(UsageError, match=r"mobilenet_v2_035 has no layer 'fc7'; nearest: "):
        network.layer_name("fc7")


def _rgb(path):
    return penult.images.load(path)


def test_exact_networks_and_converted_files_are_not_rewritten(monkeypatch, tmp_path):
    rewritten = []
    monkeypatch.setattr(
        "penult.model.network.winograd", lambda values: rewritten.append(1) or values
    )
    exact = penult.load_model("mobilenet_v1_025", weights=CHECKPOINT, exact=True)
    exact.write_onnx(tmp_path / "mobile.onnx")
    assert not rewritten
    penult.load_model("mobilenet_v1_025", weights=CHECKPOINT)
    assert rewritten
