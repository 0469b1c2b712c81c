"""CLIP's ResNet. Radford et al. 2021, arXiv:2103.00020, section 2.4.

Three convolutions at the beginning; maps are averaged before a convolution rather than that it
has a stride; and an attention's answer to the mean of all places becomes the features. Names and
numbers are those of open_clip/modified_resnet.py, which are OpenAI's, and of timm/models/byobnet.py
with timm/layers/attention_pool2d.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from penult.errors import NetworkError
from penult.graph import (
    Constant,
    Value,
    Variable,
    add,
    attention,
    avg_pool,
    global_avg_pool,
    join_tokens,
    relu,
    reshape,
    to_tokens,
)
from penult.graph.values import Array
from penult.images import preprocess
from penult.images.preprocess import Transform
from penult.nets import pytorch
from penult.nets.positions import resample
from penult.nets.spec import Architecture, Layers

EPSILON = 1e-5
STAGES = 4
REDUCTION = 32  # of the image's side, on the last map
MOST_BLOCKS = 256  # of a stage; published ones have up to 36

Library = Literal["open_clip", "timm"]


class Names(NamedTuple):
    """A library's names; `{}` stands for a number, from 1 but for timm's stages and blocks."""

    conv: str  # of the stem
    norm: str
    act: str  # a layer, likewise the following
    pool: str
    stage: str  # with its number from 0, and from 1
    convs: tuple[str, str, str]  # below a block, likewise the following
    norms: tuple[str, str, str]
    acts: tuple[str, str]
    shortcut: str  # the layer
    shortcut_conv: str
    shortcut_norm: str
    places: str
    queries: str
    keys: str
    values: str
    projection: str
    source: str


NAMES: Mapping[Library, Names] = {
    "open_clip": Names(
        conv="conv{}",
        norm="bn{}",
        act="act{}",
        pool="avgpool",
        stage="layer{1}",
        convs=(".conv1", ".conv2", ".conv3"),
        norms=(".bn1", ".bn2", ".bn3"),
        acts=(".act1", ".act2"),
        shortcut=".downsample",
        shortcut_conv=".downsample.0",
        shortcut_norm=".downsample.1",
        places="attnpool.positional_embedding",
        queries="attnpool.q_proj",
        keys="attnpool.k_proj",
        values="attnpool.v_proj",
        projection="attnpool.c_proj",
        source="https://github.com/mlfoundations/open_clip/blob/main/src/open_clip/modified_resnet.py",
    ),
    "timm": Names(
        conv="stem.conv{}.conv",
        norm="stem.conv{}.bn",
        act="stem.conv{}.bn",  # the norm's module applies ReLU too
        pool="stem",
        stage="stages.{0}",
        convs=(".conv1_1x1.conv", ".conv2_kxk.conv", ".conv3_1x1.conv"),
        norms=(".conv1_1x1.bn", ".conv2_kxk.bn", ".conv3_1x1.bn"),
        acts=(".conv1_1x1.bn", ".conv2_kxk.bn"),
        shortcut=".shortcut",
        shortcut_conv=".shortcut.conv.conv",
        shortcut_norm=".shortcut.conv.bn",
        places="head.pos_embed",
        queries="head.q",
        keys="head.k",
        values="head.v",
        projection="head.proj",
        source="https://github.com/huggingface/pytorch-image-models/blob/main/timm/models/byobnet.py",
    ),
}
PUBLISHED: Mapping[tuple[tuple[int, ...], int], tuple[str, int]] = {  # by blocks and width
    ((3, 4, 6, 3), 64): ("50", 224),
    ((3, 4, 23, 3), 64): ("101", 224),
    ((4, 6, 10, 6), 80): ("50x4", 288),
    ((6, 8, 18, 8), 96): ("50x16", 384),
    ((3, 15, 36, 10), 128): ("50x64", 448),
}


@dataclass(frozen=True, slots=True)
class ClipResNet:
    """All that decides the graph of CLIP's image tower.

    Attributes:
        library: Whose names its tensors and layers have: `open_clip`, and OpenAI, or `timm`.
        base: What stands before them: `visual.`, or nothing in a file of this tower alone.
        size: Pixels of the square input; open_clip's takes no other.
        classes: Of timm's last layer, which is the projection after an attention; 0 without one.
        blocks: In each of the four stages.
        width: Channels of the stem and of the first stage's 3×3 convolutions.
        pool: How the last map becomes a vector; averages are timm's.
        heads: Of the attention.
        features: Channels of what comes out.
    """

    library: Library
    base: Literal["", "visual."]
    size: int
    classes: int
    blocks: tuple[int, ...]
    width: int
    pool: Literal["attention", "avg"]
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
        """What the library calls it, or one like it: `open_clip/RN50`, `timm/resnet50_clip`."""
        known, _ = PUBLISHED.get((self.blocks, self.width), ("", 0))
        kind = known or f"{'-'.join(map(str, self.blocks))}x{self.width}"
        if self.library == "open_clip":
            return f"open_clip/RN{kind}"
        return f"timm/resnet{kind}_clip{'_gap' if self.pool == 'avg' else ''}"

    @property
    def classifier(self) -> str:
        """The last linear layer: timm's name of the projection, or what stands for it."""
        return NAMES[self.library].projection if self.pool == "attention" else "head.fc"

    @property
    def logits(self) -> str:
        """What comes out of it."""
        return "head" if self.pool == "attention" else "head.fc"

    def architecture(self) -> Architecture:
        """Say how it is built."""
        names = NAMES[self.library]
        return Architecture(
            build=_Builder(self).build,
            embedding="image_features" if self.library == "open_clip" else "pre_logits",
            logits=self.logits if self.classes else None,
            classifier=f"{self.classifier}.weight" if self.classes else None,
            paper="https://arxiv.org/abs/2103.00020",
            source=names.source,
        )

    def preprocess(self, size: int) -> Transform:
        """Make OpenAI's preprocessing, or timm's, which sees a little less."""
        share = 0.9 if self.library == "timm" else 1
        return preprocess.shorter_side(size, share, "bicubic", preprocess.CLIP)


class _Builder:
    """Builds the graph of one design."""

    def __init__(self, design: ClipResNet) -> None:
        self.design = design
        self.names = NAMES[design.library]
        self.layers: Layers = {}

    def build(self, images: Value, classes: int) -> Layers:
        """Stem, four stages, and one vector of the last map."""
        design, names, base = self.design, self.names, self.design.base
        layers = self.layers = {}
        x = images
        for n, divisor in enumerate((2, 2, 1), start=1):
            conv, norm = f"{base}{names.conv.format(n)}", f"{base}{names.norm.format(n)}"
            x = self._conv(x, conv, norm, design.width // divisor, 3, stride=2 if n == 1 else 1)
            x = layers[f"{base}{names.act.format(n)}"] = relu(x)
        x = layers[f"{base}{names.pool}"] = avg_pool(x, 2, stride=2)
        for stage, blocks in enumerate(design.blocks):
            at = f"{base}{names.stage.format(stage, stage + 1)}"
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                x = self._block(x, f"{at}.{block}", 2**stage * design.width, stride)
            layers[at] = x
        if design.library == "open_clip":
            found = pytorch.linear(self._attend(x), f"{base}{names.projection}", design.features)
            found = reshape(found, -1, design.features, layout="NC")
            layers[f"{base}attnpool"] = layers["image_features"] = found
            return layers
        if design.pool == "avg":
            x = global_avg_pool(x)
        else:
            x = reshape(self._attend(x), -1, design.features, layout="NC")
        layers["pre_logits"] = x
        if classes and design.classes:
            layers[design.logits] = pytorch.linear(x, design.classifier, classes)
        return layers

    def _block(self, x: Value, at: str, width: int, stride: int) -> Value:
        """Reduce, filter, widen; add the input, projected where its size differs."""
        convs, norms, acts = (
            [at + part for part in parts]
            for parts in (self.names.convs, self.names.norms, self.names.acts)
        )
        y = self.layers[acts[0]] = relu(self._conv(x, convs[0], norms[0], width, 1))
        y = self.layers[acts[1]] = relu(self._conv(y, convs[1], norms[1], width, 3))
        y = self._conv(self._halve(y, stride), convs[2], norms[2], 4 * width, 1)
        if stride > 1 or x.shape[0] != 4 * width:
            conv, norm = at + self.names.shortcut_conv, at + self.names.shortcut_norm
            x = self._conv(self._halve(x, stride), conv, norm, 4 * width, 1)
            self.layers[at + self.names.shortcut] = x
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
        """Ask with the mean of all places for what is in them, itself included: one token."""
        names, base = self.names, self.design.base
        channels = x.shape[0]
        mean = reshape(global_avg_pool(x), -1, 1, channels, layout="NLC")
        places = self._places(x)
        first = Constant(
            (1, channels), places.variables, lambda *arrays: places.compute(*arrays)[:1]
        )
        tokens = add(join_tokens(mean, to_tokens(x)), places)
        query = pytorch.linear(add(mean, first), f"{base}{names.queries}", channels)
        keys, values = (
            pytorch.linear(tokens, f"{base}{each}", channels) for each in (names.keys, names.values)
        )
        return attention(query, keys, values, heads=self.design.heads)

    def _places(self, x: Value) -> Constant:
        """What is added to the tokens: a row for the mean, then one for each place."""
        channels, height, width = x.shape
        side = self.design.size // REDUCTION
        if self.design.library == "open_clip" and (height, width) != (side, side):
            size = side * REDUCTION
            raise NetworkError(f"its attention knows places of {size}×{size} pixels only")
        table = Variable(f"{self.design.base}{self.names.places}", (side**2 + 1, channels))

        def compute(array: Array) -> Array:
            resampled: Array = np.concatenate([array[:1], resample(array[1:], height, "antialias")])
            return resampled

        return Constant((height * width + 1, channels), (table,), compute)
