"""Inception V3. Szegedy et al. 2015, arXiv:1512.00567, table 1.

Variables and layers have the names of TF-Slim's inception_v3.py, its slips included.
"""

from functools import partial

from penult.graph import Value, avg_pool, concat, flatten, global_avg_pool, max_pool, relu, softmax
from penult.images import preprocess
from penult.nets import slim
from penult.nets.slim import named_conv, tower
from penult.nets.spec import Architecture, Layers, Pretrained

smooth = partial(avg_pool, window=3, stride=1, padding="SAME")
halve = partial(tower, stride=2, padding="VALID")


def inception_v3(images: Value, classes: int) -> Layers:
    """Build the network; sizes in the functions' names are those for images of 299×299."""
    net = "InceptionV3"
    layers = stem(images, net)
    x = layers["MaxPool_5a_3x3"]
    for name, project in {"Mixed_5b": 32, "Mixed_5c": 64, "Mixed_5d": 64}.items():
        x = layers[name] = mixed_35(x, f"{net}/{name}", project)
    x = layers["Mixed_6a"] = reduce_to_17(x, f"{net}/Mixed_6a")
    for name, width in {"Mixed_6b": 128, "Mixed_6c": 160, "Mixed_6d": 160, "Mixed_6e": 192}.items():
        x = layers[name] = mixed_17(x, f"{net}/{name}", width)
    side = auxiliary(x, f"{net}/AuxLogits", "Conv2d_2a_5x5")
    layers["AuxLogits"] = slim.logits(side, f"{net}/AuxLogits/Conv2d_2b_1x1", classes)
    x = layers["Mixed_7a"] = reduce_to_8(x, f"{net}/Mixed_7a")
    for name in ("Mixed_7b", "Mixed_7c"):
        x = layers[name] = mixed_8(x, f"{net}/{name}")
    x = layers["AvgPool_1a"] = layers["PreLogits"] = global_avg_pool(x)
    x = layers["Logits"] = slim.logits(x, f"{net}/Logits/Conv2d_1c_1x1", classes)
    layers["Predictions"] = softmax(x)
    return layers


def stem(images: Value, net: str) -> dict[str, Value]:
    """Build the layers before the modules; Inception-ResNet V2 has them too."""
    layers = {}
    x = named_conv(images, f"{net}/Conv2d_1a_3x3", 32, stride=2, padding="VALID")
    layers["Conv2d_1a_3x3"] = x
    x = layers["Conv2d_2a_3x3"] = named_conv(x, f"{net}/Conv2d_2a_3x3", 32, padding="VALID")
    x = layers["Conv2d_2b_3x3"] = named_conv(x, f"{net}/Conv2d_2b_3x3", 64)
    x = layers["MaxPool_3a_3x3"] = max_pool(x, 3, stride=2)
    x = layers["Conv2d_3b_1x1"] = named_conv(x, f"{net}/Conv2d_3b_1x1", 80)
    x = layers["Conv2d_4a_3x3"] = named_conv(x, f"{net}/Conv2d_4a_3x3", 192, padding="VALID")
    layers["MaxPool_5a_3x3"] = max_pool(x, 3, stride=2)
    return layers


def mixed_35(x: Value, scope: str, project: int) -> Value:
    """Join 1×1, 5×5, 3×3 twice and pool (figure 5, with one 5×5 left whole)."""
    five = {"Conv2d_0a_1x1": 48, "Conv2d_0b_5x5": 64}
    if scope.endswith("Mixed_5c"):  # TF-Slim's slip
        five = {"Conv2d_0b_1x1": 48, "Conv_1_0c_5x5": 64}
    double = {"Conv2d_0a_1x1": 64, "Conv2d_0b_3x3": 96, "Conv2d_0c_3x3": 96}
    return concat(
        [
            tower(x, f"{scope}/Branch_0", {"Conv2d_0a_1x1": 64}),
            tower(x, f"{scope}/Branch_1", five),
            tower(x, f"{scope}/Branch_2", double),
            tower(smooth(x), f"{scope}/Branch_3", {"Conv2d_0b_1x1": project}),
        ]
    )


def reduce_to_17(x: Value, scope: str) -> Value:
    """Join 3×3, 3×3 twice and pool, each of stride 2 (figure 10)."""
    y = tower(x, f"{scope}/Branch_1", {"Conv2d_0a_1x1": 64, "Conv2d_0b_3x3": 96})
    return concat(
        [
            misnamed_3x3(x, f"{scope}/Branch_0/Conv2d_1a_1x1", 384),
            misnamed_3x3(y, f"{scope}/Branch_1/Conv2d_1a_1x1", 96),
            max_pool(x, 3, stride=2),
        ]
    )


def misnamed_3x3(x: Value, scope: str, filters: int) -> Value:
    """Convolve 3×3 with stride 2 where TF-Slim's name says 1×1."""
    y = slim.conv_bn(x, scope, filters, 3, stride=2, padding="VALID", gamma=False, epsilon=1e-3)
    return relu(y)


def mixed_17(x: Value, scope: str, width: int) -> Value:
    """Join 1×1, 7×7 in two steps, 7×7 twice in four, and pool (figure 6)."""
    seven = {"Conv2d_0a_1x1": width, "Conv2d_0b_1x7": width, "Conv2d_0c_7x1": 192}
    double = {
        "Conv2d_0a_1x1": width,
        "Conv2d_0b_7x1": width,
        "Conv2d_0c_1x7": width,
        "Conv2d_0d_7x1": width,
        "Conv2d_0e_1x7": 192,
    }
    return concat(
        [
            tower(x, f"{scope}/Branch_0", {"Conv2d_0a_1x1": 192}),
            tower(x, f"{scope}/Branch_1", seven),
            tower(x, f"{scope}/Branch_2", double),
            tower(smooth(x), f"{scope}/Branch_3", {"Conv2d_0b_1x1": 192}),
        ]
    )


def reduce_to_8(x: Value, scope: str) -> Value:
    """Join 3×3, 7×7 with 3×3, and pool, each of stride 2."""
    seven = {
        "Conv2d_0a_1x1": 192,
        "Conv2d_0b_1x7": 192,
        "Conv2d_0c_7x1": 192,
        "Conv2d_1a_3x3": 192,
    }
    return concat(
        [
            halve(x, f"{scope}/Branch_0", {"Conv2d_0a_1x1": 192, "Conv2d_1a_3x3": 320}),
            halve(x, f"{scope}/Branch_1", seven),
            max_pool(x, 3, stride=2),
        ]
    )


def mixed_8(x: Value, scope: str) -> Value:
    """Join 1×1, two branches that end in 1×3 beside 3×1, and pool (figure 7)."""
    y = tower(x, f"{scope}/Branch_1", {"Conv2d_0a_1x1": 384})
    z = tower(x, f"{scope}/Branch_2", {"Conv2d_0a_1x1": 448, "Conv2d_0b_3x3": 384})
    slip = "Conv2d_0b_3x1" if scope.endswith("Mixed_7b") else "Conv2d_0c_3x1"  # TF-Slim's
    return concat(
        [
            tower(x, f"{scope}/Branch_0", {"Conv2d_0a_1x1": 320}),
            named_conv(y, f"{scope}/Branch_1/Conv2d_0b_1x3", 384),
            named_conv(y, f"{scope}/Branch_1/{slip}", 384),
            named_conv(z, f"{scope}/Branch_2/Conv2d_0c_1x3", 384),
            named_conv(z, f"{scope}/Branch_2/Conv2d_0d_3x1", 384),
            tower(smooth(x), f"{scope}/Branch_3", {"Conv2d_0b_1x1": 192}),
        ]
    )


def auxiliary(x: Value, scope: str, whole: str) -> Value:
    """Prepare the side classifier that training has (figure 8); `whole` covers the whole map."""
    x = avg_pool(x, min(5, x.shape[1]), stride=3)
    x = named_conv(x, f"{scope}/Conv2d_1b_1x1", 128)
    side = x.shape[1]
    x = slim.conv_bn(x, f"{scope}/{whole}", 768, side, padding="VALID", gamma=False, epsilon=1e-3)
    return flatten(relu(x))


ARCHITECTURE = Architecture(
    build=inception_v3,
    embedding="AvgPool_1a",
    logits="Logits",
    classifier="InceptionV3/Logits/Conv2d_1c_1x1/biases",
    paper="https://arxiv.org/abs/1512.00567",
    source=slim.source("inception_v3.py"),
)

PRETRAINED = [
    Pretrained(
        "inception_v3",
        ARCHITECTURE,
        size=299,
        preprocess=preprocess.inception,
        classes=1001,
        top1=78.0,
        top5=93.9,
        weights=slim.published("inception_v3_2016_08_28.tar.gz"),
    )
]
