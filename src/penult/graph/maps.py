"""Operations across the channels of maps, and parts of them."""

from math import prod

import numpy as np

from penult.graph.ops import add, multiply, reshape
from penult.graph.values import Array, Constant, Value


def response_norm(x: Value, scale: Constant, bias: Constant) -> Value:
    """Let channels compete by their lengths over the whole map (GRN, arXiv:2301.00808).

    Args:
        x: (channels, height, width).
        scale: (channels, 1, 1).
        bias: Likewise.
    """
    channels, *places = x.shape
    squares = Value("GlobalAveragePool", (multiply(x, x),), (channels, 1, 1), layout=x.layout)
    lengths = _sqrt(squares)  # all divided by the square root of the places, like the epsilon
    least = _number(1e-6 / prod(places) ** 0.5)
    shares = _divide(lengths, add(_mean(lengths, 1), least))
    return add(multiply(x, add(multiply(shares, scale), _number(1))), bias)


def deviation_norm(x: Value, scale: Constant, *, epsilon: float) -> Value:
    """Divide each place's channels by their deviation, as timm's SimpleNorm does.

    Args:
        x: (…, channels), of which the mean stays.
        scale: (channels,).
        epsilon: Is added to the variance, which is the sum of squares / (channels - 1).
    """
    axis, channels = len(x.shape), x.shape[-1]
    mean = _mean(x, axis)
    distance = add(x, multiply(mean, _number(-1)))
    variance = _mean(multiply(distance, distance), axis)
    unbiased = add(multiply(variance, _number(channels / (channels - 1))), _number(epsilon))
    return multiply(_divide(x, _sqrt(unbiased)), scale)


def slice_map(x: Value, start: int, stop: int) -> Value:
    """Take the channels of a map (c, h, w) from `start` to before `stop`."""
    bounds = (
        Value("Constant", (), (1,), {"value_ints": [each]}, dtype="int64")
        for each in (start, stop, 1)
    )
    return Value("Slice", (x, *bounds), (stop - start, *x.shape[1:]), layout=x.layout)


def interleave(x: Value, groups: int) -> Value:
    """Shuffle a map's channels: the first of each group, then the second of each, and so on."""
    channels, *places = x.shape
    apart = reshape(x, -1, groups, channels // groups, *places)
    shape = (channels // groups, groups, *places)
    turned = Value("Transpose", (apart,), shape, {"perm": [0, 2, 1, 3, 4]})
    return reshape(turned, -1, channels, *places, layout=x.layout)


def adaptive_avg_pool(x: Value, side: int) -> Value:
    """Average so that a map of side × side is left, as PyTorch's AdaptiveAvgPool2d does.

    Where the sides don't divide, windows overlap: from floor(i · h / side) to
    ceil((i + 1) · h / side).
    """
    channels, height, width = x.shape
    if (height, width) == (side, side):
        return x
    rows = Value("MatMul", (_windows(side, height), x), (channels, side, width), layout=x.layout)
    columns = _windows(side, width, turned=True)
    return Value("MatMul", (rows, columns), (channels, side, side), layout=x.layout)


def _windows(side: int, places: int, *, turned: bool = False) -> Constant:
    """What each of the averages takes of each place, (side, places)."""

    def compute() -> Array:
        shares = np.zeros((side, places))
        for i in range(side):
            start, stop = i * places // side, -(-(i + 1) * places // side)
            shares[i, start:stop] = 1 / (stop - start)
        return shares.T if turned else shares

    return Constant((places, side) if turned else (side, places), (), compute)


def _mean(x: Value, axis: int) -> Value:
    """Average over an axis, of which one place is left; the batch is axis 0."""
    shape = (*x.shape[: axis - 1], 1, *x.shape[axis:])
    return Value("ReduceMean", (x,), shape, {"axes": [axis], "keepdims": 1}, layout=x.layout)


def _sqrt(x: Value) -> Value:
    return Value("Sqrt", (x,), x.shape, layout=x.layout)


def _divide(x: Value, y: Value) -> Value:
    return Value("Div", (x, y), x.shape, layout=x.layout)


def _number(value: float) -> Constant:
    return Constant((), (), lambda: np.array(value))
