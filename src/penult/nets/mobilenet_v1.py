"""MobileNet V1. Howard et al. 2017, arXiv:1704.04861, table 1.

Variables and layers have the names of TF-Slim's mobilenet_v1.py; the published accuracy is in
mobilenet_v1.md there.
"""

from collections.abc import Iterable, Iterator
from functools import partial

from penult.graph import Value, global_avg_pool, relu6, softmax
from penult.images import preprocess
from penult.nets import slim
from penult.nets.spec import Architecture, Layers, Pretrained

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


PUBLISHED = {  # by width: input size, top-1, top-5, SHA-256 of the archive
    1.0: [
        (224, 70.9, 89.9, "1ccb74dbd9c5f7aea879120614e91617db9534bdfaa53dfea54b7c14162e126b"),
        (192, 70.0, 89.2, "ad683fb270cd1b0f49c820c4acf5fcbbfa546ae354b1345a4fff5f19f99d7c44"),
        (160, 68.0, 87.7, "1f612ebeda0e7e149897273c445b790ca8924a8a1488e6a61d36166a562fd89c"),
        (128, 65.2, 85.8, "d16f3102c1cb087eacf94c6a5abf0477767158fb891b2710409472bca4d988a8"),
    ],
    0.75: [
        (224, 68.4, 88.2, "bf61b3ce7ca2d045bb35fa6ab9a68732e3531291266db4a8c7715227d7425657"),
        (192, 67.2, 87.3, "3d91d279cd06c055500aabdff8dfbd51a63797c7bb6b3f9a39e243f7c13997e9"),
        (160, 65.3, 86.0, "90b3f26406a89df489373358aa89d9db7bcb66d2400160f16f3687f79e4f66b2"),
        (128, 62.1, 83.9, "54a28065f6f230d0b71cf8fbbc50bbb89b4fdfada8e7e2a622da68b971d5ab97"),
    ],
    0.5: [
        (224, 63.3, 84.9, "0eb9be8d18dcf9466a2a2d2157e71c83cd70dc168255d76d72bfe965318db725"),
        (192, 61.7, 83.6, "57c81cc48349d1079377f8cdeed3f017500aeb98a12f16c6ed2086a50848ecb6"),
        (160, 59.1, 81.9, "fb01b76ca1fb053e5f98d297e21c6c53d0d9f6a8b02ad2e88ac22b33b2adf729"),
        (128, 56.3, 79.4, "5a0def0d844327526385b110cdcaa6428d0828ff6d07515ef25bf3976e049d88"),
    ],
    0.25: [
        (224, 49.8, 74.2, "eee166d4d1de004e2ee5de19a4f5045574d764ef59569dc284545f805a295074"),
        (192, 47.7, 72.3, "4889d7afabc31011f5218f6111532947ff7d5b6b9368afe1f152c67c6f30ea73"),
        (160, 45.5, 70.3, "8eb4540af0227e5e59849c41ca6da6f07e257cca887ec0f8cd33aeb46f1405cf"),
        (128, 41.5, 66.3, "34c52de7562259f66399993ef5ea222cc625d2e6f6f886a01fdc6cc99a0c7ee6"),
    ],
}
NAMES = {(1.0, 224): "mobilenet_v1", (0.25, 128): "mobilenet_v1_025"}


def pretrained(
    width: float, published: Iterable[tuple[int, float, float, str]]
) -> Iterator[Pretrained]:
    """The one network of a width, with each of its weights."""
    architecture = Architecture(
        build=partial(mobilenet_v1, width=width),
        embedding="AvgPool_1a",
        logits="Logits",
        classifier="MobilenetV1/Logits/Conv2d_1c_1x1/biases",
        paper="https://arxiv.org/abs/1704.04861",
        source=slim.source("mobilenet_v1.py"),
    )
    for size, top1, top5, sha256 in published:
        archive = f"mobilenet_v1_2018_02_22/mobilenet_v1_{width}_{size}.tgz"
        yield Pretrained(
            NAMES.get((width, size), f"mobilenet_v1_{100 * width:03.0f}_{size}"),
            architecture,
            size=size,
            preprocess=preprocess.inception,
            classes=1001,
            top1=top1,
            top5=top5,
            weights=slim.published(archive, digest=f"sha256:{sha256}"),
        )


PRETRAINED = [each for width, rows in PUBLISHED.items() for each in pretrained(width, rows)]
