"""How torchvision resizes tensors with antialiasing: first along the rows, then along the columns.

The kernels are PyTorch's, aten/src/ATen/native/cpu/UpSampleKernel.cpp and, after Pillow-SIMD,
UpSampleKernelAVXAntialias.h. For 8-bit tensors weights are rounded to 16 bits, each side with as
many of them behind the point as its largest weight leaves, where Pillow has 22: so both differ by a
level or two here and there. For floats weights are computed in float32, which moves what is made by
up to 2e-5. Sums are computed in float64, which keeps whole numbers of this size as they are.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from penult.images.bilinear import RGB

Name = Literal["bilinear", "bicubic"]
Floats = NDArray[np.floating[Any]]

_MOST = 2**17  # target pixels along a side; of longer ones the largest weight is the window's
_ROWS = 64  # of the source at a time
_TARGETS = 16  # at a time, as their sources overlap
_RADIUS: Mapping[Name, int] = {"bilinear": 1, "bicubic": 2}


class Taps(NamedTuple):
    """What is summed along one side."""

    first: NDArray[np.intp]  # source pixel of each target
    weights: NDArray[np.float64]  # (targets, source pixels of each)
    bits: int | None  # weights are whole numbers of 2**-bits; None: they are floats


def fixed_taps(source: range, resized: int, targets: range, kernel: Name) -> Taps:
    """Weigh what `targets` are made of, a part of the `resized` pixels that `source` becomes.

    >>> first, weights, bits = fixed_taps(range(4), 2, range(2), "bilinear")
    >>> first.tolist(), bits, (weights / 2**bits).round(3).tolist()
    ([0, 1], 16, [[0.429, 0.429, 0.143], [0.143, 0.429, 0.429]])
    """
    wanted = range(resized) if resized <= _MOST else targets
    first, weights = _weights(len(source), resized, wanted, kernel, np.float64)
    bits = next((n for n in range(22) if int(weights.max() * 2 ** (n + 1) + 0.5) >= 2**15), 22)
    kept = slice(targets.start - wanted.start, targets.stop - wanted.start)
    scaled = weights[kept] * 2**bits
    rounded = np.trunc(scaled + np.copysign(0.5, scaled))
    return Taps(source.start + first[kept], rounded, bits)


def float_taps(source: range, resized: int, targets: range, kernel: Name) -> Taps:
    """Weigh the same for floats."""
    first, weights = _weights(len(source), resized, targets, kernel, np.float32)
    return Taps(source.start + first, weights.astype(np.float64), None)


def resize(rgb: RGB, rows: Taps, columns: Taps) -> NDArray[Any]:
    """Make the targets of both, of 8-bit levels: uint8, or float32 from 0 to 255; (…, …, 3)."""
    left, right = _span(columns)
    top, bottom = _span(rows)
    across = columns._replace(first=columns.first - left)
    made = np.empty((bottom - top, len(across.first), 3), _kind(across))
    for start in range(top, bottom, _ROWS):
        stop = min(start + _ROWS, bottom)
        block = _block(rgb, left, start, right, stop)
        made[start - top : stop - top] = _sum(across, block.swapaxes(0, 1)).swapaxes(0, 1)
    return _sum(rows._replace(first=rows.first - top), made)


def _weights(
    source: int, resized: int, targets: range, kernel: Name, kind: type[np.floating[Any]]
) -> tuple[NDArray[np.intp], Floats]:
    """First source pixels and weights, rounded to `kind` wherever PyTorch keeps a number."""
    scale = kind(source) / kind(resized)
    shrink = kind(1) / max(scale, kind(1))
    support = kind(_RADIUS[kernel]) * max(scale, kind(1))
    centre = ((np.arange(targets.start, targets.stop) + 0.5) * np.float64(scale)).astype(kind)
    first = np.maximum(centre - support + 0.5, 0).astype(np.intp)
    last = np.minimum((centre + support + 0.5).astype(np.intp), source)
    at = first[:, None] + np.arange((last - first).max())
    offset = (at.astype(kind) - centre[:, None]).astype(np.float64) + 0.5
    x = np.abs((offset * np.float64(shrink)).astype(kind))
    weights = np.where(at < last[:, None], _FILTERS[kernel](x), kind(0))
    return first, weights / weights.sum(axis=1, keepdims=True)


def _triangle(x: Floats) -> Floats:
    return np.maximum(1 - x, 0)


def _cubic(x: Floats) -> Floats:
    """Keys' kernel with a = -0.5."""
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))


_FILTERS = {"bilinear": _triangle, "bicubic": _cubic}


def _span(taps: Taps) -> tuple[int, int]:
    """The source pixels that have a weight."""
    last = taps.weights.shape[1] - 1 - (taps.weights[:, ::-1] != 0).argmax(axis=1)
    return int(taps.first.min()), int((taps.first + last).max()) + 1


def _block(rgb: RGB, left: int, top: int, right: int, bottom: int) -> NDArray[np.uint8]:
    if isinstance(rgb, Image.Image):
        return np.asarray(rgb.crop((left, top, right, bottom)))
    return rgb[top:bottom, left:right]


def _kind(taps: Taps) -> type[np.float32 | np.uint8]:
    return np.float32 if taps.bits is None else np.uint8


def _sum(taps: Taps, x: NDArray[Any]) -> NDArray[Any]:
    """Make targets of the pixels along the first axis of three."""
    flat = np.ascontiguousarray(x).reshape(len(x), -1)
    made = np.empty((len(taps.first), flat.shape[1]), _kind(taps))
    for start in range(0, len(made), _TARGETS):
        part = slice(start, start + _TARGETS)
        first, weights = taps.first[part], taps.weights[part]
        low, stop = int(first[0]), int(first[-1]) + weights.shape[1]
        dense = np.zeros((len(first), stop - low))
        np.put_along_axis(dense, first[:, None] - low + np.arange(weights.shape[1]), weights, 1)
        high = min(stop, len(x))  # behind it all weights are 0
        sums = dense[:, : high - low] @ flat[low:high].astype(np.float64)
        if taps.bits is not None:
            sums = np.clip(np.floor(sums / 2**taps.bits + 0.5), 0, 255)
        made[part] = sums
    return made.reshape(len(made), *x.shape[1:])
