"""CifarNet. Krizhevsky 2009, Learning multiple layers of features from tiny images; cuda-convnet.

Variables and layers have the names of TF-Slim's cifarnet.py.
"""

from functools import partial

from penult.graph import (
    Value,
    flatten,
    local_response_norm,
    max_pool,
    relu,
    softmax,
    to_nhwc,
)
from penult.images import preprocess
from penult.nets import slim
from penult.nets.spec import Architecture, Layers, Pretrained

norm = partial(local_response_norm, radius=4, bias=1.0, alpha=0.001 / 9, beta=0.75)


def cifarnet(images: Value, classes: int) -> Layers:
    """Build the network."""
    layers = {}
    x = layers["conv1"] = relu(slim.conv_bias(images, "CifarNet/conv1", 64, 5))
    x = layers["pool1"] = max_pool(x, 2, stride=2)
    x = layers["conv2"] = relu(slim.conv_bias(norm(x), "CifarNet/conv2", 64, 5))
    x = layers["pool2"] = max_pool(norm(x), 2, stride=2)
    x = layers["Flatten"] = flatten(to_nhwc(x))
    x = layers["fc3"] = relu(slim.dense_bias(x, "CifarNet/fc3", 384))
    x = layers["fc4"] = relu(slim.dense_bias(x, "CifarNet/fc4", 192))
    x = layers["Logits"] = slim.dense_bias(x, "CifarNet/logits", classes)
    layers["Predictions"] = softmax(x)
    return layers


ARCHITECTURE = Architecture(
    build=cifarnet,
    embedding="fc4",
    logits="Logits",
    classifier="CifarNet/logits/biases",
    paper="https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf",
    source=slim.source("cifarnet.py"),
)

PRETRAINED = [
    Pretrained(
        "cifarnet",
        ARCHITECTURE,
        size=32,
        preprocess=preprocess.cifarnet,
        classes=10,
    )
]
