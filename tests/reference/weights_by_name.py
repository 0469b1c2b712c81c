"""Deterministic stand-in weights: any (name, shape) gives the same float32 array everywhere.

The draw depends on nothing but the variable's slim name and shape, so a checkpoint of any network
can be made again without TensorFlow and compared with the reference outputs beside this file.
"""

import zlib

import numpy as np


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The stand-in value of one variable, float32 of the given shape (TensorFlow layout, HWIO)."""
    rng = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    kind = name.rsplit("/", 1)[-1]
    if kind == "moving_variance":
        return (0.5 + rng.random(shape, dtype=np.float32)).astype(np.float32)
    x = rng.standard_normal(shape, dtype=np.float32)
    if kind in ("gamma",):
        return (1 + 0.1 * x).astype(np.float32)
    if kind in ("beta", "moving_mean"):
        return (0.1 * x).astype(np.float32)
    if kind == "biases":
        return (0.05 * x).astype(np.float32)
    # depthwise: (kh, kw, channels, multiplier); all others have the outputs last
    fan_in = shape[0] * shape[1] if kind == "depthwise_weights" else int(np.prod(shape[:-1]))
    scale = np.sqrt(2.0 / fan_in)
    if "bottleneck_v1/conv3/" in name or "bottleneck_v2/conv3/" in name:
        scale *= 0.25  # keeps deep residual sums from growing
    if (
        name.startswith(("cell_", "aux_", "reduction_cell", "conv0", "stem"))
        or "/comb_iter_" in name
        or "cell_" in name
    ):
        scale *= 0.7  # NASNet sums two branches per block
    return np.float32(scale) * x
