"""A convolution without a bias, which separable ones begin with."""

import numpy as np

from penult import graph
from penult.engine import OnnxRuntime
from penult.graph import Constant
from penult.onnx.writer import to_onnx


def test_conv_without_bias_equals_one_with_a_bias_of_zeros():
    random = np.random.default_rng(0)
    kernel = random.normal(size=(4, 3, 3, 3))
    weights = Constant(kernel.shape, (), lambda: kernel)
    zeros = Constant((4,), (), lambda: np.zeros(4))
    x = graph.images(6)
    layers = {"without": graph.conv(x, weights), "zeros": graph.conv(x, weights, zeros)}
    outputs = OnnxRuntime(to_onnx(layers, lambda variable: np.empty(0))).run(
        random.normal(size=(2, 6, 6, 3)).astype(np.float32)
    )
    assert layers["without"].multiply_adds == layers["zeros"].multiply_adds
    np.testing.assert_allclose(outputs["without"], outputs["zeros"], rtol=1e-5, atol=1e-6)
