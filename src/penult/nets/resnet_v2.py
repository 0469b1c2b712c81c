"""ResNet V2 with 50, 101, 152 and 200 layers. He et al. 2016, arXiv:1603.05027, figure 4e.

Normalisation comes before each convolution. As in TF-Slim's resnet_v2.py, a stage's stride is in
its last unit rather than its first; variables and layers have its names. The published checkpoints
were trained on 299×299 pixels.
"""

from collections.abc import Sequence
from functools import partial

from penult.graph import Value, add, global_avg_pool, max_pool, relu, softmax
from penult.images import preprocess
from penult.nets import slim
from penult.nets.resnet_v1 import WIDTHS, conv_bn, conv_same
from penult.nets.spec import Architecture, Layers, Pretrained

batch_norm = partial(slim.batch_norm, epsilon=1e-5)


def resnet_v2(images: Value, classes: int, *, net: str, units: Sequence[int]) -> Layers:
    """Build the network of so many units a stage."""
    layers: dict[str, Value] = {}
    x = slim.conv_bias(images, f"{net}/conv1", 64, 7, stride=2, padding=(3, 3))
    layers[f"{net}/conv1"] = x
    x = max_pool(x, 3, stride=2, padding="SAME")
    for stage, (count, width) in enumerate(zip(units, WIDTHS, strict=True), start=1):
        for unit in range(1, count + 1):
            stride = 2 if unit == count and stage < 4 else 1
            scope = f"{net}/block{stage}/unit_{unit}/bottleneck_v2"
            x = bottleneck(layers, x, scope, width, stride)
        layers[f"{net}/block{stage}"] = x
    x = layers["global_pool"] = global_avg_pool(relu(batch_norm(x, f"{net}/postnorm")))
    x = layers[f"{net}/logits"] = slim.logits(x, f"{net}/logits", classes)
    layers[f"{net}/spatial_squeeze"] = x
    layers["predictions"] = softmax(x)
    return layers


def bottleneck(layers: dict[str, Value], x: Value, scope: str, width: int, stride: int) -> Value:
    """Normalise and rectify, reduce, filter, widen; add the input as it came."""
    preact = relu(batch_norm(x, f"{scope}/preact"))
    if x.shape[0] == 4 * width:
        shortcut = max_pool(x, 1, stride=stride) if stride > 1 else x
    else:
        shortcut = slim.conv_bias(preact, f"{scope}/shortcut", 4 * width, 1, stride=stride)
        layers[f"{scope}/shortcut"] = shortcut
    y = layers[f"{scope}/conv1"] = relu(conv_bn(preact, f"{scope}/conv1", width, 1))
    y = layers[f"{scope}/conv2"] = relu(conv_same(y, f"{scope}/conv2", width, 3, stride=stride))
    y = layers[f"{scope}/conv3"] = slim.conv_bias(y, f"{scope}/conv3", 4 * width, 1)
    x = layers[scope] = add(shortcut, y)
    return x


def pretrained(
    depth: int,
    units: Sequence[int],
    archive: str | None = None,
    top1: float | None = None,
    top5: float | None = None,
) -> Pretrained:
    """The network of one depth, with the weights that TF-Slim publishes of it."""
    name = f"resnet_v2_{depth}"
    architecture = Architecture(
        build=partial(resnet_v2, net=name, units=units),
        embedding="global_pool",
        logits=f"{name}/spatial_squeeze",
        classifier=f"{name}/logits/biases",
        paper="https://arxiv.org/abs/1603.05027",
        source=slim.source("resnet_v2.py"),
    )
    return Pretrained(
        name,
        architecture,
        size=299,
        preprocess=preprocess.inception,
        classes=1001,
        top1=top1,
        top5=top5,
        weights=slim.published(archive) if archive else None,
    )


PRETRAINED = [
    # depth, units a stage, archive, top-1, top-5
    pretrained(50, (3, 4, 6, 3), "resnet_v2_50_2017_04_14.tar.gz", 75.6, 92.8),
    pretrained(101, (3, 4, 23, 3), "resnet_v2_101_2017_04_14.tar.gz", 77.0, 93.7),
    pretrained(152, (3, 8, 36, 3), "resnet_v2_152_2017_04_14.tar.gz", 77.8, 94.1),
    pretrained(200, (3, 24, 36, 3)),
]
