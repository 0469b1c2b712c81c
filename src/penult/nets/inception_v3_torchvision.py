"""Inception V3 as torchvision and timm have it. Szegedy et al. 2015, arXiv:1512.00567, section 6.

Names and numbers are those of torchvision/models/inception.py and timm/models/inception_v3.py. The
weights were trained for inputs from -1 to 1: torchvision's network makes these of what its
preprocessing gives (`transform_input`), timm leaves them to the preprocessing.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from penult.errors import UsageError
from penult.graph import Value, avg_pool, concat, global_avg_pool, max_pool
from penult.images import preprocess
from penult.images.preprocess import Transform
from penult.nets import pytorch, torchvision
from penult.nets.classics import classes_of, held
from penult.nets.design import Card, Shapes
from penult.nets.googlenet import conv_bn_relu, from_half
from penult.nets.spec import Architecture, Layers

SOURCES = {
    "torchvision": "https://github.com/pytorch/vision/blob/main/torchvision/models/inception.py",
    "timm": "https://github.com/huggingface/pytorch-image-models/blob/main/timm/models/inception_v3.py",
}


class Step(NamedTuple):
    """A convolution of a branch, padded unless its stride is 2."""

    name: str
    filters: int
    kernel: pytorch.Window = 1
    stride: int = 1


Split = tuple[Step, Step]  # side by side
Pool = Literal["avg", "max"]
Branch = list[Step | Split | Pool]
ROW, COLUMN = (1, 7), (7, 1)


def figure_5(pooled: int) -> list[Branch]:
    """Two 3×3 convolutions instead of one 5×5."""
    return [
        [Step("branch1x1", 64)],
        [Step("branch5x5_1", 48), Step("branch5x5_2", 64, 5)],
        [
            Step("branch3x3dbl_1", 64),
            Step("branch3x3dbl_2", 96, 3),
            Step("branch3x3dbl_3", 96, 3),
        ],
        ["avg", Step("branch_pool", pooled)],
    ]


def figure_6(inner: int) -> list[Branch]:
    """Rows and columns of 7."""
    return [
        [Step("branch1x1", 192)],
        [
            Step("branch7x7_1", inner),
            Step("branch7x7_2", inner, ROW),
            Step("branch7x7_3", 192, COLUMN),
        ],
        [
            Step("branch7x7dbl_1", inner),
            Step("branch7x7dbl_2", inner, COLUMN),
            Step("branch7x7dbl_3", inner, ROW),
            Step("branch7x7dbl_4", inner, COLUMN),
            Step("branch7x7dbl_5", 192, ROW),
        ],
        ["avg", Step("branch_pool", 192)],
    ]


FIGURE_7: list[Branch] = [
    [Step("branch1x1", 320)],
    [
        Step("branch3x3_1", 384),
        (Step("branch3x3_2a", 384, (1, 3)), Step("branch3x3_2b", 384, (3, 1))),
    ],
    [
        Step("branch3x3dbl_1", 448),
        Step("branch3x3dbl_2", 384, 3),
        (Step("branch3x3dbl_3a", 384, (1, 3)), Step("branch3x3dbl_3b", 384, (3, 1))),
    ],
    ["avg", Step("branch_pool", 192)],
]
BLOCKS: dict[str, list[Branch]] = {
    "Mixed_5b": figure_5(32),
    "Mixed_5c": figure_5(64),
    "Mixed_5d": figure_5(64),
    "Mixed_6a": [
        [Step("branch3x3", 384, 3, 2)],
        [
            Step("branch3x3dbl_1", 64),
            Step("branch3x3dbl_2", 96, 3),
            Step("branch3x3dbl_3", 96, 3, 2),
        ],
        ["max"],
    ],
    "Mixed_6b": figure_6(128),
    "Mixed_6c": figure_6(160),
    "Mixed_6d": figure_6(160),
    "Mixed_6e": figure_6(192),
    "Mixed_7a": [
        [Step("branch3x3_1", 192), Step("branch3x3_2", 320, 3, 2)],
        [
            Step("branch7x7x3_1", 192),
            Step("branch7x7x3_2", 192, ROW),
            Step("branch7x7x3_3", 192, COLUMN),
            Step("branch7x7x3_4", 192, 3, 2),
        ],
        ["max"],
    ],
    "Mixed_7b": FIGURE_7,
    "Mixed_7c": FIGURE_7,
}


@dataclass(frozen=True, slots=True)
class InceptionV3:
    """All that decides an Inception V3's graph.

    Attributes:
        library: Whose names its layers have, and whether the network turns its input first.
        size: Pixels of the square input.
        classes: Of the classifier; 0 without one.
    """

    library: Literal["torchvision", "timm"]
    size: int
    classes: int

    @property
    def name(self) -> str:
        """What the library calls it."""
        return f"{self.library}/inception_v3"

    @property
    def embedding(self) -> str:
        """The layer that the library's users take for the features."""
        return "flatten" if self.library == "torchvision" else "pre_logits"

    def architecture(self) -> Architecture:
        """Say how it is built."""
        return Architecture(
            build=self._build,
            embedding=self.embedding,
            logits="fc" if self.classes else None,
            classifier="fc.weight" if self.classes else None,
            paper="https://arxiv.org/abs/1512.00567",
            source=SOURCES[self.library],
        )

    def preprocess(self, size: int) -> Transform:
        """As the library's weights take it."""
        if self.library == "torchvision":
            return torchvision.preprocess_as_published(self.name, size)
        return preprocess.shorter_side(size, 0.875, "bicubic", preprocess.HALF)

    def _build(self, images: Value, classes: int) -> Layers:
        layers: Layers = {}
        pool1, pool2 = (
            ("maxpool1", "maxpool2") if self.library == "torchvision" else ("Pool1", "Pool2")
        )

        def step(x: Value, name: str, filters: int, **options: int) -> Value:
            is_padded = name == "Conv2d_2b_3x3"
            layers[name] = conv_bn_relu(
                x,
                name,
                filters,
                int(name[-1]),
                padding=None if is_padded else "VALID",
                **options,
            )
            return layers[name]

        x = from_half(images) if self.library == "torchvision" else images
        x = step(x, "Conv2d_1a_3x3", 32, stride=2)
        x = step(x, "Conv2d_2a_3x3", 32)
        x = step(x, "Conv2d_2b_3x3", 64)
        x = layers[pool1] = max_pool(x, 3, stride=2)
        x = step(x, "Conv2d_3b_1x1", 80)
        x = step(x, "Conv2d_4a_3x3", 192)
        x = layers[pool2] = max_pool(x, 3, stride=2)
        for name, branches in BLOCKS.items():
            x = layers[name] = concat([_branch(x, name, branch) for branch in branches])
        pooled = "avgpool" if self.library == "torchvision" else "global_pool"
        x = layers[pooled] = layers[self.embedding] = global_avg_pool(x)
        if classes and self.classes:
            layers["fc"] = pytorch.linear(x, "fc", classes)
        return layers


def _branch(x: Value, block: str, branch: Branch) -> Value:
    for part in branch:
        match part:
            case "avg":
                x = avg_pool(x, 3, stride=1, padding=(1, 1), count_padding=True)
            case "max":
                x = max_pool(x, 3, stride=2)
            case Step():
                x = _step(x, block, part)
            case (left, right):
                x = concat([_step(x, block, left), _step(x, block, right)])
    return x


def _step(x: Value, block: str, step: Step) -> Value:
    name, filters, window, stride = step
    return conv_bn_relu(
        x,
        f"{block}.{name}",
        filters,
        window,
        stride=stride,
        padding="VALID" if stride == 2 else None,
    )


def read(shapes: Shapes, card: Card) -> InceptionV3 | None:
    """Read the network of a file; see `penult.nets.design`.

    Raises:
        UsageError: Nothing says whether it is torchvision's or timm's: only the former publishes
            files with the auxiliary head.
    """
    has_head = "AuxLogits.fc.weight" in shapes
    library: Literal["torchvision", "timm"] = "timm" if card.library == "timm" else "torchvision"
    design = InceptionV3(library, 299, classes_of(shapes, "fc"))
    found = held(design, shapes, card, frozenset({"inception_v3"}))
    if found and not has_head and card.library not in SOURCES:
        raise UsageError(
            "an Inception V3 takes its input turned by itself in torchvision, not in timm; say "
            "which it is: -m torchvision/inception_v3, -m timm/inception_v3"
        )
    return found
