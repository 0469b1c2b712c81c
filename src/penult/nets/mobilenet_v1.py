"""MobileNet V1. Howard et al. 2017, arXiv:1704.04861, table 1.

Variables and layers have the names of TF-Slim's mobilenet_v1.py; the published accuracy is in
mobilenet_v1.md there.
"""

from functools import partial

from penult.graph import Value, global_avg_pool, relu6, softmax
from penult.nets import slim
from penult.nets.spec import Layers, NetSpec

conv_bn = partial(slim.conv_bn, epsilon=1e-3)
depthwise_bn = partial(slim.depthwise_bn, epsilon=1e-3)

TABLE = [  # stride of the depthwise convolution, channels after the pointwise one
    (1, 64),
    (2, 128),
    (1, 128),
    (2, 256),
    (1, 256),
    (2, 512),
    *[(1, 512)] * 5,
    (2, 1024),
    (1, 1024),
]


def mobilenet_v1(images: Value, classes: int, *, width: float) -> Layers:
    """Build the network; `width` scales the channels of every layer."""
    layers = {}
    net = "MobilenetV1"
    stem = relu6(conv_bn(images, f"{net}/Conv2d_0", scaled(32, width), 3, stride=2))
    x = layers["Conv2d_0"] = stem
    for i, (stride, channels) in enumerate(TABLE, start=1):
        depthwise, pointwise = f"Conv2d_{i}_depthwise", f"Conv2d_{i}_pointwise"
        x = layers[depthwise] = relu6(depthwise_bn(x, f"{net}/{depthwise}", 3, stride=stride))
        x = layers[pointwise] = relu6(conv_bn(x, f"{net}/{pointwise}", scaled(channels, width), 1))
    x = layers["AvgPool_1a"] = global_avg_pool(x)
    x = layers["Logits"] = slim.logits(x, f"{net}/Logits/Conv2d_1c_1x1", classes)
    layers["Predictions"] = softmax(x)
    return layers


def scaled(channels: int, width: float) -> int:
    """Scale a number of channels, rounded down, to 8 or more."""
    return max(int(channels * width), 8)


def _spec(name: str, width: float, size: int, top1: float) -> NetSpec:
    return NetSpec(
        name=name,
        build=partial(mobilenet_v1, width=width),
        size=size,
        preprocessing="inception",
        features="AvgPool_1a",
        logits="Logits",
        classifier="MobilenetV1/Logits/Conv2d_1c_1x1/biases",
        paper="https://arxiv.org/abs/1704.04861",
        source="https://github.com/tensorflow/models/blob/master/research/slim/nets/mobilenet_v1.py",
        top1=top1,
        classes=1001,
    )


NETS = [
    # width, input size, published top-1
    _spec("mobilenet_v1", 1.0, 224, 70.9),
    _spec("mobilenet_v1_025", 0.25, 128, 41.5),
]
