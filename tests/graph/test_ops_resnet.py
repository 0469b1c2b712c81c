"""What today's ResNets need, against the same arithmetic in NumPy, through ONNX Runtime."""

import numpy as np
import pytest

import onnx
from penult import graph
from penult.engine import OnnxRuntime
from penult.graph import Constant, Value
from penult.nets import pytorch
from penult.onnx.writer import to_onnx

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(2, 5, 5, 3)).astype(np.float32)
MAP = IMAGES.transpose(0, 3, 1, 2)
ARRAYS = {
    "fc1.weight": RANDOM.normal(size=(2, 3, 1, 1)),
    "fc1.bias": RANDOM.normal(size=2),
    "fc2.weight": RANDOM.normal(size=(3, 2, 1, 1)),
    "fc2.bias": RANDOM.normal(size=3),
    "eca.weight": RANDOM.normal(size=(1, 1, 3)),
}


def run(layer: Value) -> np.ndarray:
    cut = to_onnx({"out": layer}, lambda variable: ARRAYS[variable.name])
    whole = onnx.load_from_string(cut.model)
    for tensor in whole.graph.initializer:
        tensor.CopyFrom(onnx.numpy_helper.from_array(cut.weights[tensor.name], tensor.name))
    onnx.checker.check_model(whole, full_check=True)
    (output,) = OnnxRuntime(cut, once=True).run(IMAGES).values()
    assert output.shape[1:] == layer.shape
    return output


def column(*numbers: float) -> Constant:
    return Constant((len(numbers), 1, 1), (), lambda: np.array(numbers).reshape(-1, 1, 1))


@pytest.mark.parametrize("mode", ["constant", "reflect"])
def test_pad(mode):
    padded = graph.pad(graph.images(5), 2, mode=mode)
    expected = np.pad(MAP, ((0, 0), (0, 0), (2, 2), (2, 2)), mode=mode)
    np.testing.assert_array_equal(run(padded), expected)


@pytest.mark.parametrize("groups", [1, 3])
def test_group_norm(groups):
    scale, bias = (1, 2, 3), (4, 5, 6)
    normal = graph.group_norm(
        graph.images(5), column(*scale), column(*bias), groups=groups, epsilon=0.1
    )
    grouped = MAP.reshape(2, groups, -1).astype(np.float64)
    mean, variance = grouped.mean(2, keepdims=True), grouped.var(2, keepdims=True)
    expected = ((grouped - mean) / np.sqrt(variance + 0.1)).reshape(MAP.shape)
    expected = expected * np.reshape(scale, (-1, 1, 1)) + np.reshape(bias, (-1, 1, 1))
    np.testing.assert_allclose(run(normal), expected, rtol=1e-5, atol=1e-6)


def test_join_tokens():
    tokens = graph.to_tokens(graph.images(5))
    both = graph.join_tokens(graph.slice_tokens(tokens, 3, 5), tokens)
    rows = IMAGES.reshape(2, 25, 3)
    np.testing.assert_array_equal(run(both), np.concatenate([rows[:, 3:5], rows], axis=1))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_squeeze_excite():
    weighed = pytorch.squeeze_excite(graph.images(5), "fc1", "fc2", 2, act=graph.relu)
    squeezed = MAP.mean((2, 3)) @ ARRAYS["fc1.weight"][:, :, 0, 0].T + ARRAYS["fc1.bias"]
    gates = np.maximum(squeezed, 0) @ ARRAYS["fc2.weight"][:, :, 0, 0].T + ARRAYS["fc2.bias"]
    np.testing.assert_allclose(run(weighed), MAP * sigmoid(gates)[..., None, None], rtol=1e-5)


def test_channel_attention():
    weighed = pytorch.channel_attention(graph.images(5), "eca", 3)
    means = np.pad(MAP.mean((2, 3)), ((0, 0), (1, 1)))
    taps = ARRAYS["eca.weight"][0, 0]
    gates = sigmoid(np.stack([means[:, i : i + 3] @ taps for i in range(3)], axis=1))
    np.testing.assert_allclose(run(weighed), MAP * gates[..., None, None], rtol=1e-5)


def test_blurring_mirrors_the_edge():
    padded = np.pad(MAP, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")
    taps = np.outer((1, 2, 1), (1, 2, 1)) / 16
    view = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))[:, :, ::2, ::2]
    expected = (view * taps).sum((-2, -1))
    np.testing.assert_allclose(run(pytorch.blur_pool(graph.images(5))), expected, rtol=1e-4)
