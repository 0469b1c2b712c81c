"""AlexNet as torchvision has it. Krizhevsky 2014, arXiv:1404.5997, the network for one GPU.

Names and numbers are those of torchvision/models/alexnet.py.
"""

from dataclasses import dataclass
from typing import Literal

from penult.graph import Value, adaptive_avg_pool, flatten, max_pool, relu
from penult.images.preprocess import Transform
from penult.nets import pytorch, torchvision
from penult.nets.classics import classes_of, held
from penult.nets.design import Card, Shapes
from penult.nets.spec import Architecture, Layers

TABLE = [  # place in `features`, channels, kernel, stride, padding; then whether a pool follows
    (0, 64, 11, 4, 2, True),
    (3, 192, 5, 1, 2, True),
    (6, 384, 3, 1, 1, False),
    (8, 256, 3, 1, 1, False),
    (10, 256, 3, 1, 1, True),
]
HIDDEN = 4096


@dataclass(frozen=True, slots=True)
class AlexNet:
    """All that decides an AlexNet's graph.

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
        return "torchvision/alexnet"

    def architecture(self) -> Architecture:
        """Say how it is built."""
        return Architecture(
            build=alexnet,
            embedding="classifier.5",
            logits="classifier.6" if self.classes else None,
            classifier="classifier.6.weight" if self.classes else None,
            paper="https://arxiv.org/abs/1404.5997",
            source="https://github.com/pytorch/vision/blob/main/torchvision/models/alexnet.py",
        )

    def preprocess(self, size: int) -> Transform:
        """As torchvision's weights take it."""
        return torchvision.preprocess_as_published(self.name, size)


def alexnet(images: Value, classes: int) -> Layers:
    """Build the network."""
    layers: Layers = {}
    x = images
    for place, channels, window, stride, padding, is_pooled in TABLE:
        name = f"features.{place}"
        x = layers[name] = pytorch.conv_bias(
            x, name, channels, window, stride=stride, padding=(padding, padding)
        )
        x = layers[f"features.{place + 1}"] = relu(x)
        if is_pooled:
            x = layers[f"features.{place + 2}"] = max_pool(x, 3, stride=2)
    layers["features"] = x
    x = layers["avgpool"] = adaptive_avg_pool(x, 6)
    x = layers["flatten"] = flatten(x)
    for place in (1, 4):
        name = f"classifier.{place}"
        x = layers[name] = pytorch.linear(x, name, HIDDEN)
        x = layers[f"classifier.{place + 1}"] = relu(x)
    if classes:
        layers["classifier.6"] = pytorch.linear(x, "classifier.6", classes)
    return layers


def read(shapes: Shapes, card: Card) -> AlexNet | None:
    """Read the network of a file; see `penult.nets.design`."""
    if shapes.get("features.0.weight") != (64, 3, 11, 11):
        return None
    design = AlexNet("torchvision", 224, classes_of(shapes, "classifier.6"))
    return held(design, shapes, card, frozenset({"alexnet"}))
