"""ShuffleNet V2 as torchvision has it. Ma et al. 2018, arXiv:1807.11164, figure 3 and table 5.

Names and numbers are those of torchvision/models/shufflenetv2.py.
"""

from dataclasses import dataclass
from typing import Literal

from penult.graph import Value, concat, global_avg_pool, interleave, max_pool, relu, slice_map
from penult.images.preprocess import Transform
from penult.nets import pytorch, torchvision
from penult.nets.classics import classes_of, held, kernel
from penult.nets.design import Card, Shapes
from penult.nets.spec import Architecture, Layers

STAGES = (2, 3, 4)  # as the paper numbers them
MOST_BLOCKS = 64  # of a stage; published ones have up to 8
WIDTHS = {48: "x0_5", 116: "x1_0", 176: "x1_5", 244: "x2_0"}  # by channels of the second stage
KNOWN = frozenset(f"shufflenet_v2_{width}" for width in WIDTHS.values())


@dataclass(frozen=True, slots=True)
class ShuffleNetV2:
    """All that decides a ShuffleNet V2's graph.

    Attributes:
        library: Whose names its tensors and layers have.
        size: Pixels of the square input.
        classes: Of the classifier; 0 without one.
        stem: Channels of the first convolution.
        blocks: Of each stage.
        widths: Channels of each stage.
        last: Channels of the last convolution.
    """

    library: Literal["torchvision"]
    size: int
    classes: int
    stem: int
    blocks: tuple[int, ...]
    widths: tuple[int, ...]
    last: int

    def __post_init__(self) -> None:
        if not (
            len(self.blocks) == len(self.widths) == len(STAGES)
            and 0 < min(self.blocks) <= max(self.blocks) <= MOST_BLOCKS
            and min(self.stem, self.last, *self.widths) > 0
            and not any(width % 2 for width in self.widths)
            and self.classes >= 0
        ):
            raise ValueError("that can't be a ShuffleNet V2")

    @property
    def name(self) -> str:
        """What torchvision calls it, or one like it."""
        width = WIDTHS.get(self.widths[0], str(self.widths[0]))
        return f"torchvision/shufflenet_v2_{width}"

    def architecture(self) -> Architecture:
        """Say how it is built."""
        return Architecture(
            build=self._build,
            embedding="mean",
            logits="fc" if self.classes else None,
            classifier="fc.weight" if self.classes else None,
            paper="https://arxiv.org/abs/1807.11164",
            source="https://github.com/pytorch/vision/blob/main/torchvision/models/shufflenetv2.py",
        )

    def preprocess(self, size: int) -> Transform:
        """As torchvision's weights take it."""
        return torchvision.preprocess_as_published(self.name, size)

    def _build(self, images: Value, classes: int) -> Layers:
        layers: Layers = {}
        x = layers["conv1"] = relu(conv_bn(images, "conv1", self.stem, 3, stride=2))
        x = layers["maxpool"] = max_pool(x, 3, stride=2, padding=(1, 1))
        for stage, blocks, width in zip(STAGES, self.blocks, self.widths, strict=True):
            for block in range(blocks):
                name = f"stage{stage}.{block}"
                x = layers[name] = unit(x, name, width) if block else halving(x, name, width)
            layers[f"stage{stage}"] = x
        x = layers["conv5"] = relu(conv_bn(x, "conv5", self.last, 1))
        x = layers["mean"] = global_avg_pool(x)
        if classes and self.classes:
            layers["fc"] = pytorch.linear(x, "fc", classes)
        return layers


def unit(x: Value, name: str, width: int) -> Value:
    """Figure 3 (c): half of the channels stay as they are."""
    half = width // 2
    kept, taken = slice_map(x, 0, half), slice_map(x, half, width)
    return interleave(concat([kept, branch(taken, name, half, stride=1)]), 2)


def halving(x: Value, name: str, width: int) -> Value:
    """Figure 3 (d): both branches halve the map."""
    half = width // 2
    y = conv_bn(x, f"{name}.branch1", x.shape[0], 3, stride=2, groups=x.shape[0])
    y = relu(conv_bn(y, f"{name}.branch1", half, 1, place=2))
    return interleave(concat([y, branch(x, name, half, stride=2)]), 2)


def branch(x: Value, name: str, width: int, *, stride: int) -> Value:
    """A 1×1, a depthwise 3×3 and another 1×1 convolution."""
    at = f"{name}.branch2"
    x = relu(conv_bn(x, at, width, 1))
    x = conv_bn(x, at, width, 3, stride=stride, groups=width, place=3)
    return relu(conv_bn(x, at, width, 1, place=5))


def conv_bn(
    x: Value,
    name: str,
    filters: int,
    window: int,
    *,
    stride: int = 1,
    groups: int = 1,
    place: int = 0,
) -> Value:
    """Convolve and normalise, by what has this place in a module and the next one."""
    return pytorch.conv_bn(
        x,
        f"{name}.{place}",
        f"{name}.{place + 1}",
        filters=filters,
        kernel=window,
        stride=stride,
        groups=groups,
        epsilon=1e-5,
    )


def read(shapes: Shapes, card: Card) -> ShuffleNetV2 | None:
    """Read the network of a file; see `penult.nets.design`."""
    try:
        found = ShuffleNetV2(
            library="torchvision",
            size=224,
            classes=classes_of(shapes, "fc"),
            stem=kernel(shapes, "conv1.0")[0],
            blocks=tuple(_blocks(shapes, stage) for stage in STAGES),
            widths=tuple(2 * kernel(shapes, f"stage{n}.0.branch2.0")[0] for n in STAGES),
            last=kernel(shapes, "conv5.0")[0],
        )
    except ValueError:
        return None
    return held(found, shapes, card, KNOWN)


def _blocks(shapes: Shapes, stage: int) -> int:
    return next(
        block
        for block in range(MOST_BLOCKS + 2)
        if f"stage{stage}.{block}.branch2.0.weight" not in shapes or block > MOST_BLOCKS
    )
