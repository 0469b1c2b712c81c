"""DenseNet as torchvision and timm have it. Huang et al. 2016, arXiv:1608.06993, table 1.

Names and numbers are those of torchvision/models/densenet.py and timm/models/densenet.py. The files
that torchvision publishes spell `denselayer1.norm.1` what its modules call `denselayer1.norm1`.
A stem of three convolutions is of arXiv:1812.01187, anti-aliasing after it of arXiv:1904.11486.
"""

from dataclasses import dataclass
from typing import Literal

from penult.graph import Value, avg_pool, concat, global_avg_pool, max_pool, relu
from penult.images import preprocess
from penult.images.preprocess import Transform
from penult.nets import pytorch, torchvision
from penult.nets.classics import classes_of, held, kernel
from penult.nets.design import Card, Shapes
from penult.nets.spec import Architecture, Layers

EPSILON = 1e-5
MOST_BLOCKS, MOST_LAYERS = 8, 128  # published ones have up to 4 and 64
LIBRARIES = {
    "torchvision": "https://github.com/pytorch/vision/blob/main/torchvision/models/densenet.py",
    "timm": "https://github.com/huggingface/pytorch-image-models/blob/main/timm/models/densenet.py",
}
KNOWN = frozenset({"densenet121", "densenet161", "densenet169", "densenet201", "densenetblur121d"})


@dataclass(frozen=True, slots=True)
class DenseNet:
    """All that decides a DenseNet's graph.

    Attributes:
        library: Whose names its layers have.
        size: Pixels of the square input.
        classes: Of the classifier; 0 without one.
        spelling: What stands between `norm` or `conv` and its number.
        stem: Channels of its convolutions: one of 7×7, or three of 3×3.
        has_blur: Whether the map is blurred where the stem halves it for the second time.
        blocks: Layers of each block.
        growth: Channels that a layer adds.
        bottleneck: Channels of a layer's 1×1 convolution.
    """

    library: Literal["torchvision", "timm"]
    size: int
    classes: int
    spelling: Literal["", "."]
    stem: tuple[int, ...]
    has_blur: bool
    blocks: tuple[int, ...]
    growth: int
    bottleneck: int

    def __post_init__(self) -> None:
        if not (
            0 < len(self.blocks) <= MOST_BLOCKS
            and 0 < min(self.blocks) <= max(self.blocks) <= MOST_LAYERS
            and len(self.stem) in {1, 3}
            and min(*self.stem, self.growth, self.bottleneck) > 0
            and self.classes >= 0
        ):
            raise ValueError("that can't be a DenseNet")

    @property
    def name(self) -> str:
        """What the library calls it, or one like it."""
        layers = 2 * sum(self.blocks) + len(self.blocks) + 1
        blur, deep = "blur" if self.has_blur else "", "d" if len(self.stem) == 3 else ""
        return f"{self.library}/densenet{blur}{layers}{deep}"

    @property
    def embedding(self) -> str:
        """The layer that the library's users take for the features."""
        return "flatten" if self.library == "torchvision" else "pre_logits"

    def architecture(self) -> Architecture:
        """Say how it is built."""
        return Architecture(
            build=self._build,
            embedding=self.embedding,
            logits="classifier" if self.classes else None,
            classifier="classifier.weight" if self.classes else None,
            paper="https://arxiv.org/abs/1608.06993",
            source=LIBRARIES[self.library],
        )

    def preprocess(self, size: int) -> Transform:
        """As the library's weights take it."""
        if self.library == "torchvision":
            return torchvision.preprocess_as_published(self.name, size)
        return preprocess.shorter_side(size, 0.875, "bicubic", preprocess.IMAGENET)

    def _build(self, images: Value, classes: int) -> Layers:
        layers: Layers = {}
        x = self._stem(images, layers)
        for number, depth in enumerate(self.blocks, 1):
            x = self._block(x, f"features.denseblock{number}", depth, layers)
            if number < len(self.blocks):
                name = f"features.transition{number}"
                x = layers[name] = transition(x, name)
        x = pytorch.batch_norm(x, "features.norm5", epsilon=EPSILON)
        x = self._activated(x, "features.norm5", "relu", layers)
        x = layers[self.embedding] = global_avg_pool(x)
        if classes and self.classes:
            layers["classifier"] = pytorch.linear(x, "classifier", classes)
        return layers

    def _stem(self, x: Value, layers: Layers) -> Value:
        for place, channels in enumerate(self.stem):
            norm = f"features.norm{place}"
            x = pytorch.conv_bn(
                x,
                f"features.conv{place}",
                norm,
                filters=channels,
                kernel=7 if len(self.stem) == 1 else 3,
                stride=1 if place else 2,
                epsilon=EPSILON,
            )
            x = self._activated(x, norm, f"features.relu{place}", layers)
        x = max_pool(x, 3, stride=1 if self.has_blur else 2, padding=(1, 1))
        x = layers["features.pool0"] = pytorch.blur_pool(x) if self.has_blur else x
        return x

    def _activated(self, x: Value, norm: str, act: str, layers: Layers) -> Value:
        """Apply ReLU, which is a part of the norm in timm."""
        if self.library == "timm":
            layers[norm] = relu(x)
            return layers[norm]
        layers[norm] = x
        layers[act] = relu(x)
        return layers[act]

    def _block(self, x: Value, name: str, depth: int, layers: Layers) -> Value:
        """Let each layer see what all before it have made."""
        for number in range(1, depth + 1):
            layer = f"{name}.denselayer{number}"
            layers[layer] = self._layer(x, layer)
            x = concat([x, layers[layer]])
        layers[name] = x
        return x

    def _layer(self, x: Value, name: str) -> Value:
        norm1, conv1, norm2, conv2 = (
            f"{name}.{part}{self.spelling}{number}"
            for number in (1, 2)
            for part in ("norm", "conv")
        )
        x = relu(pytorch.batch_norm(x, norm1, epsilon=EPSILON))
        x = relu(
            pytorch.conv_bn(x, conv1, norm2, filters=self.bottleneck, kernel=1, epsilon=EPSILON)
        )
        return pytorch.conv_bias(x, conv2, self.growth, 3, bias=False)


def transition(x: Value, name: str) -> Value:
    """Halve the channels, and the map."""
    y = relu(pytorch.batch_norm(x, f"{name}.norm", epsilon=EPSILON))
    y = pytorch.conv_bias(y, f"{name}.conv", x.shape[0] // 2, 1, bias=False)
    return avg_pool(y, 2, stride=2)


def read(shapes: Shapes, card: Card) -> DenseNet | None:
    """Read the network of a file; see `penult.nets.design`.

    A stem of three convolutions is timm's, which publishes one such network, with a blur.
    """
    first = "features.denseblock1.denselayer1"
    spelling: Literal["", "."] = "." if f"{first}.conv.1.weight" in shapes else ""
    places = range(3 if "features.conv1.weight" in shapes else 1)
    is_deep = len(places) == 3
    try:
        found = DenseNet(
            library="timm" if is_deep or card.library == "timm" else "torchvision",
            size=224,
            classes=classes_of(shapes, "classifier"),
            spelling=spelling,
            stem=tuple(kernel(shapes, f"features.conv{place}")[0] for place in places),
            has_blur=is_deep and (not card.architecture or "blur" in card.architecture),
            blocks=_blocks(shapes, spelling),
            growth=kernel(shapes, f"{first}.conv{spelling}2")[0],
            bottleneck=kernel(shapes, f"{first}.conv{spelling}1")[0],
        )
    except ValueError:
        return None
    return held(found, shapes, card, KNOWN)


def _blocks(shapes: Shapes, spelling: str) -> tuple[int, ...]:
    depths: list[int] = []
    while len(depths) <= MOST_BLOCKS:
        block = f"features.denseblock{len(depths) + 1}"
        depth = next(
            number
            for number in range(MOST_LAYERS + 2)
            if f"{block}.denselayer{number + 1}.conv{spelling}1.weight" not in shapes
            or number > MOST_LAYERS
        )
        if not depth:
            break
        depths.append(depth)
    return tuple(depths)
