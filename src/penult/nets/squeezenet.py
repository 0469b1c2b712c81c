"""SqueezeNet 1.0 and 1.1 as torchvision has them.

Iandola et al. 2016, arXiv:1602.07360, table 1; 1.1 is the authors' later one with a smaller stem.
Names and numbers are those of torchvision/models/squeezenet.py.
"""

from dataclasses import dataclass
from typing import Literal

from penult.graph import Value, concat, global_avg_pool, relu
from penult.images.preprocess import Transform
from penult.nets import pytorch, torchvision
from penult.nets.classics import classes_of, held
from penult.nets.design import Card, Shapes
from penult.nets.spec import Architecture, Layers

Fire = tuple[int, int]  # channels that are squeezed to, and of each of two expansions
TABLE: dict[str, tuple[int, int, tuple[Fire | None, ...]]] = {
    # channels and kernel of the stem; then what follows in `features`, None for a pool
    "1_0": (
        96,
        7,
        (
            None,
            (16, 64),
            (16, 64),
            (32, 128),
            None,
            (32, 128),
            (48, 192),
            (48, 192),
            (64, 256),
            None,
            (64, 256),
        ),
    ),
    "1_1": (
        64,
        3,
        (
            None,
            (16, 64),
            (16, 64),
            None,
            (32, 128),
            (32, 128),
            None,
            (48, 192),
            (48, 192),
            (64, 256),
            (64, 256),
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class SqueezeNet:
    """All that decides a SqueezeNet's graph.

    Attributes:
        library: Whose names its tensors and layers have.
        size: Pixels of the square input.
        classes: Of the classifier, a convolution; 0 without one.
        version: 1.0 or 1.1.
    """

    library: Literal["torchvision"]
    size: int
    classes: int
    version: Literal["1_0", "1_1"]

    @property
    def name(self) -> str:
        """What torchvision calls it."""
        return f"torchvision/squeezenet{self.version}"

    def architecture(self) -> Architecture:
        """Say how it is built; its features are the average of the last map."""
        return Architecture(
            build=self._build,
            embedding="pooled_features",
            logits="classifier.3" if self.classes else None,
            classifier="classifier.1.weight" if self.classes else None,
            paper="https://arxiv.org/abs/1602.07360",
            source="https://github.com/pytorch/vision/blob/main/torchvision/models/squeezenet.py",
        )

    def preprocess(self, size: int) -> Transform:
        """As torchvision's weights take it."""
        return torchvision.preprocess_as_published(self.name, size)

    def _build(self, images: Value, classes: int) -> Layers:
        layers: Layers = {}
        channels, window, table = TABLE[self.version]
        x = layers["features.0"] = pytorch.conv_bias(
            images, "features.0", channels, window, stride=2, padding="VALID"
        )
        x = layers["features.1"] = relu(x)
        for place, row in enumerate(table, 2):
            name = f"features.{place}"
            x = layers[name] = fire(x, name, *row) if row else pytorch.max_pool_up(x, 3, stride=2)
        layers["features"] = x
        layers["pooled_features"] = global_avg_pool(x)
        if classes and self.classes:
            x = layers["classifier.1"] = pytorch.conv_bias(x, "classifier.1", classes, 1)
            x = layers["classifier.2"] = relu(x)
            layers["classifier.3"] = global_avg_pool(x)
        return layers


def fire(x: Value, name: str, squeezed: int, expanded: int) -> Value:
    """Squeeze channels, then expand them by 1×1 and by 3×3 convolutions."""
    x = relu(pytorch.conv_bias(x, f"{name}.squeeze", squeezed, 1))
    small, large = (
        relu(pytorch.conv_bias(x, f"{name}.expand{side}x{side}", expanded, side)) for side in (1, 3)
    )
    return concat([small, large])


def read(shapes: Shapes, card: Card) -> SqueezeNet | None:
    """Read the network of a file; see `penult.nets.design`."""
    classes = classes_of(shapes, "classifier.1")
    known = frozenset({"squeezenet1_0", "squeezenet1_1"})
    if shapes.get("features.0.weight") == (96, 3, 7, 7):
        return held(SqueezeNet("torchvision", 224, classes, "1_0"), shapes, card, known)
    return held(SqueezeNet("torchvision", 224, classes, "1_1"), shapes, card, known)
