"""Inception V4. Szegedy et al. 2016, arXiv:1602.07261, figure 9.

Variables and layers have the names of TF-Slim's inception_v4.py.
"""

from functools import partial

from penult.graph import Value, avg_pool, concat, global_avg_pool, max_pool, softmax
from penult.images import preprocess
from penult.nets import slim
from penult.nets.inception_v3 import auxiliary
from penult.nets.slim import named_conv, tower
from penult.nets.spec import Architecture, Layers, Pretrained

smooth = partial(avg_pool, window=3, stride=1, padding="SAME")
halve = partial(tower, stride=2, padding="VALID")


def inception_v4(images: Value, classes: int) -> Layers:
    """Build the network."""
    net = "InceptionV4"
    layers = {}
    x = named_conv(images, f"{net}/Conv2d_1a_3x3", 32, stride=2, padding="VALID")
    layers["Conv2d_1a_3x3"] = x
    x = layers["Conv2d_2a_3x3"] = named_conv(x, f"{net}/Conv2d_2a_3x3", 32, padding="VALID")
    x = layers["Conv2d_2b_3x3"] = named_conv(x, f"{net}/Conv2d_2b_3x3", 64)
    for name, module in MODULES.items():
        x = layers[name] = module(x, f"{net}/{name}")
    side = auxiliary(layers["Mixed_6h"], f"{net}/AuxLogits", "Conv2d_2a")
    layers["AuxLogits"] = slim.dense_bias(side, f"{net}/AuxLogits/Aux_logits", classes)
    x = layers["global_pool"] = layers["PreLogitsFlatten"] = global_avg_pool(x)
    x = layers["Logits"] = slim.dense_bias(x, f"{net}/Logits/Logits", classes)
    layers["Predictions"] = softmax(x)
    return layers


def mixed_3a(x: Value, scope: str) -> Value:
    """Join pool and 3×3 (the stem, figure 3, first fork)."""
    three = halve(x, f"{scope}/Branch_1", {"Conv2d_0a_3x3": 96})
    return concat([max_pool(x, 3, stride=2), three])


def mixed_4a(x: Value, scope: str) -> Value:
    """Join 3×3, and 7×7 in two steps with 3×3 (figure 3, second fork)."""
    seven = {
        "Conv2d_0a_1x1": 64,
        "Conv2d_0b_1x7": 64,
        "Conv2d_0c_7x1": 64,
        "Conv2d_1a_3x3": 96,
    }
    three = {"Conv2d_0a_1x1": 64, "Conv2d_1a_3x3": 96}
    return concat(
        [
            tower(x, f"{scope}/Branch_0", three, padding="VALID"),
            tower(x, f"{scope}/Branch_1", seven, padding="VALID"),
        ]
    )


def mixed_5a(x: Value, scope: str) -> Value:
    """Join 3×3 and pool (figure 3, third fork)."""
    three = halve(x, f"{scope}/Branch_0", {"Conv2d_1a_3x3": 192})
    return concat([three, max_pool(x, 3, stride=2)])


def inception_a(x: Value, scope: str) -> Value:
    """Join 1×1, 3×3, 3×3 twice and pool (figure 4)."""
    double = {"Conv2d_0a_1x1": 64, "Conv2d_0b_3x3": 96, "Conv2d_0c_3x3": 96}
    return concat(
        [
            tower(x, f"{scope}/Branch_0", {"Conv2d_0a_1x1": 96}),
            tower(x, f"{scope}/Branch_1", {"Conv2d_0a_1x1": 64, "Conv2d_0b_3x3": 96}),
            tower(x, f"{scope}/Branch_2", double),
            tower(smooth(x), f"{scope}/Branch_3", {"Conv2d_0b_1x1": 96}),
        ]
    )


def reduction_a(x: Value, scope: str) -> Value:
    """Join 3×3, 3×3 twice and pool, each of stride 2 (figure 7)."""
    double = {"Conv2d_0a_1x1": 192, "Conv2d_0b_3x3": 224, "Conv2d_1a_3x3": 256}
    return concat(
        [
            halve(x, f"{scope}/Branch_0", {"Conv2d_1a_3x3": 384}),
            halve(x, f"{scope}/Branch_1", double),
            max_pool(x, 3, stride=2),
        ]
    )


def inception_b(x: Value, scope: str) -> Value:
    """Join 1×1, 7×7 in two steps, 7×7 twice in four, and pool (figure 5)."""
    seven = {"Conv2d_0a_1x1": 192, "Conv2d_0b_1x7": 224, "Conv2d_0c_7x1": 256}
    double = {
        "Conv2d_0a_1x1": 192,
        "Conv2d_0b_7x1": 192,
        "Conv2d_0c_1x7": 224,
        "Conv2d_0d_7x1": 224,
        "Conv2d_0e_1x7": 256,
    }
    return concat(
        [
            tower(x, f"{scope}/Branch_0", {"Conv2d_0a_1x1": 384}),
            tower(x, f"{scope}/Branch_1", seven),
            tower(x, f"{scope}/Branch_2", double),
            tower(smooth(x), f"{scope}/Branch_3", {"Conv2d_0b_1x1": 128}),
        ]
    )


def reduction_b(x: Value, scope: str) -> Value:
    """Join 3×3, 7×7 with 3×3, and pool, each of stride 2 (figure 8)."""
    seven = {
        "Conv2d_0a_1x1": 256,
        "Conv2d_0b_1x7": 256,
        "Conv2d_0c_7x1": 320,
        "Conv2d_1a_3x3": 320,
    }
    return concat(
        [
            halve(x, f"{scope}/Branch_0", {"Conv2d_0a_1x1": 192, "Conv2d_1a_3x3": 192}),
            halve(x, f"{scope}/Branch_1", seven),
            max_pool(x, 3, stride=2),
        ]
    )


def inception_c(x: Value, scope: str) -> Value:
    """Join 1×1, two branches that end in 1×3 beside 3×1, and pool (figure 6)."""
    wide = {"Conv2d_0a_1x1": 384, "Conv2d_0b_3x1": 448, "Conv2d_0c_1x3": 512}
    y = tower(x, f"{scope}/Branch_1", {"Conv2d_0a_1x1": 384})
    z = tower(x, f"{scope}/Branch_2", wide)
    return concat(
        [
            tower(x, f"{scope}/Branch_0", {"Conv2d_0a_1x1": 256}),
            named_conv(y, f"{scope}/Branch_1/Conv2d_0b_1x3", 256),
            named_conv(y, f"{scope}/Branch_1/Conv2d_0c_3x1", 256),
            named_conv(z, f"{scope}/Branch_2/Conv2d_0d_1x3", 256),
            named_conv(z, f"{scope}/Branch_2/Conv2d_0e_3x1", 256),
            tower(smooth(x), f"{scope}/Branch_3", {"Conv2d_0b_1x1": 256}),
        ]
    )


MODULES = {
    "Mixed_3a": mixed_3a,
    "Mixed_4a": mixed_4a,
    "Mixed_5a": mixed_5a,
    **{f"Mixed_5{letter}": inception_a for letter in "bcde"},
    "Mixed_6a": reduction_a,
    **{f"Mixed_6{letter}": inception_b for letter in "bcdefgh"},
    "Mixed_7a": reduction_b,
    **{f"Mixed_7{letter}": inception_c for letter in "bcd"},
}

ARCHITECTURE = Architecture(
    build=inception_v4,
    embedding="PreLogitsFlatten",
    logits="Logits",
    classifier="InceptionV4/Logits/Logits/biases",
    paper="https://arxiv.org/abs/1602.07261",
    source=slim.source("inception_v4.py"),
)

PRETRAINED = [
    Pretrained(
        "inception_v4",
        ARCHITECTURE,
        size=299,
        preprocess=preprocess.inception,
        classes=1001,
        top1=80.2,
        top5=95.2,
        weights=slim.published(
            "inception_v4_2016_09_09.tar.gz",
            size=171177982,
            digest="sha384:97765872563bf059728f96faa4aef86fa20ffe10c099f7bc2990adacc9a4"
            "1a73549c45e939441a7e4f1dc2f45127a2d2",
        ),
    )
]
