"""Inception-ResNet V2. Szegedy et al. 2016, arXiv:1602.07261, figure 15.

As in TF-Slim's inception_resnet_v2.py, which departs from the paper: the stem is Inception V3's,
and the residual modules work on 320, 1088 and 2080 channels. Variables and layers have its names.
"""

from collections.abc import Sequence

from penult.graph import Value, add, avg_pool, concat, global_avg_pool, max_pool, relu, softmax
from penult.images import preprocess
from penult.nets import slim
from penult.nets.inception_v3 import auxiliary, halve, stem
from penult.nets.slim import named_conv, tower
from penult.nets.spec import Architecture, Layers, Pretrained


def inception_resnet_v2(images: Value, classes: int) -> Layers:
    """Build the network."""
    net = "InceptionResnetV2"
    layers = stem(images, net)
    x = layers["Mixed_5b"] = mixed_5b(layers["MaxPool_5a_3x3"], f"{net}/Mixed_5b")
    for i in range(1, 11):
        x = relu(block35(x, f"{net}/Repeat/block35_{i}", 0.17))
    x = layers["Mixed_6a"] = mixed_6a(x, f"{net}/Mixed_6a")
    for i in range(1, 21):
        x = relu(block17(x, f"{net}/Repeat_1/block17_{i}", 0.10))
    layers["PreAuxLogits"] = x
    side = auxiliary(x, f"{net}/AuxLogits", "Conv2d_2a_5x5")
    layers["AuxLogits"] = slim.dense_bias(side, f"{net}/AuxLogits/Logits", classes)
    x = layers["Mixed_7a"] = mixed_7a(x, f"{net}/Mixed_7a")
    for i in range(1, 10):
        x = relu(block8(x, f"{net}/Repeat_2/block8_{i}", 0.20))
    x = block8(x, f"{net}/Block8", 1.0)
    x = layers["Conv2d_7b_1x1"] = named_conv(x, f"{net}/Conv2d_7b_1x1", 1536)
    x = layers["global_pool"] = layers["PreLogitsFlatten"] = global_avg_pool(x)
    x = layers["Logits"] = slim.dense_bias(x, f"{net}/Logits/Logits", classes)
    layers["Predictions"] = softmax(x)
    return layers


def mixed_5b(x: Value, scope: str) -> Value:
    """Join 1×1, 5×5, 3×3 twice and pool."""
    double = {"Conv2d_0a_1x1": 64, "Conv2d_0b_3x3": 96, "Conv2d_0c_3x3": 96}
    pooled = avg_pool(x, 3, stride=1, padding="SAME")
    return concat(
        [
            tower(x, f"{scope}/Branch_0", {"Conv2d_1x1": 96}),
            tower(x, f"{scope}/Branch_1", {"Conv2d_0a_1x1": 48, "Conv2d_0b_5x5": 64}),
            tower(x, f"{scope}/Branch_2", double),
            tower(pooled, f"{scope}/Branch_3", {"Conv2d_0b_1x1": 64}),
        ]
    )


def block35(x: Value, scope: str, scale: float) -> Value:
    """Correct by 1×1, 3×3 and 3×3 twice (figure 16)."""
    double = {"Conv2d_0a_1x1": 32, "Conv2d_0b_3x3": 48, "Conv2d_0c_3x3": 64}
    branches = [
        tower(x, f"{scope}/Branch_0", {"Conv2d_1x1": 32}),
        tower(x, f"{scope}/Branch_1", {"Conv2d_0a_1x1": 32, "Conv2d_0b_3x3": 32}),
        tower(x, f"{scope}/Branch_2", double),
    ]
    return residual(x, scope, branches, scale)


def mixed_6a(x: Value, scope: str) -> Value:
    """Join 3×3, 3×3 twice and pool, each of stride 2 (figure 7)."""
    double = {"Conv2d_0a_1x1": 256, "Conv2d_0b_3x3": 256, "Conv2d_1a_3x3": 384}
    return concat(
        [
            halve(x, f"{scope}/Branch_0", {"Conv2d_1a_3x3": 384}),
            halve(x, f"{scope}/Branch_1", double),
            max_pool(x, 3, stride=2),
        ]
    )


def block17(x: Value, scope: str, scale: float) -> Value:
    """Correct by 1×1 and 7×7 in two steps (figure 17)."""
    seven = {"Conv2d_0a_1x1": 128, "Conv2d_0b_1x7": 160, "Conv2d_0c_7x1": 192}
    branches = [
        tower(x, f"{scope}/Branch_0", {"Conv2d_1x1": 192}),
        tower(x, f"{scope}/Branch_1", seven),
    ]
    return residual(x, scope, branches, scale)


def mixed_7a(x: Value, scope: str) -> Value:
    """Join 3×3 of two widths, 3×3 twice, and pool, each of stride 2 (figure 18)."""
    double = {"Conv2d_0a_1x1": 256, "Conv2d_0b_3x3": 288, "Conv2d_1a_3x3": 320}
    return concat(
        [
            halve(x, f"{scope}/Branch_0", {"Conv2d_0a_1x1": 256, "Conv2d_1a_3x3": 384}),
            halve(x, f"{scope}/Branch_1", {"Conv2d_0a_1x1": 256, "Conv2d_1a_3x3": 288}),
            halve(x, f"{scope}/Branch_2", double),
            max_pool(x, 3, stride=2),
        ]
    )


def block8(x: Value, scope: str, scale: float) -> Value:
    """Correct by 1×1 and 3×3 in two steps (figure 19)."""
    three = {"Conv2d_0a_1x1": 192, "Conv2d_0b_1x3": 224, "Conv2d_0c_3x1": 256}
    branches = [
        tower(x, f"{scope}/Branch_0", {"Conv2d_1x1": 192}),
        tower(x, f"{scope}/Branch_1", three),
    ]
    return residual(x, scope, branches, scale)


def residual(x: Value, scope: str, branches: Sequence[Value], scale: float) -> Value:
    """Add to `x` the branches, widened to its channels and scaled (figure 20)."""
    mixed = concat(branches)
    return add(x, slim.conv_bias(mixed, f"{scope}/Conv2d_1x1", x.shape[0], 1, scale=scale))


ARCHITECTURE = Architecture(
    build=inception_resnet_v2,
    embedding="PreLogitsFlatten",
    logits="Logits",
    classifier="InceptionResnetV2/Logits/Logits/biases",
    paper="https://arxiv.org/abs/1602.07261",
    source=slim.source("inception_resnet_v2.py"),
)

PRETRAINED = [
    Pretrained(
        "inception_resnet_v2",
        ARCHITECTURE,
        size=299,
        preprocess=preprocess.inception,
        classes=1001,
        top1=80.4,
        top5=95.3,
        weights=slim.published("inception_resnet_v2_2016_08_30.tar.gz"),
    )
]
