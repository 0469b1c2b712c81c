"""Operations on values, with TensorFlow's semantics: NHWC images in, SAME or VALID padding."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any, Literal, NamedTuple

import numpy as np

from penult.errors import NetworkError
from penult.graph.values import Array, Constant, Layout, Shape, Value, Variable

Pair = tuple[int, int]  # before and after
Padding = Literal["SAME", "VALID"] | Pair | tuple[Pair, Pair]  # of both axes, or of rows, columns


def images(size: int, channels: int = 3) -> Value:
    """Return the input `images`: float32 (n, size, size, channels), turned to NCHW inside."""
    return transpose(placeholder("images", (size, size, channels), layout="NHWC"), "NCHW")


def token_ids(length: int) -> Value:
    """Return the input `token_ids`: int64 (n, length)."""
    return placeholder("token_ids", (length,), dtype="int64")


def placeholder(name: str, shape: Shape, *, layout: Layout = "", dtype: str = "float32") -> Value:
    """Return an input of a name, which a graph may have several of; the shape is of one example."""
    return Value("Input", (), shape, {"name": name}, layout=layout, dtype=dtype)


def transpose(x: Value, layout: Layout) -> Value:
    """Put the axes in the order of another layout, if they aren't in it already."""
    if x.layout == layout:
        return x
    perm = [x.layout.index(axis) for axis in layout]
    shape = tuple(x.shape[place - 1] for place in perm[1:])
    return replace(_apply("Transpose", x, perm=perm), shape=shape, layout=layout)


def to_nhwc(x: Value) -> Value:
    """Turn (c, h, w) into (h, w, c), as TensorFlow stores feature maps."""
    return transpose(x, "NHWC")


def embedding(ids: Value, table: Constant) -> Value:
    """Look up tokens (tokens, channels) by their ids (tokens,) in a table (ids, channels)."""
    shape = (*ids.shape, table.shape[1])
    return Value("Gather", (table, ids), shape, {"axis": 0}, layout="NLC", dtype=table.dtype)


def first_token(x: Value) -> Value:
    """Take the first of the tokens (tokens, channels), where a class token stands: (channels,)."""
    return Value("Gather", (x, _FIRST), x.shape[1:], {"axis": 1}, layout="NC", dtype=x.dtype)


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
    return Value("Conv", inputs, (filters, *shape), attributes, products, "NCHW")


def max_pool(x: Value, window: int, *, stride: int, padding: Padding = "VALID") -> Value:
    """Take the largest value in each window; padding never wins."""
    shape, attributes = _slide(x, (window, window), stride, padding)
    return Value("MaxPool", (x,), (x.shape[0], *shape), attributes, layout="NCHW")


def avg_pool(
    x: Value,
    window: int,
    *,
    stride: int,
    padding: Padding = "VALID",
    count_padding: bool = False,
) -> Value:
    """Average each window; padding counts as zeros in PyTorch, in TensorFlow not at all."""
    shape, attributes = _slide(x, (window, window), stride, padding)
    if count_padding:
        attributes["count_include_pad"] = 1
    return Value("AveragePool", (x,), (x.shape[0], *shape), attributes, layout="NCHW")


def global_avg_pool(x: Value) -> Value:
    """Average over height and width, or over tokens: (c, h, w) or (c, l) to (c,)."""
    return _global_pool("GlobalAveragePool", x)


def global_max_pool(x: Value) -> Value:
    """Take the largest over height and width, or over tokens: (c, h, w) or (c, l) to (c,)."""
    return _global_pool("GlobalMaxPool", x)


def flatten(x: Value) -> Value:
    """Turn an example of any shape into a vector."""
    return Value("Flatten", (x,), (prod(x.shape),), {"axis": 1}, layout="NC", dtype=x.dtype)


def reshape(x: Value, *shape: int, layout: Layout = "") -> Value:
    """Reshape with the batch, which -1 stands for."""
    target = Value("Constant", (), (len(shape),), {"value_ints": [*shape]}, dtype="int64")
    return Value("Reshape", (x, target), shape[1:], layout=layout, dtype=x.dtype)


def pad(x: Value, margin: int, *, mode: Literal["constant", "reflect"] = "constant") -> Value:
    """Pad a map on all sides: with zeros, or its own mirror image without the edge."""
    channels, *sizes = x.shape
    pads = [0, 0, margin, margin] * 2
    amounts = Value("Constant", (), (len(pads),), {"value_ints": pads}, dtype="int64")
    shape = (channels, *(size + 2 * margin for size in sizes))
    return Value("Pad", (x, amounts), shape, {"mode": mode}, layout=x.layout)


def group_norm(x: Value, scale: Constant, bias: Constant, *, groups: int, epsilon: float) -> Value:
    """Normalise groups of a map's channels by their mean and deviation (arXiv:1803.08494).

    Args:
        x: (channels, height, width).
        scale: (channels, 1, 1).
        bias: Likewise.
        groups: Of neighbouring channels.
        epsilon: Is added to the variance.
    """
    ones = Constant((groups,), (), lambda: np.ones(groups))
    zeros = Constant((groups,), (), lambda: np.zeros(groups))
    grouped = reshape(x, -1, groups, prod(x.shape) // groups, layout="NCL")
    normal = _apply("InstanceNormalization", grouped, ones, zeros, epsilon=epsilon)
    return add(multiply(reshape(normal, -1, *x.shape, layout=x.layout), scale), bias)


def dense(x: Value, kernel: Constant, bias: Constant | None = None) -> Value:
    """Multiply a vector or tokens, (…, inputs), with a kernel (outputs, inputs), and add a bias."""
    (*places, inputs), outputs = x.shape, kernel.shape[0]
    rows = reshape(x, -1, inputs, layout="NC") if places else x
    operands = (rows, kernel) if bias is None else (rows, kernel, bias)
    products = prod((*places, outputs, inputs))
    y = Value("Gemm", operands, (outputs,), {"transB": 1}, products, "NC")
    return reshape(y, -1, *places, outputs, layout=x.layout) if places else y


def relu(x: Value) -> Value:
    """Return max(x, 0)."""
    return _apply("Relu", x)


def relu6(x: Value) -> Value:
    """Return min(max(x, 0), 6)."""
    return _apply("Clip", x, _ZERO, _SIX)


def sigmoid(x: Value) -> Value:
    """Return 1 / (1 + exp(-x))."""
    return _apply("Sigmoid", x)


def tanh(x: Value) -> Value:
    """Return the hyperbolic tangent."""
    return _apply("Tanh", x)


def silu(x: Value) -> Value:
    """Return x · sigmoid(x)."""
    return multiply(x, sigmoid(x))


def hard_sigmoid(x: Value) -> Value:
    """Return min(max(x + 3, 0), 6) · 0.16667, rounded as TF-Slim rounds a sixth."""
    return _apply("Mul", relu6(_apply("Add", x, _THREE)), _SIXTH)


def exact_hard_sigmoid(x: Value) -> Value:
    """Return min(max(x + 3, 0), 6) / 6, as PyTorch does."""
    return _apply("HardSigmoid", x, alpha=1 / 6, beta=0.5)


def hard_swish(x: Value) -> Value:
    """Return x · min(max(x + 3, 0), 6) / 6."""
    return _apply("HardSwish", x)


def add(x: Value, y: Value | Constant) -> Value:
    """Add two values of the same shape; a constant may be of one that is repeated."""
    return _apply("Add", x, y)


def multiply(x: Value, y: Value | Constant) -> Value:
    """Multiply two values of the same shape, or each channel of `x` by one of `y`, (c, 1, 1)."""
    return _apply("Mul", x, y)


def concat(values: Sequence[Value]) -> Value:
    """Join values along the channels."""
    channels = sum(v.shape[0] for v in values)
    shape = (channels, *values[0].shape[1:])
    return replace(_apply("Concat", *values, axis=1), shape=shape)


def local_response_norm(x: Value, *, radius: int, bias: float, alpha: float, beta: float) -> Value:
    """Divide by (bias + alpha · sum of squares over 2·radius + 1 channels) ** beta."""
    size = 2 * radius + 1  # ONNX divides alpha by it
    return _apply("LRN", x, size=size, bias=bias, alpha=alpha * size, beta=beta)


def normalize(x: Value) -> Value:
    """Divide a vector by its length, the square root of the sum of squares."""
    return _apply("LpNormalization", x, axis=-1, p=2)


def softmax(x: Value) -> Value:
    """Turn logits (classes,) into probabilities."""
    return _apply("Softmax", x, axis=1)


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


def batch_norm(x: Value, norm: BatchNorm) -> Value:
    """Normalise a map by moving averages, where no convolution stands before."""
    channels = x.shape[0]
    ones = Constant((channels, 1, 1, 1), (), lambda: np.ones((channels, 1, 1, 1), np.float32))
    kernel, bias = fold_batch_norm(ones, norm)
    return conv(x, kernel, bias, groups=channels)


def fold_batch_norm(
    kernel: Constant, norm: BatchNorm, bias: Variable | None = None
) -> tuple[Constant, Constant]:
    """Merge a kernel (filters, ...) and the batch norm after it into one kernel and one bias.

    Between them a bias of the convolution's own may have been added.

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
        factors = scale(*others[: len(scaling)])
        own = others[-1] if bias else 0
        folded: Array = beta - (mean - own) * factors
        return folded

    return (
        Constant(kernel.shape, (*kernel.variables, *scaling), folded_kernel),
        Constant(beta.shape, (beta, mean, *scaling, *([bias] if bias else [])), folded_bias),
    )


_ZERO = Constant((), (), lambda: np.array(0))
_SIX = Constant((), (), lambda: np.array(6))
_THREE = Constant((), (), lambda: np.array(3))
_SIXTH = Constant((), (), lambda: np.array(0.16667))
_FIRST = Constant((), (), lambda: np.array(0), "int64")


def _apply(op: str, x: Value, *others: Value | Constant, **attributes: object) -> Value:
    """Apply an operator that keeps the shape, layout and type of its first input."""
    return Value(op, (x, *others), x.shape, attributes, layout=x.layout, dtype=x.dtype)


def _global_pool(op: str, x: Value) -> Value:
    channels, *places = x.shape
    return flatten(replace(_apply(op, x), shape=(channels, *[1] * len(places))))


def _slide(
    x: Value, window: tuple[int, int], stride: int, padding: Padding
) -> tuple[Shape, dict[str, Any]]:
    """Return the (height, width) that a sliding window gives, and its ONNX attributes.

    Raises:
        NetworkError: The window doesn't fit.
    """
    sizes = x.shape[1:]
    pads = [
        _padding(size, w, stride, each)
        for size, w, each in zip(sizes, window, _by_axis(padding), strict=True)
    ]
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


def _by_axis(padding: Padding) -> tuple[Literal["SAME", "VALID"] | Pair, ...]:
    match padding:
        case "SAME" | "VALID":
            return padding, padding
        case ((_, _) as rows, (_, _) as columns):
            return rows, columns
        case (int() as before, int() as after):
            return (before, after), (before, after)


def _padding(size: int, window: int, stride: int, padding: Literal["SAME", "VALID"] | Pair) -> Pair:
    if padding == "VALID":
        return 0, 0
    if padding != "SAME":
        return padding
    missing = max((-(-size // stride) - 1) * stride + window - size, 0)
    return missing // 2, missing - missing // 2  # the odd row goes below and to the right
