"""CLIP's ResNet. Radford et al. 2021, arXiv:2103.00020, section 2.4.

Three convolutions at the beginning; maps are averaged before a convolution rather than that it
has a stride; and an attention's answer to the mean of all places becomes the features. Names and
numbers are those of open_clip/modified_resnet.py and of OpenAI's clip/model.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Any

from penult.errors import NetworkError
from penult.graph import (
    Constant,
    Value,
    Variable,
    add,
    attention,
    avg_pool,
    global_avg_pool,
    images,
    join_tokens,
    relu,
    reshape,
    to_tokens,
    variables,
)
from penult.images import preprocess
from penult.images.preprocess import Transform
from penult.nets import pytorch
from penult.nets.design import Card, Shapes
from penult.nets.spec import Architecture, Layers
from penult.util.text import quoted

EPSILON = 1e-5
STAGES = 4
REDUCTION = 32  # of the image's side, on the last map
MOST_BLOCKS = 256  # of a stage; published ones have up to 36
MOST_PIXELS = 4096  # of an image's side

NAMES: Mapping[tuple[tuple[int, ...], int], str] = {  # by blocks a stage, and width
    ((3, 4, 6, 3), 64): "RN50",
    ((3, 4, 23, 3), 64): "RN101",
    ((4, 6, 10, 6), 80): "RN50x4",
    ((6, 8, 18, 8), 96): "RN50x16",
    ((3, 15, 36, 10), 128): "RN50x64",
}


@dataclass(frozen=True, slots=True)
class ClipResNet:
    """All that decides the graph of CLIP's image tower.

    Attributes:
        library: Whose names its tensors and layers have: `open_clip`, and OpenAI.
        base: What stands before them: `visual.`, or nothing in a file of this tower alone.
        size: Pixels of the square input, the only one that it takes.
        classes: 0, as it has no classifier.
        blocks: In each of the four stages.
        width: Channels of the stem and of the first stage's 3×3 convolutions.
        heads: Of the attention.
        features: Channels of what comes out.
    """

    library: str
    base: str
    size: int
    classes: int
    blocks: tuple[int, ...]
    width: int
    heads: int
    features: int

    def __post_init__(self) -> None:
        numbers = [*self.blocks, self.width, self.features]
        if len(self.blocks) != STAGES or min(numbers) < 1 or max(self.blocks) > MOST_BLOCKS:
            raise ValueError("that can't be CLIP's ResNet")
        if self.heads < 1 or REDUCTION * self.width % self.heads:
            raise ValueError(f"heads can't be {self.heads}")

    @property
    def name(self) -> str:
        """What open_clip calls it, or one like it: `open_clip/RN50`."""
        blocks = "-".join(map(str, self.blocks))
        return f"open_clip/{NAMES.get((self.blocks, self.width), f'RN-{blocks}x{self.width}')}"

    def architecture(self) -> Architecture:
        """Say how it is built."""
        return Architecture(
            build=_Builder(self).build,
            embedding="image_features",
            logits=None,
            classifier=None,
            paper="https://arxiv.org/abs/2103.00020",
            source="https://github.com/mlfoundations/open_clip/blob/main/src/open_clip/modified_resnet.py",
        )

    def preprocess(self, size: int) -> Transform:
        """Make OpenAI's preprocessing."""
        return preprocess.shorter_side(size, 1, "bicubic", preprocess.CLIP)


class _Builder:
    """Builds the graph of one design."""

    def __init__(self, design: ClipResNet) -> None:
        self.design = design
        self.layers: Layers = {}

    def build(self, images: Value, classes: int) -> Layers:
        """Stem, four stages, attention; there are no classes."""
        design, base = self.design, self.design.base
        layers = self.layers = {}
        half = design.width // 2
        x = self._conv(images, f"{base}conv1", f"{base}bn1", half, 3, stride=2)
        x = layers[f"{base}act1"] = relu(x)
        x = layers[f"{base}act2"] = relu(self._conv(x, f"{base}conv2", f"{base}bn2", half, 3))
        x = self._conv(x, f"{base}conv3", f"{base}bn3", design.width, 3)
        x = layers[f"{base}act3"] = relu(x)
        x = layers[f"{base}avgpool"] = avg_pool(x, 2, stride=2)
        for stage, blocks in enumerate(design.blocks):
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                x = self._block(x, f"{base}layer{stage + 1}.{block}", 2**stage, stride)
            layers[f"{base}layer{stage + 1}"] = x
        x = layers[f"{base}attnpool"] = layers["image_features"] = self._attend(x)
        return layers

    def _block(self, x: Value, at: str, wider: int, stride: int) -> Value:
        """Reduce, filter, widen; add the input, projected where its size differs."""
        width = wider * self.design.width
        y = self.layers[f"{at}.act1"] = relu(self._conv(x, f"{at}.conv1", f"{at}.bn1", width, 1))
        y = self.layers[f"{at}.act2"] = relu(self._conv(y, f"{at}.conv2", f"{at}.bn2", width, 3))
        y = self._halve(y, stride)
        y = self._conv(y, f"{at}.conv3", f"{at}.bn3", 4 * width, 1)
        if stride > 1 or x.shape[0] != 4 * width:
            names = f"{at}.downsample.0", f"{at}.downsample.1"
            x = self._conv(self._halve(x, stride), *names, 4 * width, 1)
            self.layers[f"{at}.downsample"] = x
        y = self.layers[at] = relu(add(y, x))
        return y

    def _halve(self, x: Value, stride: int) -> Value:
        return avg_pool(x, stride, stride=stride) if stride > 1 else x

    def _conv(
        self, x: Value, name: str, norm: str, filters: int, kernel: int, stride: int = 1
    ) -> Value:
        y = self.layers[norm] = pytorch.conv_bn(
            x, name, norm, filters=filters, kernel=kernel, stride=stride, epsilon=EPSILON
        )
        return y

    def _attend(self, x: Value) -> Value:
        """Ask with the mean of all places for what is in them, itself included."""
        at, size = f"{self.design.base}attnpool", self.design.size
        channels, *grid = x.shape
        side = size // REDUCTION
        if grid != [side, side]:
            raise NetworkError(f"its attention knows places of {size}×{size} pixels only")
        mean = reshape(global_avg_pool(x), -1, 1, channels, layout="NLC")
        table = Variable(f"{at}.positional_embedding", (side**2 + 1, channels))
        places = Constant(table.shape, (table,), lambda array: array)
        first = Constant((1, channels), (table,), lambda array: array[:1])
        tokens = add(join_tokens(mean, to_tokens(x)), places)
        query = pytorch.linear(add(mean, first), f"{at}.q_proj", channels)
        keys, values = (
            pytorch.linear(tokens, f"{at}.{each}_proj", channels) for each in ("k", "v")
        )
        found = attention(query, keys, values, heads=self.design.heads)
        features = self.design.features
        found = pytorch.linear(found, f"{at}.c_proj", features)
        return reshape(found, -1, features, layout="NC")


def read(shapes: Shapes, card: Card) -> ClipResNet | None:
    """Read the network off the tensors of a file, both towers or the image's alone.

    Raises:
        NetworkError: The settings beside the file say another network than the tensors.
    """
    base = "visual." if "visual.attnpool.positional_embedding" in shapes else ""
    places = shapes[f"{base}attnpool.positional_embedding"]
    width = _first(shapes, f"{base}conv3.weight")
    grid = isqrt(max(0, places[0] - 1)) if len(places) == 2 else 0
    blocks = tuple(_blocks(shapes, f"{base}layer{stage + 1}") for stage in range(STAGES))
    if not width or not 0 < grid <= MOST_PIXELS // REDUCTION:
        return None
    given = card.config.get("vision_cfg")
    settings = given if isinstance(given, Mapping) else {}
    _compare(settings, blocks, width, grid * REDUCTION)
    head_width = settings.get("head_width", 64)
    try:
        found = ClipResNet(
            library="open_clip",
            base=base,
            size=grid * REDUCTION,
            classes=0,
            blocks=blocks,
            width=width,
            heads=REDUCTION * width // head_width if type(head_width) is int else 0,
            features=_first(shapes, f"{base}attnpool.c_proj.weight"),
        )
    except (ValueError, ZeroDivisionError):
        return None
    graph = found.architecture().build(images(found.size), 0)
    needed = variables(graph.values())
    return found if all(shapes.get(each.name) == each.shape for each in needed) else None


def _first(shapes: Shapes, name: str) -> int:
    return next(iter(shapes.get(name, ())), 0)


def _blocks(shapes: Shapes, stage: str) -> int:
    known = (f"{stage}.{block}.conv1.weight" in shapes for block in range(MOST_BLOCKS))
    return next((count for count, known_ in enumerate(known) if not known_), MOST_BLOCKS)


def _compare(settings: Mapping[str, Any], blocks: tuple[int, ...], width: int, size: int) -> None:
    """Compare what open_clip_config.json says with the tensors."""
    found = {"layers": [*blocks], "width": width, "image_size": size}
    for name, value in found.items():
        if (said := settings.get(name, value)) != value:
            raise NetworkError(
                f"open_clip_config.json says {name} {quoted(said)}, but the tensors {value}"
            )
