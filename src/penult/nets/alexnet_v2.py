"""AlexNet, its second version. Krizhevsky 2014, arXiv:1404.5997, section 5.

Variables and layers have the names of TF-Slim's alexnet.py.
"""

from functools import partial
from typing import NamedTuple

from penult.graph import Value, global_avg_pool, max_pool, relu
from penult.graph.ops import Padding
from penult.images import preprocess
from penult.nets import slim
from penult.nets.spec import Architecture, Layers, Pretrained


class Conv(NamedTuple):
    """One convolution, rectified; the dense layers are convolutions too."""

    filters: int
    kernel: int
    stride: int = 1
    padding: Padding = "SAME"


TABLE: dict[str, Conv | int] = {  # an integer is the window of a pool
    "conv1": Conv(64, 11, 4, "VALID"),
    "pool1": 3,
    "conv2": Conv(192, 5),
    "pool2": 3,
    "conv3": Conv(384, 3),
    "conv4": Conv(384, 3),
    "conv5": Conv(256, 3),
    "pool5": 3,
    "fc6": Conv(4096, 5, 1, "VALID"),
    "fc7": Conv(4096, 1),
}


def alexnet(images: Value, classes: int, *, name: str, table: dict[str, Conv | int]) -> Layers:
    """Build the network of a table; OverFeat is made alike."""
    layers: dict[str, Value] = {}
    x = images
    for layer, row in table.items():
        scope = f"{name}/{layer}"
        if isinstance(row, Conv):
            filters, kernel, stride, padding = row
            x = relu(slim.conv_bias(x, scope, filters, kernel, stride=stride, padding=padding))
        else:
            x = max_pool(x, row, stride=2)
        layers[scope] = x
    layers[f"{name}/fc8"] = global_avg_pool(slim.conv_bias(x, f"{name}/fc8", classes, 1))
    return layers


ARCHITECTURE = Architecture(
    build=partial(alexnet, name="alexnet_v2", table=TABLE),
    embedding="alexnet_v2/fc7",
    logits="alexnet_v2/fc8",
    classifier="alexnet_v2/fc8/biases",
    paper="https://arxiv.org/abs/1404.5997",
    source=slim.source("alexnet.py"),
)

PRETRAINED = [
    Pretrained(
        "alexnet_v2",
        ARCHITECTURE,
        size=224,
        preprocess=preprocess.vgg,
    )
]
