"""Big Transfer (BiT), and timm's other pre-activation ResNets.

Kolesnikov et al. 2019, arXiv:1912.11370, section 2: the pre-activation ResNet of He et al. 2016,
arXiv:1603.05027, with groups of channels normalised (arXiv:1803.08494) and kernels standardised
(arXiv:1903.10520). timm's own networks of the kind keep batch norm, some with the stem and the
shortcuts of arXiv:1812.01187. Names and numbers are those of timm/models/resnetv2.py.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from penult.errors import NetworkError
from penult.graph import (
    Constant,
    Value,
    Variable,
    add,
    avg_pool,
    conv,
    dense,
    global_avg_pool,
    images,
    max_pool,
    pad,
    plain,
    relu,
    variables,
)
from penult.graph.values import Array
from penult.images import preprocess
from penult.images.preprocess import Transform
from penult.images.resampling import Kernel
from penult.nets import pytorch
from penult.nets.design import Card, Shapes
from penult.nets.spec import Architecture, Layers

EPSILON = 1e-5
KERNEL_EPSILON = 1e-8  # where kernels are standardised
GROUPS = 32
MOST_STAGES, MOST_BLOCKS = 8, 256  # published ones have 4 stages of up to 36 blocks


@dataclass(frozen=True, slots=True)
class Bit:
    """All that decides the graph of a pre-activation ResNet.

    Attributes:
        size: Pixels of the square input that it was trained with.
        classes: Of the classifier; 0 without one.
        stem: Channels of its convolutions: one of 7×7, or three of 3×3.
        blocks: Of each stage.
        channels: Of each stage's maps.
        inner: Of each stage's first convolutions.
        has_bottlenecks: Whether blocks have 1×1, 3×3 and 1×1 convolutions, rather than two of 3×3.
        norm: Of all channels over many images, or of 32 groups of them.
        is_standardised: Whether kernels are, as in BiT.
        has_pooled_shortcuts: Whether averages of 2×2 halve a map before it is added.
    """

    library: Literal["timm"]
    size: int
    classes: int
    stem: tuple[int, ...]
    blocks: tuple[int, ...]
    channels: tuple[int, ...]
    inner: tuple[int, ...]
    has_bottlenecks: bool
    norm: Literal["batch", "group"]
    is_standardised: bool
    has_pooled_shortcuts: bool

    def __post_init__(self) -> None:
        counts = {len(each) for each in (self.blocks, self.channels, self.inner)}
        numbers = [*self.stem, *self.blocks, *self.channels, *self.inner]
        if (
            len(counts) > 1
            or not self.blocks
            or len(self.stem) not in {1, 3}
            or min(numbers) < 1
            or max(self.blocks) > MOST_BLOCKS
        ):
            raise ValueError("that can't be a pre-activation ResNet")
        if self.norm == "group" and any(each % GROUPS for each in (*self.channels, *self.inner)):
            raise ValueError(f"all channels must be multiples of {GROUPS}")

    @property
    def name(self) -> str:
        """What timm calls it, or one like it: `timm/resnetv2_50x1_bit`."""
        return f"timm/{self._title}"

    @property
    def _title(self) -> str:
        depth = (3 if self.has_bottlenecks else 2) * sum(self.blocks) + 2
        if self.is_standardised:
            return f"resnetv2_{depth}x{self.stem[-1] // 64}_bit"
        letter = ("d" if self.stem[0] == self.stem[1] else "t") if len(self.stem) == 3 else ""
        return f"resnetv2_{depth}{letter}{'_gn' if self.norm == 'group' else ''}"

    def architecture(self) -> Architecture:
        """Say how it is built."""
        return Architecture(
            build=_Builder(self).build,
            embedding="pre_logits",
            logits="head.fc" if self.classes else None,
            classifier="head.fc.weight" if self.classes else None,
            paper="https://arxiv.org/abs/1912.11370",
            source="https://github.com/huggingface/pytorch-image-models/blob/main/timm/models/resnetv2.py",
        )

    def preprocess(self, size: int) -> Transform:
        """Make the preprocessing that timm takes for its first weights of the network."""
        _, share, kernel = VARIANTS.get(self._title, (224, 7 / 8, "bicubic"))
        return preprocess.shorter_side(size, share, kernel, preprocess.HALF)


VARIANTS: Mapping[str, tuple[int, float, Kernel]] = {  # size, its share of the image, kernel
    "resnetv2_50x1_bit": (224, 7 / 8, "bicubic"),
    "resnetv2_50x3_bit": (448, 1, "bilinear"),
    "resnetv2_101x1_bit": (448, 1, "bilinear"),
    "resnetv2_101x3_bit": (448, 1, "bilinear"),
    "resnetv2_152x2_bit": (224, 7 / 8, "bicubic"),
    "resnetv2_152x4_bit": (480, 1, "bilinear"),
    "resnetv2_18": (224, 0.9, "bicubic"),
    "resnetv2_18d": (224, 0.9, "bicubic"),
    "resnetv2_34": (224, 0.9, "bicubic"),
    "resnetv2_34d": (224, 0.9, "bicubic"),
    "resnetv2_50": (224, 0.95, "bicubic"),
    "resnetv2_101": (224, 0.95, "bicubic"),
    "resnetv2_50d_gn": (224, 0.95, "bicubic"),
}


class _Builder:
    """Builds the graph of one design."""

    def __init__(self, design: Bit) -> None:
        self.design = design
        self.layers: Layers = {}

    def build(self, images: Value, classes: int) -> Layers:
        """Stem, stages, and after the last one the norm that each block begins with."""
        design = self.design
        layers = self.layers = {}
        x = layers["stem"] = self._stem(images)
        for stage, blocks in enumerate(design.blocks):
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                x = self._block(x, f"stages.{stage}.blocks.{block}", stage, stride, first=not block)
            layers[f"stages.{stage}"] = x
        x = layers["norm"] = self._norm(x, "norm")
        x = layers["head.global_pool"] = layers["pre_logits"] = global_avg_pool(x)
        if classes:
            weight = Variable("head.fc.weight", (classes, x.shape[0], 1, 1))
            matrix = Constant(weight.shape[:2], (weight,), lambda array: array[:, :, 0, 0])
            bias = plain(Variable("head.fc.bias", (classes,)))
            layers["head.fc"] = dense(x, matrix, bias)
        return layers

    def _stem(self, x: Value) -> Value:
        """Halve the image twice."""
        *before, channels = self.design.stem
        if not before:
            x = self.layers["stem.conv"] = self._conv(x, "stem.conv", channels, 7, stride=2)
        for n, width in enumerate(before, start=1):
            x = self._conv_norm(x, f"stem.conv{n}", f"stem.norm{n}", width, 3, 2 if n == 1 else 1)
        if before:
            x = self.layers["stem.conv3"] = self._conv(x, "stem.conv3", channels, 3)
        if self.design.is_standardised:
            return max_pool(pad(x, 1), 3, stride=2)  # zeros count, unlike max pooling's own padding
        return max_pool(x, 3, stride=2, padding=(1, 1))

    def _block(self, x: Value, at: str, stage: int, stride: int, *, first: bool) -> Value:
        """Normalise, convolve two or three times, add the input."""
        design = self.design
        channels, inner = design.channels[stage], design.inner[stage]
        y = self.layers[f"{at}.norm1"] = self._norm(x, f"{at}.norm1")
        if first and (design.has_bottlenecks or stride > 1 or x.shape[0] != channels):
            x = self._shortcut(y, f"{at}.downsample", channels, stride)
        if design.has_bottlenecks:
            y = self._conv_norm(y, f"{at}.conv1", f"{at}.norm2", inner, 1)
            y = self._conv_norm(y, f"{at}.conv2", f"{at}.norm3", inner, 3, stride)
            y = self._conv(y, f"{at}.conv3", channels, 1)
        else:
            y = self._conv_norm(y, f"{at}.conv1", f"{at}.norm2", inner, 3, stride)
            y = self._conv(y, f"{at}.conv2", channels, 3)
        y = self.layers[at] = add(y, x)
        return y

    def _shortcut(self, x: Value, at: str, channels: int, stride: int) -> Value:
        if self.design.has_pooled_shortcuts and stride > 1:
            x = avg_pool(x, 2, stride=2, padding="SAME")  # of an odd map, the last row alone
            stride = 1
        y = self.layers[at] = self._conv(x, f"{at}.conv", channels, 1, stride)
        return y

    def _conv_norm(
        self, x: Value, name: str, norm: str, channels: int, kernel: int, stride: int = 1
    ) -> Value:
        """Convolve, normalise, ReLU."""
        if self.design.norm == "group":
            y = self._norm(self._conv(x, name, channels, kernel, stride), norm)
        else:
            y = pytorch.conv_bn(
                x, name, norm, filters=channels, kernel=kernel, stride=stride, epsilon=EPSILON
            )
            y = relu(y)
        self.layers[norm] = y
        return y

    def _norm(self, x: Value, name: str) -> Value:
        """Normalise, ReLU."""
        if self.design.norm == "batch":
            return relu(pytorch.batch_norm(x, name, epsilon=EPSILON))
        return relu(pytorch.group_norm(x, name, groups=GROUPS, epsilon=EPSILON))

    def _conv(self, x: Value, name: str, filters: int, kernel: int, stride: int = 1) -> Value:
        if not self.design.is_standardised:
            return pytorch.conv_bias(x, name, filters, kernel, stride=stride, bias=False)
        weight = Variable(f"{name}.weight", (filters, x.shape[0], kernel, kernel))
        side = kernel // 2
        return conv(x, standardised(weight), stride=stride, padding=(side, side))


def standardised(weight: Variable) -> Constant:
    """Give each filter of a kernel a mean of 0 and a deviation of 1, computed in float64."""

    def compute(array: Array) -> Array:
        wide = array.astype(np.float64)
        axes = tuple(range(1, array.ndim))
        centred = wide - wide.mean(axes, keepdims=True)
        scaled: Array = centred / np.sqrt(wide.var(axes, keepdims=True) + KERNEL_EPSILON)
        return scaled

    return Constant(weight.shape, (weight,), compute)


def read(shapes: Shapes, card: Card) -> Bit | None:
    """Read the network off the tensors of a file.

    Only BiT has groups normalised and one convolution before the first stage; its kernels are
    standardised. Only networks with three have pooled shortcuts.

    Raises:
        NetworkError: The card says another network than the tensors.
    """
    deep = "stem.conv1.weight" in shapes
    stem = ["stem.conv1", "stem.conv2", "stem.conv3"] if deep else ["stem.conv"]
    norm: Literal["batch", "group"] = "batch" if "norm.running_mean" in shapes else "group"
    stages = [*_stages(shapes)]
    try:
        found = Bit(
            library="timm",
            size=224,
            classes=shapes.get("head.fc.weight", (0,))[0],
            stem=tuple(shapes[f"{each}.weight"][0] for each in stem),
            blocks=tuple(blocks for blocks, _, _ in stages),
            channels=tuple(channels for _, channels, _ in stages),
            inner=tuple(inner for _, _, inner in stages),
            has_bottlenecks="stages.0.blocks.0.conv3.weight" in shapes,
            norm=norm,
            is_standardised=norm == "group" and not deep,
            has_pooled_shortcuts=deep,
        )
    except (KeyError, IndexError, ValueError):
        return None
    graph = found.architecture().build(images(found.size), found.classes)
    needed = {each.name: each.shape for each in variables(graph.values())}
    others = (each for each in shapes if each.startswith("stages.") and each not in needed)
    if any(shapes.get(name) != shape for name, shape in needed.items()) or not all(
        each.endswith(".num_batches_tracked") for each in others
    ):
        return None
    title, said = found.name.removeprefix("timm/"), card.architecture
    if said in VARIANTS and said != title:
        raise NetworkError(f"the tensors are of {title}, not of {said} as is said")
    return replace(found, size=VARIANTS[title][0]) if title in VARIANTS else found


def _stages(shapes: Shapes) -> Iterator[tuple[int, int, int]]:
    """Yield each stage's blocks, its channels and those inside."""
    for stage in range(MOST_STAGES):
        at = f"stages.{stage}.blocks"
        blocks = 0
        while blocks < MOST_BLOCKS and f"{at}.{blocks}.conv1.weight" in shapes:
            blocks += 1
        if not blocks:
            return
        inner = shapes[f"{at}.0.conv1.weight"]
        last = shapes.get(f"{at}.0.conv3.weight") or shapes.get(f"{at}.0.conv2.weight")
        yield blocks, last[0] if last else 0, inner[0] if inner else 0
