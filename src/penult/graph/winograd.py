"""Convolutions of 3×3 with less than half the multiplications, written as plain ONNX operators.

Winograd's minimal filtering F(4×4, 3×3): 16 outputs of a channel take 36 products rather than 144.
Lavin & Gray 2015, arXiv:1509.09308, section 4.3. With a map cut into tiles of 4×4 outputs, hence of
6×6 inputs that overlap by 2, and in the paper's letters:

- V = Bᵀ d B of every tile d of every channel: a 6×6 convolution of stride 4 on each channel's plane
  by itself, with 36 fixed filters;
- U = G g Gᵀ of the kernel g: computed in float64 when the model is made, and rounded once;
- M = U V: for each of the 36 places in a tile, a matrix product over the channels. Each image has
  its own, since one for the whole batch (up to 1.3 times as fast where maps are small) would round
  differently with the size of the batch;
- Y = Aᵀ M A, 4×4 outputs: a transposed convolution of stride 4, which also puts the tiles side by
  side, crops what hangs over the edge, and adds the bias.

Exact in the reals; in float32 the transforms lose a little: a layer differs from ONNX Runtime's own
by up to 3e-6 (relative, L2), and so do the features of VGG.
"""

from collections.abc import Callable, Mapping

import numpy as np

from penult.graph.ops import reshape
from penult.graph.values import Array, Constant, Value, rebuilt

TILE = 4  # outputs, in both directions
WINDOW = TILE + 2  # inputs
PLACES = WINDOW * WINDOW

INPUT = np.array(  # Bᵀ
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
KERNEL = np.array(  # G
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)
OUTPUT = np.array(  # Aᵀ
    [
        [1, 1, 1, 1, 1, 0],
        [0, 1, -1, 2, -2, 0],
        [0, 1, 1, 4, 4, 0],
        [0, 1, -1, 8, -8, 1],
    ]
)


def pays(conv: Value) -> bool:
    """Tell whether to rewrite a convolution.

    The transforms of an output take the same time for any number of channels, and those of the
    kernel are read for each image, which takes large maps to pay. The two numbers are from
    benchmarks/winograd.py, on AVX2.
    """
    filters, channels, *_ = conv.inputs[1].shape
    return min(filters, channels) >= 128 and conv.multiply_adds >= 4e8


def winograd(
    outputs: Mapping[str, Value], pays: Callable[[Value], bool] = pays
) -> dict[str, Value]:
    """Rewrite the 3×3 convolutions, of stride 1 and ungrouped, for which it `pays`."""

    def rewritten(value: Value) -> Value:
        match value.inputs:
            case [Value() as x, Constant() as kernel, *bias] if _is_plain(value) and pays(value):
                return _rewritten(value, x, kernel, bias)
        return value

    return rebuilt(outputs, rewritten)


def _is_plain(value: Value) -> bool:
    wanted = {"kernel_shape": [3, 3], "strides": [1, 1], "group": 1}
    return value.op == "Conv" and wanted.items() <= value.attributes.items()


def _rewritten(conv: Value, x: Value, kernel: Constant, bias: list[Value | Constant]) -> Value:
    channels, *size = x.shape
    filters, *wanted = conv.shape
    counts = rows, columns = [-(-each // TILE) for each in wanted]
    before = conv.attributes["pads"][:2]
    after = [
        TILE * count + 2 - pad - each for count, pad, each in zip(counts, before, size, strict=True)
    ]
    over = [TILE * count - each for count, each in zip(counts, wanted, strict=True)]
    steps = [TILE, TILE]

    planes = reshape(x, -1, 1, *size)  # (n · channels, 1, height, width)
    cut = {"kernel_shape": [WINDOW, WINDOW], "strides": steps, "pads": [*before, *after]}
    v = Value("Conv", (planes, _TILES_OF_A_PLANE), (PLACES, rows, columns), cut)
    v = _swap(reshape(v, -1, channels, PLACES, rows * columns))  # (n, 36, channels, tiles)
    m = Value("MatMul", (_transformed(kernel), v), (PLACES, filters, rows * columns))
    m = reshape(_swap(m), -1, filters * PLACES, rows, columns)
    join = {"strides": steps, "pads": [0, 0, *over], "group": filters}
    inputs = (m, _tiles_into_planes(filters), *bias)
    return Value("ConvTranspose", inputs, conv.shape, join, layout="NCHW")


def _transformed(kernel: Constant) -> Constant:
    filters, channels, *_ = kernel.shape

    def compute(*arrays: Array) -> Array:
        product: Array = _KERNEL @ kernel.compute(*arrays).transpose(2, 3, 0, 1).reshape(9, -1)
        return product

    return Constant((PLACES, filters, channels), kernel.variables, compute)


def _tiles_into_planes(filters: int) -> Constant:
    shape = (filters * PLACES, 1, TILE, TILE)
    one = np.kron(OUTPUT, OUTPUT).T
    return Constant(shape, (), lambda: np.tile(one, (filters, 1)))


def _swap(x: Value) -> Value:
    """Swap channels and places."""
    first, second, tiles = x.shape
    return Value("Transpose", (x,), (second, first, tiles), {"perm": [0, 2, 1, 3]})


_KERNEL = np.kron(KERNEL, KERNEL)
_TILES_OF_A_PLANE = Constant((PLACES, 1, WINDOW, WINDOW), (), lambda: np.kron(INPUT, INPUT))
