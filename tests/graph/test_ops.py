"""Every operation against the same arithmetic written out in NumPy, through ONNX Runtime."""

import numpy as np
import pytest

import onnx
from penult import graph
from penult.engine import Cut, OnnxRuntime
from penult.graph import Constant, Value, Variable
from penult.onnx.writer import to_onnx

RANDOM = np.random.default_rng(0)


def run(layer: Value, batch: np.ndarray, arrays: dict[str, np.ndarray] | None = None) -> np.ndarray:
    cut = to_onnx({"out": layer}, lambda variable: (arrays or {})[variable.name])
    check(cut)
    (output,) = OnnxRuntime(cut).run(batch.astype(np.float32)).values()
    assert output.shape[1:] == layer.shape
    return output


def check(cut: Cut) -> None:
    """Let ONNX's own checker see the model, with the weights inside."""
    whole = onnx.load_from_string(cut.model)
    for tensor in whole.graph.initializer:
        tensor.CopyFrom(onnx.numpy_helper.from_array(cut.weights[tensor.name], tensor.name))
    onnx.checker.check_model(whole, full_check=True)


def constant(array: np.ndarray) -> Constant:
    return Constant(array.shape, (), lambda: array)


def pixels(size: int, channels: int = 3, n: int = 2) -> np.ndarray:
    return RANDOM.normal(size=(n, size, size, channels))


def nchw(array: np.ndarray) -> np.ndarray:
    return array.transpose(0, 3, 1, 2)


def same_padding(x: np.ndarray, window: int, stride: int, value: float) -> np.ndarray:
    """Pad as TensorFlow's documentation of SAME says: the odd row goes below and to the right."""
    size = x.shape[2]
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    pads = (total // 2, total - total // 2)
    return np.pad(x, ((0, 0), (0, 0), pads, pads), constant_values=value)


def windows(x: np.ndarray, window: int, stride: int) -> np.ndarray:
    view = np.lib.stride_tricks.sliding_window_view(x, (window, window), axis=(2, 3))
    return view[:, :, ::stride, ::stride]


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("window", [1, 2, 3, 5])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_conv(size, stride, window, padding):
    batch = pixels(size)
    kernel, bias = RANDOM.normal(size=(4, 3, window, window)), RANDOM.normal(size=4)
    x = nchw(batch)
    if padding == "SAME":
        x = same_padding(x, window, stride, 0)
    expected = np.einsum("nchwij,fcij->nfhw", windows(x, window, stride), kernel)
    layer = graph.conv(
        graph.images(size), constant(kernel), constant(bias), stride=stride, padding=padding
    )
    np.testing.assert_allclose(
        run(layer, batch), expected + bias[:, None, None], rtol=1e-4, atol=1e-5
    )


def test_conv_in_groups_filters_each_channel_by_itself():
    batch, kernel, bias = pixels(6), RANDOM.normal(size=(3, 1, 3, 3)), np.zeros(3)
    layer = graph.conv(graph.images(6), constant(kernel), constant(bias), groups=3)
    x = windows(same_padding(nchw(batch), 3, 1, 0), 3, 1)
    expected = np.einsum("nchwij,cij->nchw", x, kernel[:, 0])
    np.testing.assert_allclose(run(layer, batch), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_max_pool_never_takes_the_padding(size, padding):
    batch = pixels(size) - 100
    x = nchw(batch)
    if padding == "SAME":
        x = same_padding(x, 3, 2, -np.inf)
    layer = graph.max_pool(graph.images(size), 3, stride=2, padding=padding)
    np.testing.assert_allclose(run(layer, batch), windows(x, 3, 2).max((4, 5)), rtol=1e-6)


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_avg_pool_does_not_count_the_padding(size, padding):
    batch = pixels(size)
    x = nchw(batch)
    if padding == "SAME":
        x = same_padding(x, 3, 2, np.nan)
    layer = graph.avg_pool(graph.images(size), 3, stride=2, padding=padding)
    expected = np.nanmean(windows(x, 3, 2), axis=(4, 5))
    np.testing.assert_allclose(run(layer, batch), expected, rtol=1e-4, atol=1e-5)


def test_global_pools_and_map():
    batch = pixels(5)
    x = graph.images(5)
    mean, largest = run(graph.global_avg_pool(x), batch), run(graph.global_max_pool(x), batch)
    np.testing.assert_allclose(mean, batch.mean((1, 2)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(largest, batch.max((1, 2)), rtol=1e-6)
    np.testing.assert_allclose(run(graph.to_nhwc(x), batch), batch, rtol=1e-6)


def test_dense_after_flatten():
    batch = pixels(2)
    kernel, bias = RANDOM.normal(size=(5, 12)), RANDOM.normal(size=5)
    layer = graph.dense(graph.flatten(graph.images(2)), constant(kernel), constant(bias))
    expected = nchw(batch).reshape(2, -1) @ kernel.T + bias
    np.testing.assert_allclose(run(layer, batch), expected, rtol=1e-4, atol=1e-5)


def test_activations_add_and_concat():
    batch = pixels(4) * 10
    x = graph.images(4)
    joined = graph.concat([graph.relu(x), graph.relu6(x), graph.add(x, x)])
    expected = np.concatenate([batch.clip(0), batch.clip(0, 6), batch * 2], axis=3)
    np.testing.assert_allclose(run(joined, batch), nchw(expected), rtol=1e-6)


def test_fold_batch_norm_equals_normalising_afterwards():
    shapes = {"kernel": (4, 3, 3, 3), "gamma": (4,), "beta": (4,), "mean": (4,), "variance": (4,)}
    arrays = {k: RANDOM.normal(size=s).astype(np.float32) for k, s in shapes.items()}
    arrays["variance"] = np.abs(arrays["variance"])
    variables = {name: Variable(name, shape) for name, shape in shapes.items()}
    raw = graph.plain(variables.pop("kernel"))
    kernel, bias = graph.fold_batch_norm(raw, graph.BatchNorm(**variables, epsilon=1e-3))
    batch = pixels(6)
    y = run(graph.conv(graph.images(6), constant(arrays["kernel"]), constant(np.zeros(4))), batch)
    norm = {name: arrays[name][:, None, None] for name in variables}
    expected = (y - norm["mean"]) / np.sqrt(norm["variance"] + 1e-3) * norm["gamma"] + norm["beta"]
    folded = run(graph.conv(graph.images(6), kernel, bias), batch, arrays)
    np.testing.assert_allclose(folded, expected, rtol=1e-4, atol=1e-5)
