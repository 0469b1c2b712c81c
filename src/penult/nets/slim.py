"""Layers with variables as TF-Slim names and stores them: `scope/weights`, height × width first.

Source: github.com/tensorflow/models, research/slim/nets (and tf_slim's layers).
"""

from collections.abc import Mapping

from penult.graph import (
    BatchNorm,
    Constant,
    Value,
    Variable,
    conv,
    dense,
    fold_batch_norm,
    plain,
    relu,
)
from penult.graph import batch_norm as normalise
from penult.graph.ops import Padding
from penult.graph.values import Array
from penult.nets.spec import PublishedWeights

NETS = "https://github.com/tensorflow/models/blob/master/research/slim/nets"

Window = int | tuple[int, int]  # of equal sides, or height and width


def published(
    file: str, licence: str = "Apache-2.0", *, size: int | None = None, digest: str | None = None
) -> PublishedWeights:
    """Weights of TF-Slim's table; its VGG and ResNet V1 are converted, so under other licences.

    The host there, download.tensorflow.org, is an alias of this one without a certificate.
    """
    url = f"https://storage.googleapis.com/download.tensorflow.org/models/{file}"
    return PublishedWeights(url, licence, size, digest)


def source(file: str) -> str:
    """The address of a file of TF-Slim's, from which a network was taken."""
    return f"{NETS}/{file}"


def conv_bn(
    x: Value,
    scope: str,
    filters: int,
    kernel: Window,
    *,
    stride: int = 1,
    padding: Padding = "SAME",
    gamma: bool = True,
    epsilon: float,
) -> Value:
    """Convolve without bias, then normalise by the moving averages of `scope/BatchNorm`."""
    raw = _kernel(x, scope, filters, kernel)
    norm = _norm(f"{scope}/BatchNorm", filters, epsilon, gamma=gamma)
    folded, bias = fold_batch_norm(raw, norm)
    return conv(x, folded, bias, stride=stride, padding=padding)


def depthwise_bn(x: Value, scope: str, kernel: int, *, stride: int = 1, epsilon: float) -> Value:
    """Convolve each channel by itself, without bias, then normalise as `conv_bn` does."""
    channels = x.shape[0]
    raw = _depthwise_kernel(x, scope, kernel)
    folded, bias = fold_batch_norm(raw, _norm(f"{scope}/BatchNorm", channels, epsilon))
    return conv(x, folded, bias, stride=stride, groups=channels)


def conv_norm(
    x: Value,
    scope: str,
    filters: int,
    kernel: Window,
    *,
    norm: str,
    stride: int = 1,
    padding: Padding = "SAME",
    epsilon: float,
) -> Value:
    """Convolve without bias, then normalise by the moving averages of `norm`."""
    raw = _kernel(x, scope, filters, kernel)
    folded, bias = fold_batch_norm(raw, _norm(norm, filters, epsilon))
    return conv(x, folded, bias, stride=stride, padding=padding)


def separable_norm(
    x: Value, scope: str, filters: int, kernel: int, *, norm: str, stride: int = 1, epsilon: float
) -> Value:
    """Convolve each channel by itself, mix them, normalise by the moving averages of `norm`."""
    y = conv(x, _depthwise_kernel(x, scope, kernel), stride=stride, groups=x.shape[0])
    mix = _kernel(y, scope, filters, 1, "pointwise_weights")
    folded, bias = fold_batch_norm(mix, _norm(norm, filters, epsilon))
    return conv(y, folded, bias)


def conv_only(x: Value, scope: str, filters: int, kernel: Window, *, stride: int = 1) -> Value:
    """Convolve, without bias or normalisation."""
    return conv(x, _kernel(x, scope, filters, kernel), stride=stride)


def conv_bias(
    x: Value,
    scope: str,
    filters: int,
    kernel: int,
    *,
    stride: int = 1,
    padding: Padding = "SAME",
    scale: float = 1.0,
) -> Value:
    """Convolve, add `scope/biases`, multiply the sum by `scale`."""
    weights = _scaled(_kernel(x, scope, filters, kernel), scale)
    bias = _scaled(plain(Variable(f"{scope}/biases", (filters,))), scale)
    return conv(x, weights, bias, stride=stride, padding=padding)


def separable_bias(
    x: Value, scope: str, filters: int, kernel: int, *, stride: int = 1, multiplier: int
) -> Value:
    """Apply `multiplier` filters to each channel by itself, mix them, add `scope/biases`."""
    each = _depthwise_kernel(x, scope, kernel, multiplier)
    y = conv(x, each, stride=stride, groups=x.shape[0])
    mix = _kernel(y, scope, filters, 1, "pointwise_weights")
    return conv(y, mix, plain(Variable(f"{scope}/biases", (filters,))))


def batch_norm(x: Value, scope: str, *, epsilon: float) -> Value:
    """Normalise by the moving averages of `scope`, where no convolution stands before."""
    return normalise(x, _norm(scope, x.shape[0], epsilon))


def dense_bias(x: Value, scope: str, outputs: int) -> Value:
    """Apply `scope/weights`, (inputs, outputs), to vectors and add `scope/biases`."""
    kernel = Variable(f"{scope}/weights", (*x.shape, outputs))
    matrix = Constant((outputs, *x.shape), (kernel,), lambda array: array.T)
    return dense(x, matrix, plain(Variable(f"{scope}/biases", (outputs,))))


def named_conv(
    x: Value, scope: str, filters: int, *, stride: int = 1, padding: Padding = "SAME"
) -> Value:
    """Convolve, normalise without gamma, rectify, as the Inception networks do.

    The window is read off the name: that of `Conv2d_0b_1x7` is 1 high and 7 wide.
    """
    height, width = map(int, scope.rpartition("_")[2].split("x"))
    window = (height, width)
    y = conv_bn(
        x, scope, filters, window, stride=stride, padding=padding, gamma=False, epsilon=1e-3
    )
    return relu(y)


def tower(
    x: Value,
    scope: str,
    filters: Mapping[str, int],
    *,
    stride: int = 1,
    padding: Padding = "SAME",
) -> Value:
    """Apply `named_conv` for each name and filters; stride and padding are those of the last."""
    *first, (name, last) = filters.items()
    for inner, number in first:
        x = named_conv(x, f"{scope}/{inner}", number)
    return named_conv(x, f"{scope}/{name}", last, stride=stride, padding=padding)


def logits(x: Value, scope: str, classes: int) -> Value:
    """Apply a 1×1 convolution with biases to vectors."""
    kernel = Variable(f"{scope}/weights", (1, 1, *x.shape, classes))
    bias = Variable(f"{scope}/biases", (classes,))
    matrix = Constant((classes, *x.shape), (kernel,), lambda array: array[0, 0].T)
    return dense(x, matrix, plain(bias))


def divisible(channels: float) -> int:
    """Round to a multiple of 8, at least 8 and never more than 10 % down, as mobile networks do."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


def _norm(scope: str, channels: int, epsilon: float, *, gamma: bool = True) -> BatchNorm:
    return BatchNorm(
        gamma=Variable(f"{scope}/gamma", (channels,)) if gamma else None,
        beta=Variable(f"{scope}/beta", (channels,)),
        mean=Variable(f"{scope}/moving_mean", (channels,), trainable=False),
        variance=Variable(f"{scope}/moving_variance", (channels,), trainable=False),
        epsilon=epsilon,
    )


def _depthwise_kernel(x: Value, scope: str, size: int, multiplier: int = 1) -> Constant:
    channels = x.shape[0]
    shape = (channels * multiplier, 1, size, size)
    variable = Variable(f"{scope}/depthwise_weights", (size, size, channels, multiplier))
    return Constant(shape, (variable,), lambda array: array.transpose(2, 3, 0, 1).reshape(shape))


def _scaled(constant: Constant, factor: float) -> Constant:
    if factor == 1:
        return constant  # without a copy

    def compute(*arrays: Array) -> Array:
        product: Array = constant.compute(*arrays) * factor
        return product

    return Constant(constant.shape, constant.variables, compute)


def _kernel(x: Value, scope: str, filters: int, window: Window, name: str = "weights") -> Constant:
    height, width = (window, window) if isinstance(window, int) else window
    channels, *_ = x.shape
    variable = Variable(f"{scope}/{name}", (height, width, channels, filters))
    return Constant((filters, channels, height, width), (variable,), _filters_first)


def _filters_first(kernel: Array) -> Array:
    return kernel.transpose(3, 2, 0, 1)
