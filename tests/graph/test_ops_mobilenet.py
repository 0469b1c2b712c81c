"""The operations of MobileNet V3 against the same arithmetic in NumPy, through ONNX Runtime."""

import numpy as np

from penult import graph
from penult.engine import OnnxRuntime
from penult.graph import Value
from penult.onnx.writer import to_onnx

BATCH = np.random.default_rng(0).normal(scale=4, size=(2, 5, 5, 3)).astype(np.float32)
X = BATCH.transpose(0, 3, 1, 2)
HARD_SIGMOID = (X + 3).clip(0, 6) / 6


def run(layer: Value) -> np.ndarray:
    model = to_onnx({"out": layer}, lambda variable: np.empty(variable.shape))
    (output,) = OnnxRuntime(model).run(BATCH).values()
    assert output.shape[1:] == layer.shape
    return output


def test_hard_sigmoid_has_the_sixth_of_tf_slim():
    gate = run(graph.hard_sigmoid(graph.images(5)))
    np.testing.assert_allclose(gate, HARD_SIGMOID * 1.00002, rtol=1e-6, atol=1e-6)
    assert gate.max() == np.float32(6) * np.float32(0.16667)


def test_hard_swish():
    swish = run(graph.hard_swish(graph.images(5)))
    np.testing.assert_allclose(swish, X * HARD_SIGMOID, rtol=1e-5, atol=1e-6)


def test_multiply_by_the_same_shape():
    x = graph.images(5)
    np.testing.assert_allclose(run(graph.multiply(x, x)), X * X, rtol=1e-6)


def test_multiply_by_one_number_a_channel():
    x = graph.images(5)
    means = X.mean((2, 3), keepdims=True)
    gated = run(graph.multiply(x, graph.avg_pool(x, 5, stride=1)))
    np.testing.assert_allclose(gated, X * means, rtol=1e-5, atol=1e-6)
