"""Operations across the channels of maps, against NumPy in float64."""

import numpy as np
import pytest

from penult.engine import OnnxRuntime
from penult.graph import (
    Constant,
    adaptive_avg_pool,
    deviation_norm,
    interleave,
    placeholder,
    response_norm,
    slice_map,
    to_nhwc,
)
from penult.onnx.writer import to_onnx


@pytest.fixture
def x():
    return np.random.default_rng(3).normal(1, 2, (2, 6, 5, 7)).astype(np.float32)


def run(function, x):
    value = function(placeholder("x", x.shape[1:], layout="NCHW"))
    (result,) = OnnxRuntime(to_onnx({"y": value}, lambda variable: None)).run(x).values()
    assert result.shape[1:] == value.shape
    return result


def constant(array):
    return Constant(array.shape, (), lambda: array)


def test_response_norm(x):
    scale, bias = np.random.default_rng(4).normal(size=(2, 6, 1, 1))
    lengths = np.sqrt((x.astype(np.float64) ** 2).sum((2, 3), keepdims=True))
    shares = lengths / (lengths.mean(1, keepdims=True) + 1e-6)
    expected = x + bias + scale * x * shares
    found = run(lambda value: response_norm(value, constant(scale), constant(bias)), x)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_deviation_norm_keeps_the_mean(x):
    scale = np.random.default_rng(4).normal(size=6)
    places = x.transpose(0, 2, 3, 1).astype(np.float64)
    expected = places / np.sqrt(places.var(-1, ddof=1, keepdims=True) + 1e-2) * scale
    found = run(lambda value: deviation_norm(to_nhwc(value), constant(scale), epsilon=1e-2), x)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_slice_and_interleave(x):
    np.testing.assert_array_equal(run(lambda value: slice_map(value, 2, 5), x), x[:, 2:5])
    np.testing.assert_array_equal(
        run(lambda value: interleave(value, 2), x), x[:, [0, 3, 1, 4, 2, 5]]
    )


@pytest.mark.parametrize("side", [1, 3, 4, 5, 9])
def test_adaptive_average_windows_overlap_where_sides_do_not_divide(x, side):
    def window(i, size):
        return slice(i * size // side, -(-(i + 1) * size // side))

    expected = [
        [x[:, :, window(i, 5), window(j, 7)].mean((2, 3), dtype=np.float64) for j in range(side)]
        for i in range(side)
    ]
    found = run(lambda value: adaptive_avg_pool(value, side), x)
    np.testing.assert_allclose(found.transpose(2, 3, 0, 1), expected, rtol=1e-5, atol=1e-5)
