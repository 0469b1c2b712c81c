"""Rewritten convolutions must equal the direct ones, at any size and with any padding."""

import numpy as np
import pytest

import onnx
from penult import graph, nets
from penult.engine import OnnxRuntime
from penult.graph import Constant, Value, Variable
from penult.graph.values import walk
from penult.graph.winograd import pays, winograd
from penult.onnx.writer import to_onnx

RANDOM = np.random.default_rng(0)
CHANNELS, FILTERS = 5, 7


def constant(array: np.ndarray) -> Constant:
    return Constant(array.shape, (), lambda: array)


def run(layer: Value, batch: np.ndarray, arrays: dict[str, np.ndarray] | None = None) -> np.ndarray:
    model = to_onnx({"out": layer}, lambda variable: (arrays or {})[variable.name])
    (output,) = OnnxRuntime(model).run(batch).values()
    return output


def rewritten(layer: Value) -> Value:
    return winograd({"out": layer}, pays=lambda _: True)["out"]


def images(size: int, n: int = 3) -> np.ndarray:
    return RANDOM.normal(size=(n, size, size, CHANNELS)).astype(np.float32)


def convolution(size: int, **options) -> Value:
    kernel, bias = RANDOM.normal(size=(FILTERS, CHANNELS, 3, 3)), RANDOM.normal(size=FILTERS)
    return graph.conv(graph.images(size, CHANNELS), constant(kernel), constant(bias), **options)


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize("padding", ["SAME", "VALID", (2, 1)])
@pytest.mark.parametrize("size", range(3, 13))
def test_a_rewritten_convolution_equals_the_direct_one(size, padding):
    layer, batch = convolution(size, padding=padding), images(size)
    found, expected = run(rewritten(layer), batch), run(layer, batch)
    assert found.shape == expected.shape
    assert relative_error(found, expected) < 3e-6


def test_an_image_gives_the_same_bits_in_a_batch_of_any_size():
    kernel = constant(RANDOM.normal(size=(128, 384, 3, 3)))
    layer = rewritten(graph.conv(graph.placeholder("images", (384, 12, 12), layout="NCHW"), kernel))
    batch = RANDOM.normal(size=(9, 384, 12, 12)).astype(np.float32)
    together = run(layer, batch)
    for n in (1, 4, 8):
        np.testing.assert_array_equal(run(layer, batch[:n]), together[:n])


def test_a_map_need_not_be_square():
    x = graph.placeholder("images", (CHANNELS, 5, 10), layout="NCHW")
    layer = graph.conv(x, constant(RANDOM.normal(size=(FILTERS, CHANNELS, 3, 3))))
    batch = RANDOM.normal(size=(2, *x.shape)).astype(np.float32)
    assert relative_error(run(rewritten(layer), batch), run(layer, batch)) < 3e-6


def test_weights_are_transformed_in_float64_and_rounded_once():
    kernel = Variable("kernel", (FILTERS, CHANNELS, 3, 3))
    array = RANDOM.normal(size=kernel.shape).astype(np.float32)
    layer = rewritten(graph.conv(graph.images(8, CHANNELS), graph.plain(kernel)))
    (found,) = (w for w in to_onnx({"out": layer}, lambda _: array).weights.values() if w.ndim == 3)
    sides = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
    expected = np.einsum("ia,fcab,jb->ijfc", sides, array.astype(np.float64), sides)
    np.testing.assert_allclose(found, expected.reshape(found.shape), rtol=1e-7)


def test_convolutions_after_one_another_and_what_lies_between():
    first = graph.relu(convolution(9))
    kernel = constant(RANDOM.normal(size=(FILTERS, FILTERS, 3, 3)))
    layer = graph.global_avg_pool(graph.add(first, graph.conv(first, kernel)))
    batch = images(9)
    assert relative_error(run(rewritten(layer), batch), run(layer, batch)) < 3e-6


def test_a_rewritten_graph_is_standard_onnx():
    layer = rewritten(convolution(9))
    model = onnx.load_from_string(to_onnx({"out": layer}, lambda _: np.empty(0)).model)
    for node in model.graph.node:
        assert node.domain == ""
    weights = to_onnx({"out": layer}, lambda _: np.empty(0)).weights
    for tensor in model.graph.initializer:
        tensor.CopyFrom(onnx.numpy_helper.from_array(weights[tensor.name], tensor.name))
    onnx.checker.check_model(model, full_check=True)


@pytest.mark.parametrize(
    "options", [{"stride": 2}, {"groups": CHANNELS}], ids=["with a stride", "in groups"]
)
def test_other_convolutions_stay(options):
    groups = options.get("groups", 1)
    kernel = constant(np.zeros((CHANNELS, CHANNELS // groups, 3, 3)))
    layer = graph.conv(graph.images(8, CHANNELS), kernel, **options)
    assert operators(rewritten(layer)) == operators(layer)


def test_other_windows_stay():
    kernel = constant(np.zeros((FILTERS, CHANNELS, 5, 5)))
    layer = graph.conv(graph.images(8, CHANNELS), kernel)
    assert operators(rewritten(layer)) == operators(layer)


def operators(layer: Value) -> list[str]:
    return [value.op for value in walk([layer])]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("vgg_16", 10), ("resnet_v1_50", 0), ("efficientnet_lite0", 0)],
)
def test_where_it_pays(name, expected):
    spec = nets.get(name)
    layers = winograd({"features": spec.layers()[spec.architecture.embedding]})
    assert operators(layers["features"]).count("ConvTranspose") == expected


@pytest.mark.parametrize(
    ("channels", "size", "expected"), [(128, 112, True), (64, 224, False), (512, 7, False)]
)
def test_it_pays_for_many_channels_on_large_maps(channels, size, expected):
    kernel = Constant((channels, channels, 3, 3), (), lambda: np.empty(0))
    x = graph.placeholder("images", (channels, size, size), layout="NCHW")
    assert pays(graph.conv(x, kernel)) == expected
