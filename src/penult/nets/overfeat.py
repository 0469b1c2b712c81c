"""OverFeat, the fast model. Sermanet et al. 2013, arXiv:1312.6229, table 1.

Variables and layers have the names of TF-Slim's overfeat.py.
"""

from typing import NamedTuple

from penult.graph import Value, flatten, max_pool, relu
from penult.graph.ops import Padding
from penult.nets import slim
from penult.nets.spec import Layers, NetSpec


class Conv(NamedTuple):
    """One convolution, rectified; the dense layers are convolutions too."""

    filters: int
    kernel: int
    stride: int = 1
    padding: Padding = "SAME"


TABLE: dict[str, Conv | int] = {  # an integer is the window of a pool
    "conv1": Conv(64, 11, 4, "VALID"),
    "pool1": 2,
    "conv2": Conv(256, 5, 1, "VALID"),
    "pool2": 2,
    "conv3": Conv(512, 3),
    "conv4": Conv(1024, 3),
    "conv5": Conv(1024, 3),
    "pool5": 2,
    "fc6": Conv(3072, 6, 1, "VALID"),
    "fc7": Conv(4096, 1),
}


def overfeat(images: Value, classes: int) -> Layers:
    """Build the network."""
    layers: dict[str, Value] = {}
    x = images
    for layer, row in TABLE.items():
        scope = f"overfeat/{layer}"
        if isinstance(row, Conv):
            filters, kernel, stride, padding = row
            x = relu(slim.conv_bias(x, scope, filters, kernel, stride=stride, padding=padding))
        else:
            x = max_pool(x, row, stride=2)
        layers[scope] = x
    layers["overfeat/fc8"] = flatten(slim.conv_bias(x, "overfeat/fc8", classes, 1))
    return layers


NETS = [
    NetSpec(
        name="overfeat",
        build=overfeat,
        size=231,
        preprocessing="vgg",
        features="overfeat/fc7",
        logits="overfeat/fc8",
        classifier="overfeat/fc8/biases",
        paper="https://arxiv.org/abs/1312.6229",
        source="https://github.com/tensorflow/models/blob/master/research/slim/nets/overfeat.py",
        top1=None,
    )
]
