"""MobileNet V2. Sandler et al. 2018, arXiv:1801.04381, table 2.

Variables and layers have the names of TF-Slim's mobilenet/mobilenet_v2.py; the published accuracy
is in mobilenet/README.md there.
"""

from functools import partial
from typing import NamedTuple

from penult.graph import Value, add, global_avg_pool, relu6, softmax
from penult.nets import slim
from penult.nets.spec import Layers, NetSpec

conv_bn = partial(slim.conv_bn, epsilon=1e-3)
depthwise_bn = partial(slim.depthwise_bn, epsilon=1e-3)


class Stage(NamedTuple):
    """One row of the paper's table 2: a run of bottlenecks."""

    expansion: int
    channels: int
    blocks: int
    stride: int  # of the first block


STAGES = (
    Stage(1, 16, 1, 1),
    Stage(6, 24, 2, 2),
    Stage(6, 32, 3, 2),
    Stage(6, 64, 4, 2),
    Stage(6, 96, 3, 1),
    Stage(6, 160, 3, 2),
    Stage(6, 320, 1, 1),
)
BLOCKS = [  # expansion, channels, stride
    (stage.expansion, stage.channels, stage.stride if block == 0 else 1)
    for stage in STAGES
    for block in range(stage.blocks)
]


def mobilenet_v2(images: Value, classes: int, *, width: float) -> Layers:
    """Build the network; the last convolution scales up with `width`, but never down."""
    layers: dict[str, Value] = {}
    net = "MobilenetV2"
    stem = relu6(conv_bn(images, f"{net}/Conv", slim.divisible(32 * width), 3, stride=2))
    x = layers["layer_1"] = stem
    for i, (expansion, channels, stride) in enumerate(BLOCKS):
        scope = f"{net}/expanded_conv_{i}" if i else f"{net}/expanded_conv"
        filters = slim.divisible(channels * width)
        x = bottleneck(layers, x, f"layer_{i + 2}", scope, expansion, filters, stride)
    head = relu6(conv_bn(x, f"{net}/Conv_1", slim.divisible(1280 * max(width, 1)), 1))
    x = layers[f"layer_{len(BLOCKS) + 2}"] = head
    x = layers["global_pool"] = global_avg_pool(x)
    x = layers["Logits"] = slim.logits(x, f"{net}/Logits/Conv2d_1c_1x1", classes)
    layers["Predictions"] = softmax(x)
    return layers


def bottleneck(
    layers: dict[str, Value],
    x: Value,
    layer: str,
    scope: str,
    expansion: int,
    channels: int,
    stride: int,
) -> Value:
    """Expand, filter each channel by itself, project; add the input where shapes allow it."""
    y = x
    if expansion > 1:
        wide = slim.divisible(x.shape[0] * expansion)
        y = layers[f"{layer}/expansion_output"] = relu6(conv_bn(y, f"{scope}/expand", wide, 1))
    y = relu6(depthwise_bn(y, f"{scope}/depthwise", 3, stride=stride))
    layers[f"{layer}/depthwise_output"] = y
    y = conv_bn(y, f"{scope}/project", channels, 1)
    y = add(y, x) if y.shape == x.shape else y
    layers[f"{layer}/output"] = layers[layer] = y
    return y


def _spec(name: str, width: float, size: int, top1: float) -> NetSpec:
    return NetSpec(
        name=name,
        build=partial(mobilenet_v2, width=width),
        size=size,
        preprocessing="inception",
        features="global_pool",
        logits="Logits",
        classifier="MobilenetV2/Logits/Conv2d_1c_1x1/biases",
        paper="https://arxiv.org/abs/1801.04381",
        source="https://github.com/tensorflow/models/blob/master/research/slim/nets/mobilenet/mobilenet_v2.py",
        top1=top1,
        classes=1001,
    )


NETS = [
    # width, input size, published top-1
    _spec("mobilenet_v2", 1.0, 224, 71.8),
    _spec("mobilenet_v2_140", 1.4, 224, 75.0),
    _spec("mobilenet_v2_035", 0.35, 96, 45.5),
]
