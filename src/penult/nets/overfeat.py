"""OverFeat, the fast model. Sermanet et al. 2013, arXiv:1312.6229, table 1.

Variables and layers have the names of TF-Slim's overfeat.py.
"""

from functools import partial

from penult.images import preprocess
from penult.nets import slim
from penult.nets.alexnet_v2 import Conv, alexnet
from penult.nets.spec import Architecture, Pretrained

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

ARCHITECTURE = Architecture(
    build=partial(alexnet, name="overfeat", table=TABLE),
    embedding="overfeat/fc7",
    logits="overfeat/fc8",
    classifier="overfeat/fc8/biases",
    paper="https://arxiv.org/abs/1312.6229",
    source=slim.source("overfeat.py"),
)

PRETRAINED = [
    Pretrained(
        "overfeat",
        ARCHITECTURE,
        size=231,
        preprocess=preprocess.vgg,
    )
]
