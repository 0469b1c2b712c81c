"""Files as programs of many years write them: types, layouts, batches, versions of operators."""

import pickle

import numpy as np
import pytest
from PIL import Image

import onnx
import penult
from onnx import TensorProto
from penult.engine import OnnxRuntime
from penult.errors import NetworkError, UsageError
from penult.images.preprocess import IMAGENET_MEAN, IMAGENET_STD, PREPROCESSING
from penult.onnx.file import OnnxFile

from .onnx_models import KERNEL, MATRIX, classifier, node, onnx_model, tensor

BATCH = np.random.default_rng(5).normal(size=(7, 6, 6, 3)).astype(np.float32)


def features(file, batch=BATCH, pool="avg", layer=None):
    (name,) = [layer] if layer else file.choose().layers
    return OnnxRuntime(file.cut([name], pool)).run(batch)[name]


def half(model):
    """The same in float16, input and output too."""
    for weights in model.graph.initializer:
        array = onnx.numpy_helper.to_array(weights).astype(np.float16)
        weights.CopyFrom(onnx.numpy_helper.from_array(array, weights.name))
    for each in [*model.graph.input]:
        each.type.tensor_type.elem_type = TensorProto.FLOAT16
    return model


def test_half_precision_is_given_halves_and_gives_float32(save, opened, monkeypatch):
    monkeypatch.setattr("penult.onnx.initializers.SMALL", 512)
    expected = features(opened(classifier()))
    file = OnnxFile(save(half(onnx_model(classifier()))))
    cut = file.cut(["vector"])
    assert cut.weights["kernel"].dtype == np.float16  # as it lies in the file
    np.testing.assert_allclose(features(file), expected, rtol=2e-2, atol=5e-3)
    assert features(file).dtype == np.float32
    np.testing.assert_array_equal(features(file), features(file).astype(np.float16))
    for pool in ("avg", "max", "none"):
        assert features(file, pool=pool, layer="map").dtype == np.float32


def test_half_weights_that_are_cast_are_single_precision(save, opened):
    model = onnx_model(classifier())
    expected = features(opened(classifier()))
    halves = tensor(KERNEL.astype(np.float16), "halves")
    model.graph.initializer[0].CopyFrom(halves)
    model.graph.node.insert(0, node("Cast", ["halves"], ["kernel"], to=TensorProto.FLOAT))
    file = OnnxFile(save(model))
    assert file.choose().layers == ("vector",)
    assert file.cut(["vector"]).precision == "float32"
    np.testing.assert_allclose(features(file), expected, rtol=1e-2, atol=1e-2)


def test_what_a_run_computes_in_is_recorded(save, opened):
    whole, halves = opened(classifier()).path, half(onnx_model(classifier()))
    single = penult.load_model(weights=whole, preprocess="raw").recipe
    path = whole.with_name("half.onnx")
    path.write_bytes(halves.SerializeToString())
    recipe = penult.load_model(weights=path, preprocess="raw").recipe
    assert (single.precision, recipe.precision) == ("float32", "float16")


def nhwc():
    """The classifier as TensorFlow's converter writes it: its input turned, then as before."""
    turned = node("Transpose", ["x"], ["turned"], perm=[0, 3, 1, 2])
    first, *others = classifier()
    first.input[0] = "turned"
    return [turned, first, *others]


@pytest.mark.parametrize("batch", ["n", 1, 4])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_every_batch_and_layout_gives_the_same(opened, layout, batch):
    expected = features(opened(classifier()))
    shape = (batch, 3, 6, 6) if layout == "NCHW" else (batch, 6, 6, 3)
    file = opened(classifier() if layout == "NCHW" else nhwc(), shape=shape)
    assert (file.layout, file.choose().layers) == (layout, ("vector",))
    for count in (1, 4, 7):
        found = features(file, BATCH[:count])
        np.testing.assert_allclose(found, expected[:count], rtol=1e-5, atol=1e-6)


def test_the_first_kernel_tells_how_many_channels_there_are(opened):
    """Where all sizes are said to vary, as Optimum exports them."""
    expected = features(opened(classifier()))
    file = opened(classifier(), shape=("n", "channels", "height", "width"))
    assert (file.layout, file.channels, file.sides) == ("NCHW", 3, None)
    found = OnnxRuntime(file.cut(["vector"], size=6)).run(BATCH)["vector"]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)
    assert opened(classifier(), shape=("n", 3, 3, 3)).sides == (3, 3)


def test_quantised_weights_are_read(save, opened, monkeypatch):
    monkeypatch.setattr("penult.onnx.initializers.SMALL", 256)
    expected = features(opened(classifier()))
    scale = np.float32(np.abs(KERNEL).max() / 127)
    model = onnx_model(classifier())
    model.graph.initializer[0].CopyFrom(tensor(np.rint(KERNEL / scale).astype(np.int8), "bytes"))
    model.graph.initializer.append(tensor(scale, "scale"))
    model.graph.node.insert(0, node("DequantizeLinear", ["bytes", "scale"], ["kernel"]))
    file = OnnxFile(save(model))
    assert file.cut(["vector"]).weights["bytes"].dtype == np.int8
    np.testing.assert_allclose(features(file), expected, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_inputs_that_are_no_squares_get_the_whole_image(opened, photos, layout):
    shape = ("n", 3, 8, 4) if layout == "NCHW" else ("n", 8, 4, 3)
    nodes = classifier() if layout == "NCHW" else nhwc()
    path, photo = opened(nodes, shape=shape).path, photos / "hens.jpg"
    model = penult.load_model(weights=path, preprocess="torchvision", layer=["map", "vector"])
    assert str(model.preprocessing) == (
        "squash 8x4 bilinear, scale 1/255, mean 0.485 0.456 0.406, std 0.229 0.224 0.225"
    )
    assert model.layers["map"] == (8, 4, 16)
    resized = penult.images.load(photo).resize((4, 8), Image.Resampling.BILINEAR)
    batch = (np.asarray(resized, np.float32)[None] / 255 - IMAGENET_MEAN) / IMAGENET_STD
    expected = features(opened(nodes, shape=shape), batch.astype(np.float32))
    found = model.features([photo], "vector")
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.features([photo], "vector"), found)
    assert penult.describe(weights=path).size == (8, 4)
    with pytest.raises(UsageError, match="takes images of 8×4 pixels, not 4"):
        penult.load_model(weights=path, preprocess="torchvision", size=4)
    with pytest.raises(UsageError, match="the preprocessing makes images of 8×8 pixels, not 8×4"):
        penult.load_model(weights=path, preprocess=PREPROCESSING["raw"](8))
    with pytest.raises(UsageError, match="preprocessing lenet makes squares only, not 8×4"):
        penult.load_model(weights=path, preprocess="lenet")


def of_version(model, version, ir_version):
    model.opset_import[0].version = version
    model.ir_version = ir_version
    if version < 11:  # before, a Gemm had to have a bias
        model.graph.initializer.append(tensor(np.zeros(5, np.float32), "bias"))
        (matrix,) = [each for each in model.graph.node if each.op_type == "Gemm"]
        matrix.input.append("bias")
    return model


@pytest.mark.parametrize("version", range(7, 25))
@pytest.mark.parametrize("pool", ["avg", "max", "none"])
def test_versions_of_operators_from_7_to_24(save, version, pool):
    file = OnnxFile(save(of_version(onnx_model(classifier()), version, 3 if version < 9 else 8)))
    padded = np.pad(BATCH, [(0, 0), (1, 1), (1, 1), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    maps = np.einsum("nhwckl,fckl->nhwf", windows, KERNEL)
    np.testing.assert_allclose(features(file), maps.mean((1, 2)), rtol=1e-4, atol=1e-5)
    expected = {"avg": maps.mean((1, 2)), "max": maps.max((1, 2)), "none": maps}[pool]
    found = features(file, pool=pool, layer="map")
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    logits = features(file, layer="logits")
    np.testing.assert_allclose(logits, maps.mean((1, 2)) @ MATRIX.T, rtol=1e-4, atol=1e-4)


def test_a_version_that_onnx_runtime_does_not_know_is_one_line(save):
    file = OnnxFile(save(of_version(onnx_model(classifier()), 40, 8)))
    with pytest.raises(NetworkError, match=r"uses version 40 of .* upgrade onnxruntime") as caught:
        features(file)
    assert "\n" not in str(caught.value)
