"""Operations on values, with TensorFlow's semantics: NHWC images in, SAME or VALID padding."""

from collections.abc import Sequence
from math import prod
from typing import Any, Literal

import numpy as np

from penult.graph.values import Array, Constant, Shape, Value, Variable

Padding = Literal["SAME", "VALID"]


def images(size: int, channels: int = 3) -> Value:
    """Return the network's input: float32 (n, size, size, channels), turned to NCHW inside."""
    nhwc = Value("Input", (), (size, size, channels))
    return Value("Transpose", (nhwc,), (channels, size, size), {"perm": [0, 3, 1, 2]})


def to_nhwc(x: Value) -> Value:
    """Turn (c, h, w) into (h, w, c), as TensorFlow stores feature maps."""
    channels, height, width = x.shape
    return Value("Transpose", (x,), (height, width, channels), {"perm": [0, 2, 3, 1]})


def conv(
    x: Value,
    kernel: Constant,
    bias: Constant,
    *,
    stride: int = 1,
    padding: Padding = "SAME",
    groups: int = 1,
) -> Value:
    """Convolve `x` with a kernel (filters, channels / groups, height, width) and add a bias."""
    filters, *_, kernel_height, kernel_width = kernel.shape
    window = (kernel_height, kernel_width)
    shape, attributes = _slide(x, window, stride, padding)
    attributes["group"] = groups
    products = prod(kernel.shape) * prod(shape)
    return Value("Conv", (x, kernel, bias), (filters, *shape), attributes, products)


def max_pool(x: Value, window: int, *, stride: int, padding: Padding = "VALID") -> Value:
    """Take the largest value in each window; padding never wins."""
    shape, attributes = _slide(x, (window, window), stride, padding)
    return Value("MaxPool", (x,), (x.shape[0], *shape), attributes)


def avg_pool(x: Value, window: int, *, stride: int, padding: Padding = "VALID") -> Value:
    """Average each window; as in TensorFlow, padding is not counted."""
    shape, attributes = _slide(x, (window, window), stride, padding)
    return Value("AveragePool", (x,), (x.shape[0], *shape), attributes)


def global_avg_pool(x: Value) -> Value:
    """Average over height and width: (c, h, w) to (c,)."""
    return flatten(Value("GlobalAveragePool", (x,), (x.shape[0], 1, 1)))


def global_max_pool(x: Value) -> Value:
    """Take the largest over height and width: (c, h, w) to (c,)."""
    return flatten(Value("GlobalMaxPool", (x,), (x.shape[0], 1, 1)))


def flatten(x: Value) -> Value:
    """Turn an example of any shape into a vector."""
    return Value("Flatten", (x,), (prod(x.shape),), {"axis": 1})


def dense(x: Value, kernel: Constant, bias: Constant) -> Value:
    """Multiply vectors (inputs,) with a kernel (outputs, inputs) and add a bias."""
    outputs, inputs = kernel.shape
    return Value("Gemm", (x, kernel, bias), (outputs,), {"transB": 1}, outputs * inputs)


def relu(x: Value) -> Value:
    """Return max(x, 0)."""
    return Value("Relu", (x,), x.shape)


def relu6(x: Value) -> Value:
    """Return min(max(x, 0), 6)."""
    return Value("Clip", (x, _ZERO, _SIX), x.shape)


def add(x: Value, y: Value) -> Value:
    """Add two values of the same shape."""
    return Value("Add", (x, y), x.shape)


def concat(values: Sequence[Value]) -> Value:
    """Join values along the channels."""
    channels = sum(v.shape[0] for v in values)
    return Value("Concat", tuple(values), (channels, *values[0].shape[1:]), {"axis": 1})


def fold_batch_norm(
    kernel: Variable,
    *,
    gamma: Variable,
    beta: Variable,
    mean: Variable,
    variance: Variable,
    epsilon: float,
) -> tuple[Constant, Constant]:
    """Merge a kernel (filters, ...) and the batch norm after it into one kernel and one bias.

    The scale is gamma / sqrt(variance + epsilon), computed in float64 and rounded once.
    """

    def scale(gamma: Array, variance: Array) -> Array:
        factors: Array = gamma / np.sqrt(variance.astype(np.float64) + epsilon)
        return factors

    def folded_kernel(kernel: Array, gamma: Array, variance: Array) -> Array:
        factors = scale(gamma, variance).reshape(-1, *[1] * (kernel.ndim - 1))
        folded = np.empty(kernel.shape, np.float32)  # no second kernel in float64 on the way
        return np.multiply(kernel, factors, out=folded, casting="same_kind")

    def folded_bias(beta: Array, mean: Array, gamma: Array, variance: Array) -> Array:
        folded: Array = beta - mean * scale(gamma, variance)
        return folded

    return (
        Constant(kernel.shape, (kernel, gamma, variance), folded_kernel),
        Constant(beta.shape, (beta, mean, gamma, variance), folded_bias),
    )


_ZERO = Constant((), (), lambda: np.array(0))
_SIX = Constant((), (), lambda: np.array(6))


def _slide(
    x: Value, window: tuple[int, int], stride: int, padding: Padding
) -> tuple[Shape, dict[str, Any]]:
    """Return the (height, width) that a sliding window gives, and its ONNX attributes."""
    sizes = x.shape[1:]
    if padding == "SAME":
        out = tuple(-(-size // stride) for size in sizes)
    else:
        out = tuple((size - w) // stride + 1 for size, w in zip(sizes, window, strict=True))
    missing = [
        max((o - 1) * stride + w - size, 0) for o, w, size in zip(out, window, sizes, strict=True)
    ]
    before = [m // 2 for m in missing]  # TensorFlow puts the odd row below and to the right
    after = [m - b for m, b in zip(missing, before, strict=True)]
    return out, {
        "kernel_shape": [*window],
        "strides": [stride, stride],
        "pads": [*before, *after],
    }
