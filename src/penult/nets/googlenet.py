"""GoogLeNet as torchvision has it, with batch norm. Szegedy et al. 2014, arXiv:1409.4842, table 1.

Names and numbers are those of torchvision/models/googlenet.py, whose 5×5 convolutions are of 3×3,
and whose published weights were trained for inputs from -1 to 1: the network makes these of what
torchvision's preprocessing gives (`transform_input`).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from penult.graph import Constant, Value, add, concat, global_avg_pool, max_pool, multiply, relu
from penult.graph.ops import Padding
from penult.images import preprocess
from penult.images.preprocess import Transform
from penult.nets import pytorch, torchvision
from penult.nets.classics import classes_of, held
from penult.nets.design import Card, Shapes
from penult.nets.spec import Architecture, Layers

TABLE: dict[str, tuple[int, ...]] = {
    # 1×1, 3×3 reduced, 3×3, 5×5 reduced, 5×5, after the pool; no numbers for a pool of such a side
    "inception3a": (64, 96, 128, 16, 32, 32),
    "inception3b": (128, 128, 192, 32, 96, 64),
    "maxpool3": (3,),
    "inception4a": (192, 96, 208, 16, 48, 64),
    "inception4b": (160, 112, 224, 24, 64, 64),
    "inception4c": (128, 128, 256, 24, 64, 64),
    "inception4d": (112, 144, 288, 32, 64, 64),
    "inception4e": (256, 160, 320, 32, 128, 128),
    "maxpool4": (2,),
    "inception5a": (256, 160, 320, 32, 128, 128),
    "inception5b": (384, 192, 384, 48, 128, 128),
}


@dataclass(frozen=True, slots=True)
class GoogLeNet:
    """All that decides a GoogLeNet's graph.

    Attributes:
        library: Whose names its tensors and layers have.
        size: Pixels of the square input.
        classes: Of the classifier; 0 without one.
    """

    library: Literal["torchvision"]
    size: int
    classes: int

    @property
    def name(self) -> str:
        """What torchvision calls it."""
        return "torchvision/googlenet"

    def architecture(self) -> Architecture:
        """Say how it is built."""
        return Architecture(
            build=googlenet,
            embedding="flatten",
            logits="fc" if self.classes else None,
            classifier="fc.weight" if self.classes else None,
            paper="https://arxiv.org/abs/1409.4842",
            source="https://github.com/pytorch/vision/blob/main/torchvision/models/googlenet.py",
        )

    def preprocess(self, size: int) -> Transform:
        """As torchvision's weights take it."""
        return torchvision.preprocess_as_published(self.name, size)


def googlenet(images: Value, classes: int) -> Layers:
    """Build the network."""
    layers: Layers = {}
    x = layers["conv1"] = conv_bn_relu(from_half(images), "conv1", 64, 7, stride=2)
    x = layers["maxpool1"] = pytorch.max_pool_up(x, 3, stride=2)
    x = layers["conv2"] = conv_bn_relu(x, "conv2", 64, 1)
    x = layers["conv3"] = conv_bn_relu(x, "conv3", 192, 3)
    x = layers["maxpool2"] = pytorch.max_pool_up(x, 3, stride=2)
    for name, (first, *others) in TABLE.items():
        x = layers[name] = (
            inception(x, name, first, *others)
            if others
            else pytorch.max_pool_up(x, first, stride=2)
        )
    x = layers["avgpool"] = layers["flatten"] = global_avg_pool(x)
    if classes:
        layers["fc"] = pytorch.linear(x, "fc", classes)
    return layers


def inception(
    x: Value,
    name: str,
    one: int,
    three_reduced: int,
    three: int,
    five_reduced: int,
    five: int,
    pooled: int,
) -> Value:
    """Figure 2 (b): four branches side by side."""
    threes = conv_bn_relu(x, f"{name}.branch2.0", three_reduced, 1)
    fives = conv_bn_relu(x, f"{name}.branch3.0", five_reduced, 1)
    pool = max_pool(x, 3, stride=1, padding=(1, 1))
    return concat(
        [
            conv_bn_relu(x, f"{name}.branch1", one, 1),
            conv_bn_relu(threes, f"{name}.branch2.1", three, 3),
            conv_bn_relu(fives, f"{name}.branch3.1", five, 3),
            conv_bn_relu(pool, f"{name}.branch4.1", pooled, 1),
        ]
    )


def conv_bn_relu(
    x: Value,
    name: str,
    filters: int,
    window: pytorch.Window,
    *,
    stride: int = 1,
    padding: Padding | None = None,
) -> Value:
    """Convolve, normalise, ReLU."""
    return relu(
        pytorch.conv_bn(
            x,
            f"{name}.conv",
            f"{name}.bn",
            filters=filters,
            kernel=window,
            stride=stride,
            padding=padding,
            epsilon=1e-3,
        )
    )


def from_half(images: Value) -> Value:
    """Turn (x - mean) / std of ImageNet into (x - 0.5) / 0.5."""
    mean, std = (
        np.array(numbers).reshape(3, 1, 1)
        for numbers in (preprocess.IMAGENET_MEAN, preprocess.IMAGENET_STD)
    )
    scale = Constant((3, 1, 1), (), lambda: std / 0.5)
    shift = Constant((3, 1, 1), (), lambda: (mean - 0.5) / 0.5)
    return add(multiply(images, scale), shift)


def read(shapes: Shapes, card: Card) -> GoogLeNet | None:
    """Read the network of a file; see `penult.nets.design`."""
    design = GoogLeNet("torchvision", 224, classes_of(shapes, "fc"))
    return held(design, shapes, card, frozenset({"googlenet"}))
