"""Attention between mobile convolutions: MobileNet V4's, Qin et al. 2024, arXiv:2404.10518.

All heads share their keys and values (section 5.1; Shazeer 2019, arXiv:1911.02150), which may be
of a smaller map. As timm/layers/attention2d.py has it.
"""

import numpy as np

from penult.graph import (
    Constant,
    Value,
    Variable,
    attention,
    conv,
    multiply,
    reshape,
    to_tokens,
    transpose,
)
from penult.nets.pytorch import conv_bias, conv_bn


def attend(
    x: Value, name: str, *, heads: int, width: int, kernel: int, filters: int, epsilon: float
) -> Value:
    """Let each place of a map see all others.

    Args:
        x: (channels, height, width).
        name: The module.
        heads: How many queries each place has.
        width: Of each query, key and value.
        kernel: Of the filters that halve the map for keys and values; 0 if they see all of it.
        filters: Channels that come out.
        epsilon: Of the batch norms.
    """
    queries = conv_bias(x, f"{name}.query.proj", heads * width, 1, bias=False)
    shared = [x, x]
    if kernel:
        shared = [
            conv_bn(
                x,
                f"{name}.{part}.down_conv",
                f"{name}.{part}.norm",
                filters=x.shape[0],
                kernel=kernel,
                stride=2,
                groups=x.shape[0],
                epsilon=epsilon,
            )
            for part in ("key", "value")
        ]
    keys, values = (
        repeated(each, f"{name}.{part}.proj", heads, width)
        for each, part in zip(shared, ("key", "value"), strict=True)
    )
    tokens = attention(*map(to_tokens, (queries, keys, values)), heads=heads)
    seen = reshape(transpose(tokens, "NCL"), -1, heads * width, *x.shape[1:], layout="NCHW")
    return conv_bias(seen, f"{name}.output.proj", filters, 1, bias=False)


def repeated(x: Value, name: str, heads: int, width: int) -> Value:
    """Convolve 1×1, and repeat the result for each head."""
    kernel = Variable(f"{name}.weight", (width, x.shape[0], 1, 1))
    times = (heads, 1, 1, 1)
    return conv(
        x, Constant((heads * width, *kernel.shape[1:]), (kernel,), lambda a: np.tile(a, times))
    )


def scaled(x: Value, name: str) -> Value:
    """Weigh each channel of a map by a factor (arXiv:2103.17239)."""
    channels = x.shape[0]
    factors = Variable(f"{name}.gamma", (channels,))
    return multiply(
        x, Constant((channels, 1, 1), (factors,), lambda array: array.reshape(-1, 1, 1))
    )
