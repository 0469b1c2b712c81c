"""Layers with variables as PyTorch names and stores them: `conv.weight`, `bn.running_mean`."""

from collections.abc import Callable

import numpy as np

from penult.graph import (
    BatchNorm,
    Constant,
    Value,
    Variable,
    conv,
    dense,
    fold_batch_norm,
    global_avg_pool,
    max_pool,
    multiply,
    pad,
    plain,
    reshape,
    sigmoid,
)
from penult.graph import batch_norm as normalise_map
from penult.graph import group_norm as normalise_groups
from penult.graph import layer_norm as normalise_tokens
from penult.graph.ops import Padding
from penult.nets.design import Shapes

Window = int | tuple[int, int]  # of equal sides, or height and width
Activation = Callable[[Value], Value]


def conv_bn(
    x: Value,
    conv_name: str,
    bn_name: str,
    *,
    filters: int,
    kernel: Window,
    stride: int = 1,
    padding: Padding | None = None,
    groups: int = 1,
    epsilon: float,
    bias: bool = False,
) -> Value:
    """Convolve, then normalise by the moving averages; padding as of `conv_bias`."""
    weight = _kernel(x, conv_name, filters, kernel, groups)
    own = Variable(f"{conv_name}.bias", (filters,)) if bias else None
    folded, shift = fold_batch_norm(plain(weight), _norm(bn_name, filters, epsilon), own)
    return conv(x, folded, shift, stride=stride, padding=_pads(kernel, padding), groups=groups)


def conv_bias(
    x: Value,
    name: str,
    filters: int,
    kernel: Window,
    *,
    stride: int = 1,
    padding: Padding | None = None,
    groups: int = 1,
    bias: bool = True,
) -> Value:
    """Convolve and add a bias, where there is one.

    Padding is by default what keeps the size at stride 1: half the kernel on all sides.
    """
    weight = plain(_kernel(x, name, filters, kernel, groups))
    shift = plain(Variable(f"{name}.bias", (filters,))) if bias else None
    return conv(x, weight, shift, stride=stride, padding=_pads(kernel, padding), groups=groups)


def batch_norm(x: Value, name: str, *, epsilon: float) -> Value:
    """Normalise a map by the moving averages, where no convolution stands before."""
    return normalise_map(x, _norm(name, x.shape[0], epsilon))


def group_norm(x: Value, name: str, *, groups: int, epsilon: float) -> Value:
    """Normalise groups of a map's channels."""
    channels = x.shape[0]
    variables = (Variable(f"{name}.{part}", (channels,)) for part in ("weight", "bias"))
    scale, bias = (
        Constant((channels, 1, 1), (each,), lambda array: array.reshape(-1, 1, 1))
        for each in variables
    )
    return normalise_groups(x, scale, bias, groups=groups, epsilon=epsilon)


def squeeze_excite(
    x: Value,
    squeeze: str,
    excite: str,
    width: int,
    *,
    act: Activation,
    gate: Activation = sigmoid,
) -> Value:
    """Weigh a map's channels by what two convolutions make of their means (arXiv:1709.01507).

    Args:
        x: (channels, height, width).
        squeeze: The first convolution, to so many channels as `width` says.
        excite: The second.
        width: Of the vector between them.
        act: What is applied to this vector.
        gate: What is applied to the second's result.
    """
    channels = x.shape[0]
    mean = reshape(global_avg_pool(x), -1, channels, 1, 1, layout="NCHW")
    squeezed = act(conv_bias(mean, squeeze, width, 1))
    return multiply(x, gate(conv_bias(squeezed, excite, channels, 1)))


def channel_attention(x: Value, name: str, kernel: int) -> Value:
    """Weigh each of a map's channels by the means of its neighbours (ECA, arXiv:1910.03151)."""
    channels = x.shape[0]
    weight = Variable(f"{name}.weight", (1, 1, kernel))
    line = reshape(global_avg_pool(x), -1, 1, channels, 1, layout="NCHW")
    column = Constant((1, 1, kernel, 1), (weight,), lambda array: array[..., np.newaxis])
    side = kernel // 2
    mixed = conv(line, column, padding=((side, side), (0, 0)))
    return multiply(x, sigmoid(reshape(mixed, -1, channels, 1, 1, layout="NCHW")))


def blur_pool(x: Value) -> Value:
    """Halve a map by 1-2-1 filters, mirrored at its edges (arXiv:1904.11486)."""
    channels = x.shape[0]
    row = np.array([0.25, 0.5, 0.25])
    kernel = Constant(
        (channels, 1, 3, 3), (), lambda: np.tile(np.outer(row, row), (channels, 1, 1, 1))
    )
    return conv(pad(x, 1, mode="reflect"), kernel, stride=2, padding="VALID", groups=channels)


def max_pool_up(x: Value, window: int, *, stride: int) -> Value:
    """Take the largest of each window, the last of which may reach past the edge (ceil_mode)."""
    down, across = ((window - size) % stride for size in x.shape[1:])
    return max_pool(x, window, stride=stride, padding=((0, down), (0, across)))


def layer_norm(x: Value, name: str, *, epsilon: float) -> Value:
    """Normalise each token, or a vector."""
    channels = x.shape[-1:]
    scale, bias = (plain(Variable(f"{name}.{part}", channels)) for part in ("weight", "bias"))
    return normalise_tokens(x, scale, bias, epsilon=epsilon)


def linear(x: Value, name: str, outputs: int, *, bias: bool = True) -> Value:
    """Apply a dense layer to a vector, or to each token."""
    kernel = plain(Variable(f"{name}.weight", (outputs, x.shape[-1])))
    return dense(x, kernel, plain(Variable(f"{name}.bias", (outputs,))) if bias else None)


def classes_of(shapes: Shapes, name: str, features: int) -> int:
    """Count the classes of a linear layer on so many features; 0 if a file has none such."""
    (classes,) = shapes.get(f"{name}.bias", ())[:1] or (0,)
    return classes if shapes.get(f"{name}.weight") == (classes, features) else 0


def rows(variable: Variable, start: int, stop: int) -> Constant:
    """Take rows of a variable in which a library packs several, such as queries and keys."""
    return Constant(
        (stop - start, *variable.shape[1:]), (variable,), lambda array: array[start:stop]
    )


def _kernel(x: Value, name: str, filters: int, window: Window, groups: int) -> Variable:
    height, width = (window, window) if isinstance(window, int) else window
    return Variable(f"{name}.weight", (filters, x.shape[0] // groups, height, width))


def _norm(name: str, channels: int, epsilon: float) -> BatchNorm:
    return BatchNorm(
        gamma=Variable(f"{name}.weight", (channels,)),
        beta=Variable(f"{name}.bias", (channels,)),
        mean=Variable(f"{name}.running_mean", (channels,), trainable=False),
        variance=Variable(f"{name}.running_var", (channels,), trainable=False),
        epsilon=epsilon,
    )


def _pads(kernel: Window, padding: Padding | None) -> Padding:
    if padding is not None:
        return padding
    sides = (kernel, kernel) if isinstance(kernel, int) else kernel
    down, across = (side // 2 for side in sides)
    return (down, down) if down == across else ((down, down), (across, across))
