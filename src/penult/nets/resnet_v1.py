"""ResNet V1 with 50, 101, 152 and 200 layers. He et al. 2015, arXiv:1512.03385, table 1.

As in TF-Slim's resnet_v1.py: a stage's stride is in its last unit rather than its first, and
variables and layers have its names.
"""

from collections.abc import Sequence
from functools import partial

from penult.graph import Value, add, global_avg_pool, max_pool, relu, softmax
from penult.images import preprocess
from penult.nets import slim
from penult.nets.spec import Architecture, Layers, Pretrained

conv_bn = partial(slim.conv_bn, epsilon=1e-5)

WIDTHS = (64, 128, 256, 512)  # of a stage's bottlenecks; four times as wide outside


def resnet_v1(images: Value, classes: int, *, net: str, units: Sequence[int]) -> Layers:
    """Build the network of so many units a stage."""
    layers: dict[str, Value] = {}
    x = conv_same(images, f"{net}/conv1", 64, 7, stride=2)
    x = layers[f"{net}/conv1"] = relu(x)
    x = max_pool(x, 3, stride=2, padding="SAME")
    for stage, (count, width) in enumerate(zip(units, WIDTHS, strict=True), start=1):
        for unit in range(1, count + 1):
            stride = 2 if unit == count and stage < 4 else 1
            scope = f"{net}/block{stage}/unit_{unit}/bottleneck_v1"
            x = bottleneck(layers, x, scope, width, stride)
        layers[f"{net}/block{stage}"] = x
    x = layers["global_pool"] = global_avg_pool(x)
    x = layers[f"{net}/logits"] = slim.logits(x, f"{net}/logits", classes)
    layers[f"{net}/spatial_squeeze"] = x
    layers["predictions"] = softmax(x)
    return layers


def bottleneck(layers: dict[str, Value], x: Value, scope: str, width: int, stride: int) -> Value:
    """Reduce, filter, widen; add the input, projected where its width differs."""
    if x.shape[0] == 4 * width:
        shortcut = max_pool(x, 1, stride=stride) if stride > 1 else x
    else:
        shortcut = conv_bn(x, f"{scope}/shortcut", 4 * width, 1, stride=stride)
        layers[f"{scope}/shortcut"] = shortcut
    y = layers[f"{scope}/conv1"] = relu(conv_bn(x, f"{scope}/conv1", width, 1))
    y = layers[f"{scope}/conv2"] = relu(conv_same(y, f"{scope}/conv2", width, 3, stride=stride))
    y = layers[f"{scope}/conv3"] = conv_bn(y, f"{scope}/conv3", 4 * width, 1)
    x = layers[scope] = relu(add(shortcut, y))
    return x


def conv_same(x: Value, scope: str, filters: int, kernel: int, *, stride: int) -> Value:
    """Convolve with the same padding on both sides whatever the size, unlike TensorFlow's SAME."""
    if stride == 1:
        return conv_bn(x, scope, filters, kernel)
    padding = ((kernel - 1) // 2, kernel // 2)
    return conv_bn(x, scope, filters, kernel, stride=stride, padding=padding)


def pretrained(
    depth: int,
    units: Sequence[int],
    archive: str | None = None,
    top1: float | None = None,
    top5: float | None = None,
) -> Pretrained:
    """The network of one depth, with the weights that TF-Slim publishes of it."""
    name = f"resnet_v1_{depth}"
    architecture = Architecture(
        build=partial(resnet_v1, net=name, units=units),
        embedding="global_pool",
        logits=f"{name}/spatial_squeeze",
        classifier=f"{name}/logits/biases",
        paper="https://arxiv.org/abs/1512.03385",
        source=slim.source("resnet_v1.py"),
    )
    return Pretrained(
        name,
        architecture,
        size=224,
        preprocess=preprocess.vgg,
        top1=top1,
        top5=top5,
        weights=slim.published(archive, "MIT") if archive else None,
    )


PRETRAINED = [
    # depth, units a stage, archive, top-1, top-5
    pretrained(50, (3, 4, 6, 3), "resnet_v1_50_2016_08_28.tar.gz", 75.2, 92.2),
    pretrained(101, (3, 4, 23, 3), "resnet_v1_101_2016_08_28.tar.gz", 76.4, 92.9),
    pretrained(152, (3, 8, 36, 3), "resnet_v1_152_2016_08_28.tar.gz", 76.8, 93.2),
    pretrained(200, (3, 24, 36, 3)),
]
