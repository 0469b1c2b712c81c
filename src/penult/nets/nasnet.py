"""NASNet-A. Zoph et al. 2017, arXiv:1707.07012, figures 2 and 4.

As in TF-Slim's nasnet.py: variables and layers have its names; the auxiliary head, which only
training needs, is left out.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from penult.graph import (
    Constant,
    Value,
    add,
    avg_pool,
    concat,
    conv,
    global_avg_pool,
    max_pool,
    relu,
    softmax,
)
from penult.images import preprocess
from penult.nets import slim
from penult.nets.spec import Architecture, Build, Layers, Pretrained

EPSILON = 1e-3

conv_norm = partial(slim.conv_norm, epsilon=EPSILON)
separable_norm = partial(slim.separable_norm, epsilon=EPSILON)

Operation = Callable[[Value, str, int, int], Value]  # (x, scope, filters, stride)


def separable(x: Value, scope: str, filters: int, stride: int, *, kernel: int) -> Value:
    """Rectify, convolve separably, normalise; all of it twice, where only the first strides."""
    first, second = (f"{kernel}x{kernel}_{i}" for i in (1, 2))
    convolve = partial(separable_norm, filters=filters, kernel=kernel)
    y = convolve(
        relu(x), f"{scope}/separable_{first}", norm=f"{scope}/bn_sep_{first}", stride=stride
    )
    return convolve(relu(y), f"{scope}/separable_{second}", norm=f"{scope}/bn_sep_{second}")


def pool(x: Value, scope: str, filters: int, stride: int, *, kind: Callable[..., Value]) -> Value:
    """Pool 3×3; project where the number of channels is another."""
    x = kind(x, 3, stride=stride, padding="SAME")
    if x.shape[0] == filters:
        return x
    return conv_norm(x, f"{scope}/1x1", filters, 1, norm=f"{scope}/bn_1")


def identity(x: Value, scope: str, filters: int, stride: int) -> Value:
    """Leave `x` as it is; project where size or number of channels change."""
    if stride == 1 and x.shape[0] == filters:
        return x
    return conv_norm(relu(x), f"{scope}/1x1", filters, 1, stride=stride, norm=f"{scope}/bn_1")


sep3, sep5, sep7 = (partial(separable, kernel=kernel) for kernel in (3, 5, 7))
avg3, max3 = (partial(pool, kind=kind) for kind in (avg_pool, max_pool))


class Cell(NamedTuple):
    """A cell of figure 4. Hidden states: 0 is the last cell, 1 the one before, 2… the blocks."""

    blocks: tuple[tuple[tuple[Operation, int], tuple[Operation, int]], ...]  # each a sum of two
    output: tuple[int, ...]  # the states that are joined


NORMAL = Cell(
    blocks=(
        ((sep5, 0), (sep3, 1)),
        ((sep5, 1), (sep3, 1)),
        ((avg3, 0), (identity, 1)),
        ((avg3, 1), (avg3, 1)),
        ((sep3, 0), (identity, 0)),
    ),
    output=(1, 2, 3, 4, 5, 6),
)
REDUCTION = Cell(
    blocks=(
        ((sep5, 0), (sep7, 1)),
        ((max3, 0), (sep7, 1)),
        ((avg3, 0), (sep5, 1)),
        ((identity, 3), (avg3, 2)),
        ((sep3, 2), (max3, 0)),
    ),
    output=(3, 4, 5, 6),
)


def nasnet(
    images: Value, classes: int, *, repeats: int, filters: int, stem_filters: int, skip: bool
) -> Layers:
    """Build the network: three stages of `repeats` normal cells, a reduction between them.

    With `skip`, the cell after a reduction passes over the reduction's input and takes the cell
    before that as its second.
    """
    layers = {}
    before, x = stem(images, stem_filters, REDUCTION, filters)
    layers["Stem"] = x
    for i in range(3 * repeats):
        second = before
        if i in (repeats, 2 * repeats):
            filters *= 2
            name = f"Reduction_Cell_{i // repeats - 1}"
            before, x = x, cell(x, before, name.lower(), REDUCTION, filters, stride=2)
            layers[name] = x
            second = second if skip else before
        before, x = x, cell(x, second, f"cell_{i}", NORMAL, filters)
        layers[f"Cell_{i}"] = x
    classify(layers, x, classes)
    return layers


def stem(images: Value, width: int, kind: Cell, filters: int) -> tuple[Value, Value]:
    """Convolve, then reduce twice; return the results of the two cells."""
    x = conv_norm(images, "conv0", width, 3, stride=2, padding="VALID", norm="conv0_bn")
    first = cell(x, None, "cell_stem_0", kind, filters // 4, stride=2)
    return first, cell(first, x, "cell_stem_1", kind, filters // 2, stride=2)


def cell(
    x: Value, before: Value | None, scope: str, kind: Cell, filters: int, stride: int = 1
) -> Value:
    """Apply a cell to the results of the last cell and the one before."""
    states = [
        conv_norm(relu(x), f"{scope}/1x1", filters, 1, norm=f"{scope}/beginning_bn"),
        x if before is None else fit(before, x, scope, filters),
    ]
    for i, ((left, a), (right, b)) in enumerate(kind.blocks):
        block = f"{scope}/comb_iter_{i}"
        y = left(states[a], f"{block}/left", filters, stride if a < 2 else 1)
        z = right(states[b], f"{block}/right", filters, stride if b < 2 else 1)
        states.append(add(y, z))
    return concat([states[i] for i in kind.output])


def fit(before: Value, x: Value, scope: str, filters: int) -> Value:
    """Bring the result of the cell before the last to the size of the last, and to `filters`."""
    if before.shape[1:] != x.shape[1:]:
        return halve(relu(before), scope, filters)
    if before.shape[0] != filters:
        return conv_norm(relu(before), f"{scope}/prev_1x1", filters, 1, norm=f"{scope}/prev_bn")
    return before


def halve(x: Value, scope: str, filters: int) -> Value:
    """Halve height and width; half of the filters see the even pixels, the others the odd ones."""
    even = slim.conv_only(x, f"{scope}/path1_conv", filters // 2, 1, stride=2)
    odd = slim.conv_only(odd_pixels(x), f"{scope}/path2_conv", filters - filters // 2, 1)
    return slim.batch_norm(concat([even, odd]), f"{scope}/final_path_bn", epsilon=EPSILON)


def odd_pixels(x: Value) -> Value:
    """Take every second pixel of every second row, from the second on; zeros beyond the edge.

    A convolution does in one step what would take a pad, a crop and a stride.
    """
    channels = x.shape[0]
    window = np.array([[0, 0], [0, 1]])
    kernel = Constant((channels, 1, 2, 2), (), lambda: np.tile(window, (channels, 1, 1, 1)))
    return conv(x, kernel, stride=2, groups=channels)


def classify(layers: dict[str, Value], x: Value, classes: int) -> None:
    """Append the layers from the last cell to the probabilities."""
    x = layers["global_pool"] = global_avg_pool(relu(x))
    x = layers["Logits"] = slim.dense_bias(x, "final_layer/FC", classes)
    layers["Predictions"] = softmax(x)


def pretrained(
    build: Build, name: str, size: int, top1: float, top5: float, archive: str
) -> Pretrained:
    """The network of one size, with the weights that TF-Slim publishes of it."""
    architecture = Architecture(
        build=build,
        embedding="global_pool",
        logits="Logits",
        classifier="final_layer/FC/biases",
        paper="https://arxiv.org/abs/1707.07012",
        source=slim.source("nasnet/nasnet.py"),
    )
    return Pretrained(
        name,
        architecture,
        size=size,
        preprocess=preprocess.inception,
        classes=1001,
        top1=top1,
        top5=top5,
        weights=slim.published(archive),
    )


MOBILE = partial(nasnet, repeats=4, filters=44, stem_filters=32, skip=False)
LARGE = partial(nasnet, repeats=6, filters=168, stem_filters=96, skip=True)

PRETRAINED = [
    # network, its name, input size, top-1, top-5, archive
    pretrained(MOBILE, "nasnet_mobile", 224, 74.0, 91.6, "nasnet-a_mobile_04_10_2017.tar.gz"),
    pretrained(LARGE, "nasnet_large", 331, 82.7, 96.2, "nasnet-a_large_04_10_2017.tar.gz"),
]
