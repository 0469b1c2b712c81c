"""VGG as torchvision and timm have it, with batch norm or without.

Simonyan and Zisserman 2014, arXiv:1409.1556, table 1. Names and numbers are those of
torchvision/models/vgg.py and timm/models/vgg.py, which has convolutions for the dense layers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from penult.graph import Value, adaptive_avg_pool, flatten, global_avg_pool, max_pool, relu
from penult.images.preprocess import Transform
from penult.nets import pytorch, torchvision
from penult.nets.classics import classes_of, held, kernel
from penult.nets.design import Card, Shapes
from penult.nets.spec import Architecture, Layers

SIDE = 7  # of the map that the dense layers see
MOST_STAGES, MOST_CONVOLUTIONS = 8, 32
CONFIGURATIONS: Mapping[
    tuple[int, ...], str
] = {  # by convolutions of each stage; the letters of the paper
    (1, 1, 2, 2, 2): "vgg11",  # A
    (2, 2, 2, 2, 2): "vgg13",  # B
    (2, 2, 3, 3, 3): "vgg16",  # D
    (2, 2, 4, 4, 4): "vgg19",  # E
}
KNOWN = frozenset(f"{n}{norm}" for n in CONFIGURATIONS.values() for norm in ("", "_bn"))


@dataclass(frozen=True, slots=True)
class Vgg:
    """All that decides a VGG's graph.

    Attributes:
        library: Whose names its tensors and layers have.
        size: Pixels of the square input.
        classes: Of the classifier; 0 without one.
        stages: Channels of each stage's convolutions.
        has_norm: Whether batch norms follow them.
        hidden: Channels of the two dense layers; none where the file ends before them.
    """

    library: Literal["torchvision", "timm"]
    size: int
    classes: int
    stages: tuple[tuple[int, ...], ...]
    has_norm: bool
    hidden: tuple[int, ...]

    def __post_init__(self) -> None:
        if not (
            0 < len(self.stages) <= MOST_STAGES
            and all(0 < len(stage) <= MOST_CONVOLUTIONS for stage in self.stages)
            and min(map(min, self.stages)) > 0
            and (len(self.hidden) == 2 and min(self.hidden) > 0 if self.hidden else True)
            and self.classes >= 0
        ):
            raise ValueError("that can't be a VGG")

    @property
    def name(self) -> str:
        """What the library calls it, or one like it."""
        depths = tuple(map(len, self.stages))
        title = CONFIGURATIONS.get(depths, f"vgg{sum(depths) + 3}")
        return f"{self.library}/{title}{'_bn' if self.has_norm else ''}"

    @property
    def names(self) -> tuple[str, str, str]:
        """The dense layers and the classifier."""
        if self.library == "timm":
            return "pre_logits.fc1", "pre_logits.fc2", "head.fc"
        return "classifier.0", "classifier.3", "classifier.6"

    def architecture(self) -> Architecture:
        """Say how it is built."""
        embedding = "pre_logits" if self.library == "timm" else "classifier.4"
        classifier = self.names[2] if self.classes and self.hidden else None
        return Architecture(
            build=self._build,
            embedding=embedding if self.hidden else "avgpool",
            logits=classifier,
            classifier=f"{classifier}.weight" if classifier else None,
            paper="https://arxiv.org/abs/1409.1556",
            source="https://github.com/pytorch/vision/blob/main/torchvision/models/vgg.py"
            if self.library == "torchvision"
            else "https://github.com/huggingface/pytorch-image-models/blob/main/timm/models/vgg.py",
        )

    def preprocess(self, size: int) -> Transform:
        """As torchvision's weights take it; timm's are the same."""
        return torchvision.preprocess_as_published(self.name, size)

    def _build(self, images: Value, classes: int) -> Layers:
        layers: Layers = {}
        x = layers["features"] = self._features(images, layers)
        if not self.hidden:
            layers["avgpool"] = global_avg_pool(x)
            return layers
        make = self._head_of_timm if self.library == "timm" else self._head
        x = make(x, layers)
        if classes and self.classes:
            layers[self.names[2]] = pytorch.linear(x, self.names[2], classes)
        return layers

    def _features(self, x: Value, layers: Layers) -> Value:
        place = 0
        for stage in self.stages:
            for channels in stage:
                name, norm = f"features.{place}", f"features.{place + 1}"
                if self.has_norm:
                    x = layers[norm] = pytorch.conv_bn(
                        x, name, norm, filters=channels, kernel=3, epsilon=1e-5, bias=True
                    )
                else:
                    x = layers[name] = pytorch.conv_bias(x, name, channels, 3)
                place += 2 + self.has_norm
                x = layers[f"features.{place - 1}"] = relu(x)
            x = layers[f"features.{place}"] = max_pool(x, 2, stride=2)
            place += 1
        return x

    def _head(self, x: Value, layers: Layers) -> Value:
        x = layers["avgpool"] = adaptive_avg_pool(x, SIDE)
        x = layers["flatten"] = flatten(x)
        for place, name, channels in zip((1, 4), self.names, self.hidden, strict=False):
            x = layers[name] = pytorch.linear(x, name, channels)
            x = layers[f"classifier.{place}"] = relu(x)
        return x

    def _head_of_timm(self, x: Value, layers: Layers) -> Value:
        """Where the map is larger, the dense layers see each 7×7 of it."""
        if min(x.shape[1:]) < SIDE:
            x = adaptive_avg_pool(x, SIDE)
        first, second, _ = self.names
        x = relu(pytorch.conv_bias(x, first, self.hidden[0], SIDE, padding="VALID"))
        x = relu(pytorch.conv_bias(x, second, self.hidden[1], 1))
        x = layers["pre_logits"] = global_avg_pool(x)
        return x


def read(shapes: Shapes, card: Card) -> Vgg | None:
    """Read the network of a file; see `penult.nets.design`."""
    is_timm = "pre_logits.fc1.weight" in shapes
    dense = ("pre_logits.fc1", "pre_logits.fc2") if is_timm else ("classifier.0", "classifier.3")
    has_norm = "features.1.running_mean" in shapes
    try:
        hidden = (
            tuple(shapes[f"{n}.weight"][0] for n in dense) if f"{dense[0]}.weight" in shapes else ()
        )
        found = Vgg(
            library="timm" if is_timm or (not hidden and card.library == "timm") else "torchvision",
            size=224,
            classes=classes_of(shapes, "head.fc" if is_timm else "classifier.6"),
            stages=_stages(shapes, step=3 if has_norm else 2),
            has_norm=has_norm,
            hidden=hidden,
        )
    except (ValueError, KeyError, IndexError):
        return None
    return held(found, shapes, card, KNOWN)


def _stages(shapes: Shapes, step: int) -> tuple[tuple[int, ...], ...]:
    """Channels of the convolutions, by stage: where a place is left out stands a pool."""
    stages: list[tuple[int, ...]] = []
    place = 0
    while f"features.{place}.weight" in shapes and len(stages) <= MOST_STAGES:
        stage: list[int] = []
        while f"features.{place}.weight" in shapes and len(stage) <= MOST_CONVOLUTIONS:
            filters, _, *window = kernel(shapes, f"features.{place}")
            if window != [3, 3]:
                raise ValueError("that isn't a VGG's convolution")
            stage.append(filters)
            place += step
        stages.append(tuple(stage))
        place += 1
    convolutions = [n for n, s in shapes.items() if n.startswith("features.") and len(s) == 4]
    if len(convolutions) != sum(map(len, stages)):
        raise ValueError("there are convolutions that no VGG has")
    return tuple(stages)
