"""MobileNet V3. Howard et al. 2019, arXiv:1905.02244, tables 1 and 2, and variants of them.

Variables and layers have the names of TF-Slim's mobilenet/mobilenet_v3.py. From there and from
mobilenet/README.md come the minimalistic and the Edge TPU variant and the published accuracy.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from penult.graph import (
    Value,
    add,
    avg_pool,
    global_avg_pool,
    hard_sigmoid,
    hard_swish,
    multiply,
    relu,
    softmax,
)
from penult.images import preprocess
from penult.nets import slim
from penult.nets.spec import Architecture, Layers, Pretrained, PublishedWeights

Activation = Callable[[Value], Value]

conv_bn = partial(slim.conv_bn, epsilon=1e-3)
depthwise_bn = partial(slim.depthwise_bn, epsilon=1e-3)


class Block(NamedTuple):
    """One row of the paper's tables 1 and 2."""

    kernel: int
    expansion: int  # channels inside
    channels: int  # and outside
    stride: int = 1
    squeeze: bool = False
    activation: Activation = relu
    fused: bool = False  # expand and filter in one convolution, as Edge TPUs like it
    residual: bool = True  # where shapes allow it


class Plan(NamedTuple):
    """A network before its widths are scaled."""

    scope: str
    stem: int
    blocks: list[Block]
    head: int  # channels of the convolution before the pool
    top: int | None  # of the one after it, without batch norm
    activation: Activation  # of stem, head and top


LARGE = Plan(
    "MobilenetV3",
    16,
    [
        Block(3, 16, 16),
        Block(3, 64, 24, stride=2),
        Block(3, 72, 24),
        Block(5, 72, 40, stride=2, squeeze=True),
        *[Block(5, 120, 40, squeeze=True)] * 2,
        Block(3, 240, 80, stride=2, activation=hard_swish),
        Block(3, 200, 80, activation=hard_swish),
        *[Block(3, 184, 80, activation=hard_swish)] * 2,
        Block(3, 480, 112, squeeze=True, activation=hard_swish),
        Block(3, 672, 112, squeeze=True, activation=hard_swish),
        Block(5, 672, 160, stride=2, squeeze=True, activation=hard_swish),
        *[Block(5, 960, 160, squeeze=True, activation=hard_swish)] * 2,
    ],
    head=960,
    top=1280,
    activation=hard_swish,
)
SMALL = Plan(
    "MobilenetV3",
    16,
    [
        Block(3, 16, 16, stride=2, squeeze=True),
        Block(3, 72, 24, stride=2),
        Block(3, 88, 24),
        Block(5, 96, 40, stride=2, squeeze=True, activation=hard_swish),
        *[Block(5, 240, 40, squeeze=True, activation=hard_swish)] * 2,
        Block(5, 120, 48, squeeze=True, activation=hard_swish),
        Block(5, 144, 48, squeeze=True, activation=hard_swish),
        Block(5, 288, 96, stride=2, squeeze=True, activation=hard_swish),
        *[Block(5, 576, 96, squeeze=True, activation=hard_swish)] * 2,
    ],
    head=576,
    top=1024,
    activation=hard_swish,
)
EDGETPU = Plan(
    "MobilenetEdgeTPU",
    32,
    [
        Block(3, 32, 16, fused=True),
        Block(3, 128, 32, stride=2, fused=True),
        *[Block(3, 128, 32, fused=True)] * 3,
        Block(3, 256, 48, stride=2, fused=True),
        *[Block(3, 192, 48, fused=True)] * 3,
        Block(3, 384, 96, stride=2),
        *[Block(3, 384, 96)] * 3,
        Block(3, 768, 96, residual=False),
        *[Block(3, 384, 96)] * 3,
        Block(5, 768, 160, stride=2),
        *[Block(5, 640, 160)] * 3,
        Block(3, 1280, 192),
    ],
    head=1280,
    top=None,
    activation=relu,
)


def minimalistic(full: Plan) -> Plan:
    """Leave out what slows accelerators: 5×5 kernels, squeeze-and-excite, hard-swish."""
    blocks = [row._replace(kernel=3, squeeze=False, activation=relu) for row in full.blocks]
    return full._replace(blocks=blocks, activation=relu)


def scaled(full: Plan, width: float) -> Plan:
    """Scale the channels of every layer; a block keeps its ratio of channels inside to its input's.

    The published networks of less than full width were trained with the last convolution as wide as
    ever (TF-Slim's `finegrain_classification_mode`).
    """
    blocks = []
    stem = inputs = slim.divisible(full.stem * width)
    before = full.stem
    for row in full.blocks:
        expansion = slim.divisible(row.expansion / before * inputs)
        before, inputs = row.channels, slim.divisible(row.channels * width)
        blocks.append(row._replace(expansion=expansion, channels=inputs))
    head = slim.divisible(full.head * width)
    top = slim.divisible(full.top * width) if full.top else None
    return full._replace(stem=stem, blocks=blocks, head=head, top=top)


def mobilenet_v3(images: Value, classes: int, *, net: Plan) -> Layers:
    """Build the network."""
    layers: dict[str, Value] = {}
    x = net.activation(conv_bn(images, f"{net.scope}/Conv", net.stem, 3, stride=2))
    layers["layer_1"] = x
    for i, row in enumerate(net.blocks):
        scope = f"{net.scope}/expanded_conv_{i}" if i else f"{net.scope}/expanded_conv"
        x = bottleneck(layers, x, f"layer_{i + 2}", scope, row)
    head = len(net.blocks) + 2
    x = net.activation(conv_bn(x, f"{net.scope}/Conv_1", net.head, 1))
    layers[f"layer_{head}"] = x
    if net.top:
        x = layers[f"layer_{head + 1}"] = mean(x)
        x = slim.conv_bias(x, f"{net.scope}/Conv_2", net.top, 1)
        x = layers[f"layer_{head + 2}"] = net.activation(x)
    x = layers["global_pool"] = global_avg_pool(x)
    x = layers["Logits"] = slim.logits(x, f"{net.scope}/Logits/Conv2d_1c_1x1", classes)
    layers["Predictions"] = softmax(x)
    return layers


def bottleneck(layers: dict[str, Value], x: Value, layer: str, scope: str, row: Block) -> Value:
    """Expand, filter each channel by itself, squeeze and excite, project; add the input."""
    y = x
    if row.expansion > x.shape[0]:
        kernel, stride = (row.kernel, row.stride) if row.fused else (1, 1)
        y = row.activation(conv_bn(y, f"{scope}/expand", row.expansion, kernel, stride=stride))
        layers[f"{layer}/expansion_output"] = y
    if not row.fused:
        y = row.activation(depthwise_bn(y, f"{scope}/depthwise", row.kernel, stride=row.stride))
        layers[f"{layer}/depthwise_output"] = y
    if row.squeeze:
        y = squeeze_excite(y, f"{scope}/squeeze_excite")
    y = conv_bn(y, f"{scope}/project", row.channels, 1)
    y = add(y, x) if row.residual and y.shape == x.shape else y
    layers[f"{layer}/output"] = layers[layer] = y
    return y


def squeeze_excite(x: Value, scope: str) -> Value:
    """Weigh each channel by a gate computed from the means of all."""
    channels = x.shape[0]
    y = relu(slim.conv_bias(mean(x), f"{scope}/Conv", slim.divisible(channels / 4), 1))
    return multiply(x, hard_sigmoid(slim.conv_bias(y, f"{scope}/Conv_1", channels, 1)))


def mean(x: Value) -> Value:
    """Average over height and width, and keep both: (c, h, w) to (c, 1, 1)."""
    return avg_pool(x, x.shape[1], stride=1)


def pretrained(
    name: str, net: Plan, top1: float | None, archive: str = "", sha256: str = ""
) -> Pretrained:
    """A network with its weights, where some are published."""
    architecture = Architecture(
        build=partial(mobilenet_v3, net=net),
        embedding="global_pool",
        logits="Logits",
        classifier=f"{net.scope}/Logits/Conv2d_1c_1x1/biases",
        paper="https://arxiv.org/abs/1905.02244",
        source=slim.source("mobilenet/mobilenet_v3.py"),
    )
    return Pretrained(
        f"mobilenet_v3_{name}",
        architecture,
        size=224,
        preprocess=preprocess.inception,
        classes=1001,
        top1=top1,
        weights=_published(archive, sha256) if archive else None,
    )


def _published(archive: str, sha256: str) -> PublishedWeights:
    return PublishedWeights(
        f"https://storage.googleapis.com/mobilenet_v3/checkpoints/{archive}.tgz",
        licence="Apache-2.0",
        digest=f"sha256:{sha256}" if sha256 else None,
        inside="ema",
    )


LARGE_075, SMALL_075, EDGETPU_075 = (scaled(net, 0.75) for net in (LARGE, SMALL, EDGETPU))

PRETRAINED = [
    # network, published top-1, archive, its SHA-256
    pretrained(
        "large",
        LARGE,
        75.2,
        "v3-large_224_1.0_float",
        "9be8563f92022f412c82f2811d670888d6db998e2da9af3e71415fdde2f4f504",
    ),
    pretrained("large_075", LARGE_075, None),
    pretrained(
        "large_075_finegrain",
        LARGE_075._replace(top=LARGE.top),
        73.3,
        "v3-large_224_0.75_float",
        "4346e7893769d3f8ac79e28e7924b351bf8348a8a4d5e7a606260003e706aea5",
    ),
    pretrained(
        "large_minimalistic", minimalistic(LARGE), 72.3, "v3-large-minimalistic_224_1.0_float"
    ),
    pretrained(
        "small",
        SMALL,
        67.5,
        "v3-small_224_1.0_float",
        "e60ad9f450f892ae56f8b9122ffc750d88940d9e6b63f6dc70649179fb3a9065",
    ),
    pretrained(
        "small_075_finegrain",
        SMALL_075._replace(top=SMALL.top),
        65.4,
        "v3-small_224_0.75_float",
        "fffd2e437434f319623ecf26cdbebdb933dcd753afa38e7c2f78cb59c6fc470f",
    ),
    pretrained(
        "small_minimalistic", minimalistic(SMALL), 61.9, "v3-small-minimalistic_224_1.0_float"
    ),
    pretrained("edgetpu", EDGETPU, None),  # published accuracies are those of its 8-bit versions
    pretrained("edgetpu_075_finegrain", EDGETPU_075._replace(head=EDGETPU.head), None),
]
