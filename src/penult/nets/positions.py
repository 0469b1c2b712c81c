"""Places of tokens: learned tables resampled to another grid, and rotary angles.

The filters are PyTorch's: `bicubic` with a = -0.75 and no antialiasing, `antialias` with a = -0.5
and a kernel that widens when the grid shrinks, `corners` with the corners of both grids on each
other; `offset` scales by (side + 0.1) / old side, as DINOv2's own code does.
"""

from typing import Literal

import numpy as np

from penult.graph.values import Array

Resampling = Literal["bicubic", "antialias", "corners", "offset"]


def resample(table: Array, grid: int, how: Resampling) -> Array:
    """Resample a table of the places of a square grid, (old², channels), to (grid², channels)."""
    old = round(len(table) ** 0.5)
    if old == grid:
        return table
    weights = _weights(old, grid, how)
    square = table.reshape(old, old, -1).astype(np.float64)
    resampled = np.einsum("ai,bj,ijc->abc", weights, weights, square, optimize=True)
    flat: Array = resampled.reshape(grid * grid, -1).astype(np.float32)
    return flat


def rotary_angles(grid: int, width: int, base: float) -> Array:
    """Angles of DINOv3's rotary embedding, float32 (grid², width / 2) for heads of that width.

    The centres of the patches lie between -1 and 1; rows turn the first half of the pairs, columns
    the second, each at width / 4 frequencies (arXiv:2508.10104, section 3.2).
    """
    centres = 2 * (np.arange(grid, dtype=np.float32) + 0.5) / grid - 1
    exponents = np.arange(width // 4, dtype=np.float32) * np.float32(4 / width)
    frequencies = (1 / np.float32(base) ** exponents).astype(np.float32)
    turns = np.float32(2 * np.pi) * centres[:, None] * frequencies
    rows, columns = np.repeat(turns, grid, axis=0), np.tile(turns, (grid, 1))
    return np.concatenate([rows, columns], axis=1)


def _weights(old: int, new: int, how: Resampling) -> Array:
    """What each old place gives to each new one, (new, old)."""
    scale = (old - 1) / (new - 1) if how == "corners" else old / new
    if how == "offset":
        scale = old / (new + 0.1)
    places = np.arange(new)
    centres = places * scale if how == "corners" else (places + 0.5) * scale - 0.5
    stretch = max(scale, 1.0) if how == "antialias" else 1.0
    reach = int(np.ceil(2 * stretch)) + 1
    taps = np.floor(centres).astype(int)[:, None] + np.arange(-reach, reach + 1)
    shares = _cubic((taps - centres[:, None]) / stretch, -0.5 if how == "antialias" else -0.75)
    if how == "antialias":
        shares = np.where((taps >= 0) & (taps < old), shares, 0)
    weights = np.zeros((new, old))
    np.add.at(weights, (places[:, None], np.clip(taps, 0, old - 1)), shares)
    normalised: Array = weights / weights.sum(axis=1, keepdims=True)
    return normalised


def _cubic(x: Array, a: float) -> Array:
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * a * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0))
