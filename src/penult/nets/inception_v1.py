"""Inception V1 (GoogLeNet). Szegedy et al. 2014, arXiv:1409.4842, table 1.

Batch-normalised, as in TF-Slim's inception_v1.py; variables and layers have its names.
"""

from functools import partial
from typing import NamedTuple

from penult.graph import Value, concat, global_avg_pool, max_pool, softmax
from penult.images import preprocess
from penult.nets import slim
from penult.nets.spec import Architecture, Layers, Pretrained


class Mixed(NamedTuple):
    """One row of the paper's table 1: the widths of an Inception module."""

    one: int  # 1×1
    reduce_three: int
    three: int  # 3×3
    reduce_five: int
    five: int  # 5×5 in the paper, 3×3 in TF-Slim
    pool: int  # 1×1 after the pool


TABLE: dict[str, Mixed | int] = {  # an integer is the window of a pool
    "Mixed_3b": Mixed(64, 96, 128, 16, 32, 32),
    "Mixed_3c": Mixed(128, 128, 192, 32, 96, 64),
    "MaxPool_4a_3x3": 3,
    "Mixed_4b": Mixed(192, 96, 208, 16, 48, 64),
    "Mixed_4c": Mixed(160, 112, 224, 24, 64, 64),
    "Mixed_4d": Mixed(128, 128, 256, 24, 64, 64),
    "Mixed_4e": Mixed(112, 144, 288, 32, 64, 64),
    "Mixed_4f": Mixed(256, 160, 320, 32, 128, 128),
    "MaxPool_5a_2x2": 2,
    "Mixed_5b": Mixed(256, 160, 320, 32, 128, 128),
    "Mixed_5c": Mixed(384, 192, 384, 48, 128, 128),
}


def mixed(x: Value, scope: str, row: Mixed) -> Value:
    """Join four branches: 1×1, 3×3, 5×5 and pool."""
    five = "Conv2d_0a_3x3" if scope.endswith("Mixed_5b") else "Conv2d_0b_3x3"  # TF-Slim's slip
    first = "Conv2d_0a_1x1"
    return concat(
        [
            slim.tower(x, f"{scope}/Branch_0", {first: row.one}),
            slim.tower(
                x, f"{scope}/Branch_1", {first: row.reduce_three, "Conv2d_0b_3x3": row.three}
            ),
            slim.tower(x, f"{scope}/Branch_2", {first: row.reduce_five, five: row.five}),
            slim.tower(pool(x, 3, stride=1), f"{scope}/Branch_3", {"Conv2d_0b_1x1": row.pool}),
        ]
    )


pool = partial(max_pool, padding="SAME")


def inception_v1(images: Value, classes: int) -> Layers:
    """Build the network."""
    layers = {}
    net = "InceptionV1"
    x = layers["Conv2d_1a_7x7"] = slim.named_conv(images, f"{net}/Conv2d_1a_7x7", 64, stride=2)
    x = layers["MaxPool_2a_3x3"] = pool(x, 3, stride=2)
    x = layers["Conv2d_2b_1x1"] = slim.named_conv(x, f"{net}/Conv2d_2b_1x1", 64)
    x = layers["Conv2d_2c_3x3"] = slim.named_conv(x, f"{net}/Conv2d_2c_3x3", 192)
    x = layers["MaxPool_3a_3x3"] = pool(x, 3, stride=2)
    for name, row in TABLE.items():
        if isinstance(row, Mixed):
            x = layers[name] = mixed(x, f"{net}/{name}", row)
        else:
            x = layers[name] = pool(x, row, stride=2)
    x = layers["AvgPool_0a_7x7"] = global_avg_pool(x)
    x = layers["Logits"] = slim.logits(x, f"{net}/Logits/Conv2d_0c_1x1", classes)
    layers["Predictions"] = softmax(x)
    return layers


ARCHITECTURE = Architecture(
    build=inception_v1,
    embedding="AvgPool_0a_7x7",
    logits="Logits",
    classifier="InceptionV1/Logits/Conv2d_0c_1x1/biases",
    paper="https://arxiv.org/abs/1409.4842",
    source=slim.source("inception_v1.py"),
)

PRETRAINED = [
    Pretrained(
        "inception_v1",
        ARCHITECTURE,
        size=224,
        preprocess=preprocess.inception,
        classes=1001,
        top1=69.8,
        top5=89.6,
        weights=slim.published(
            "inception_v1_2016_08_28.tar.gz",
            size=24642554,
            digest="sha256:7a620c430fcaba8f8f716241f5148c4c47c035cce4e49ef02cfbe6cd1adf96a6",
        ),
    )
]
