"""A tiny network: three convolutions of stride 2 and a classifier of 10 classes.

Variables have the names that PyTorch gives them: `conv1.weight`, `bn1.running_mean`, `fc.bias`.
"""

from functools import partial

from penult.graph import Value, global_avg_pool, relu
from penult.images import preprocess
from penult.nets import pytorch
from penult.nets.spec import Architecture, Layers, Pretrained

conv_bn = partial(pytorch.conv_bn, kernel=3, stride=2, epsilon=1e-5)

WIDTHS = (8, 16, 32)


def tiny_network(images: Value, classes: int) -> Layers:
    """Build the network."""
    layers: Layers = {}
    x = images
    for i, width in enumerate(WIDTHS, start=1):
        x = layers[f"conv{i}"] = relu(conv_bn(x, f"conv{i}", f"bn{i}", filters=width))
    x = layers["pool"] = global_avg_pool(x)
    layers["fc"] = pytorch.linear(x, "fc", classes)
    return layers


ARCHITECTURE = Architecture(
    build=tiny_network,
    embedding="pool",
    logits="fc",
    classifier="fc.weight",
    paper="https://example.org/tiny",
    source="https://example.org/tiny.py",
)

PRETRAINED = [
    Pretrained(
        "tiny_network_32", ARCHITECTURE, size=32, preprocess=preprocess.torchvision, classes=10
    ),
    Pretrained(
        "tiny_network_64", ARCHITECTURE, size=64, preprocess=preprocess.torchvision, classes=10
    ),
]
