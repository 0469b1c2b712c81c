"""Operations on values, with TensorFlow's semantics: NHWC images in, SAME or VALID padding."""

from collections.abc import Sequence
from math import prod
from typing import Any, Literal, NamedTuple

import numpy as np

from penult.errors import NetworkError
from penult.graph.values import Array, Constant, Shape, Value, Variable

Padding = Literal["SAME", "VALID"] | tuple[int, int]  # or the rows before and after


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
    bias: Constant | None = None,
    *,
    stride: int = 1,
    padding: Padding = "SAME",
    groups: int = 1,
) -> Value:
    """Convolve `x` with a kernel (filters, channels / groups, height, width), and add a bias."""
    filters, *_, kernel_height, kernel_width = kernel.shape
    window = (kernel_height, kernel_width)
    shape, attributes = _slide(x, window, stride, padding)
    attributes["group"] = groups
    products = prod(kernel.shape) * prod(shape)
    inputs = (x, kernel) if bias is None else (x, kernel, bias)
    return Value("Conv", inputs, (filters, *shape), attributes, products)


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


def reshape(x: Value, *shape: int) -> Value:
    """Reshape with the batch, which -1 stands for."""
    target = Value("Constant", (), (len(shape),), {"value_ints": [*shape]})
    return Value("Reshape", (x, target), shape[1:])


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


def hard_sigmoid(x: Value) -> Value:
    """Return min(max(x + 3, 0), 6) · 0.16667, rounded as TF-Slim rounds a sixth."""
    shifted = relu6(Value("Add", (x, _THREE), x.shape))
    return Value("Mul", (shifted, _SIXTH), x.shape)


def hard_swish(x: Value) -> Value:
    """Return x · min(max(x + 3, 0), 6) / 6."""
    return Value("HardSwish", (x,), x.shape)


def add(x: Value, y: Value) -> Value:
    """Add two values of the same shape."""
    return Value("Add", (x, y), x.shape)


def multiply(x: Value, y: Value) -> Value:
    """Multiply two values of the same shape, or each channel of `x` by one of `y`, (c, 1, 1)."""
    return Value("Mul", (x, y), x.shape)


def concat(values: Sequence[Value]) -> Value:
    """Join values along the channels."""
    channels = sum(v.shape[0] for v in values)
    return Value("Concat", tuple(values), (channels, *values[0].shape[1:]), {"axis": 1})


def local_response_norm(x: Value, *, radius: int, bias: float, alpha: float, beta: float) -> Value:
    """Divide by (bias + alpha · sum of squares over 2·radius + 1 channels) ** beta."""
    size = 2 * radius + 1  # ONNX divides alpha by it
    attributes = {"size": size, "bias": bias, "alpha": alpha * size, "beta": beta}
    return Value("LRN", (x,), x.shape, attributes)


def softmax(x: Value) -> Value:
    """Turn logits (classes,) into probabilities."""
    return Value("Softmax", (x,), x.shape, {"axis": 1})


def plain(variable: Variable) -> Constant:
    """Use a variable as it is."""
    return Constant(variable.shape, (variable,), lambda array: array)


class BatchNorm(NamedTuple):
    """The variables of a batch normalisation, each (channels,); some have no gamma."""

    gamma: Variable | None
    beta: Variable
    mean: Variable
    variance: Variable
    epsilon: float


def fold_batch_norm(kernel: Constant, norm: BatchNorm) -> tuple[Constant, Constant]:
    """Merge a kernel (filters, ...) and the batch norm after it into one kernel and one bias.

    The scale is gamma / sqrt(variance + epsilon), computed in float64 and rounded once; without
    gamma, 1 / sqrt(variance + epsilon).
    """
    gamma, beta, mean, variance, epsilon = norm
    scaling = (variance,) if gamma is None else (variance, gamma)

    def scale(variance: Array, gamma: Array | float = 1.0) -> Array:
        factors: Array = gamma / np.sqrt(variance.astype(np.float64) + epsilon)
        return factors

    def folded_kernel(*arrays: Array) -> Array:
        parts, others = arrays[: len(kernel.variables)], arrays[len(kernel.variables) :]
        array = kernel.compute(*parts)
        factors = scale(*others).reshape(-1, *[1] * (array.ndim - 1))
        folded = np.empty(array.shape, np.float32)  # no second kernel in float64 on the way
        return np.multiply(array, factors, out=folded, casting="same_kind")

    def folded_bias(beta: Array, mean: Array, *others: Array) -> Array:
        folded: Array = beta - mean * scale(*others)
        return folded

    return (
        Constant(kernel.shape, (*kernel.variables, *scaling), folded_kernel),
        Constant(beta.shape, (beta, mean, *scaling), folded_bias),
    )


_ZERO = Constant((), (), lambda: np.array(0))
_SIX = Constant((), (), lambda: np.array(6))
_THREE = Constant((), (), lambda: np.array(3))
_SIXTH = Constant((), (), lambda: np.array(0.16667))


def _slide(
    x: Value, window: tuple[int, int], stride: int, padding: Padding
) -> tuple[Shape, dict[str, Any]]:
    """Return the (height, width) that a sliding window gives, and its ONNX attributes.

    Raises:
        NetworkError: The window doesn't fit.
    """
    sizes = x.shape[1:]
    pads = [_padding(size, w, stride, padding) for size, w in zip(sizes, window, strict=True)]
    if any(sum(pad) + size < w for pad, size, w in zip(pads, sizes, window, strict=True)):
        windows, maps = ("×".join(map(str, each)) for each in (window, sizes))
        raise NetworkError(f"a window of {windows} doesn't fit into a map of {maps}")
    out = tuple(
        (before + size + after - w) // stride + 1
        for size, w, (before, after) in zip(sizes, window, pads, strict=True)
    )
    return out, {
        "kernel_shape": [*window],
        "strides": [stride, stride],
        "pads": [before for before, _ in pads] + [after for _, after in pads],
    }


def _padding(size: int, window: int, stride: int, padding: Padding) -> tuple[int, int]:
    if padding == "VALID":
        return 0, 0
    if padding != "SAME":
        return padding
    missing = max((-(-size // stride) - 1) * stride + window - size, 0)
    return missing // 2, missing - missing // 2  # the odd row goes below and to the right
