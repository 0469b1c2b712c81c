"""Inception V2 (BN-Inception). Ioffe & Szegedy 2015, arXiv:1502.03167, figure 5.

As in TF-Slim's inception_v2.py: the first convolution is separable and has no normalisation,
and variables and layers have its names.
"""

from collections.abc import Callable
from typing import NamedTuple

from penult.graph import Value, avg_pool, concat, global_avg_pool, max_pool, relu, softmax
from penult.images import preprocess
from penult.nets import slim
from penult.nets.slim import named_conv, tower
from penult.nets.spec import Architecture, Layers, Pretrained


class Mixed(NamedTuple):
    """One row of the paper's figure 5: the widths of an Inception module."""

    one: int  # 1×1
    reduce_three: int
    three: int  # 3×3
    reduce_double: int
    double: int  # 3×3 twice
    pool: Callable[..., Value]
    project: int  # 1×1 after the pool


class Reduction(NamedTuple):
    """A row whose module halves height and width."""

    reduce_three: int
    three: int
    reduce_double: int
    double: int


TABLE: dict[str, Mixed | Reduction] = {
    "Mixed_3b": Mixed(64, 64, 64, 64, 96, avg_pool, 32),
    "Mixed_3c": Mixed(64, 64, 96, 64, 96, avg_pool, 64),
    "Mixed_4a": Reduction(128, 160, 64, 96),
    "Mixed_4b": Mixed(224, 64, 96, 96, 128, avg_pool, 128),
    "Mixed_4c": Mixed(192, 96, 128, 96, 128, avg_pool, 128),
    "Mixed_4d": Mixed(160, 128, 160, 128, 160, avg_pool, 96),
    "Mixed_4e": Mixed(96, 128, 192, 160, 192, avg_pool, 96),
    "Mixed_5a": Reduction(128, 192, 192, 256),
    "Mixed_5b": Mixed(352, 192, 320, 160, 224, avg_pool, 128),
    "Mixed_5c": Mixed(352, 192, 320, 192, 224, max_pool, 128),
}


def inception_v2(images: Value, classes: int) -> Layers:
    """Build the network."""
    layers = {}
    x = slim.separable_bias(images, "InceptionV2/Conv2d_1a_7x7", 64, 7, stride=2, multiplier=8)
    x = layers["Conv2d_1a_7x7"] = relu(x)
    x = layers["MaxPool_2a_3x3"] = max_pool(x, 3, stride=2, padding="SAME")
    x = layers["Conv2d_2b_1x1"] = named_conv(x, "InceptionV2/Conv2d_2b_1x1", 64)
    x = layers["Conv2d_2c_3x3"] = named_conv(x, "InceptionV2/Conv2d_2c_3x3", 192)
    x = layers["MaxPool_3a_3x3"] = max_pool(x, 3, stride=2, padding="SAME")
    for name, row in TABLE.items():
        scope = f"InceptionV2/{name}"
        x = mixed(x, scope, row) if isinstance(row, Mixed) else reduction(x, scope, row)
        layers[name] = x
    x = layers["AvgPool_1a"] = global_avg_pool(x)
    x = layers["Logits"] = slim.logits(x, "InceptionV2/Logits/Conv2d_1c_1x1", classes)
    layers["Predictions"] = softmax(x)
    return layers


def mixed(x: Value, scope: str, row: Mixed) -> Value:
    """Join four branches: 1×1, 3×3, 3×3 twice and pool."""
    three = {"Conv2d_0a_1x1": row.reduce_three, "Conv2d_0b_3x3": row.three}
    double = {
        "Conv2d_0a_1x1": row.reduce_double,
        "Conv2d_0b_3x3": row.double,
        "Conv2d_0c_3x3": row.double,
    }
    pooled = row.pool(x, 3, stride=1, padding="SAME")
    return concat(
        [
            tower(x, f"{scope}/Branch_0", {"Conv2d_0a_1x1": row.one}),
            tower(x, f"{scope}/Branch_1", three),
            tower(x, f"{scope}/Branch_2", double),
            tower(pooled, f"{scope}/Branch_3", {"Conv2d_0b_1x1": row.project}),
        ]
    )


def reduction(x: Value, scope: str, row: Reduction) -> Value:
    """Join three branches of stride 2: 3×3, 3×3 twice and pool."""
    three = {"Conv2d_0a_1x1": row.reduce_three, "Conv2d_1a_3x3": row.three}
    double = {
        "Conv2d_0a_1x1": row.reduce_double,
        "Conv2d_0b_3x3": row.double,
        "Conv2d_1a_3x3": row.double,
    }
    return concat(
        [
            tower(x, f"{scope}/Branch_0", three, stride=2),
            tower(x, f"{scope}/Branch_1", double, stride=2),
            max_pool(x, 3, stride=2, padding="SAME"),
        ]
    )


ARCHITECTURE = Architecture(
    build=inception_v2,
    embedding="AvgPool_1a",
    logits="Logits",
    classifier="InceptionV2/Logits/Conv2d_1c_1x1/biases",
    paper="https://arxiv.org/abs/1502.03167",
    source=slim.source("inception_v2.py"),
)

PRETRAINED = [
    Pretrained(
        "inception_v2",
        ARCHITECTURE,
        size=224,
        preprocess=preprocess.inception,
        classes=1001,
        top1=73.9,
        top5=91.8,
        weights=slim.published(
            "inception_v2_2016_08_28.tar.gz",
            size=41577079,
            digest="sha384:c0b2efbae8fc5e237ae67637dca3f311d4b4f7da576b56067e83d95c398a"
            "2fccd50baff9cc0de64335f4d7b78e1adb07",
        ),
    )
]
