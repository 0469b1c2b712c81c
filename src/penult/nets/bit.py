"""Big Transfer (BiT), and timm's other pre-activation ResNets.

Kolesnikov et al. 2019, arXiv:1912.11370, section 2: the pre-activation ResNet of He et al. 2016,
arXiv:1603.05027, with groups of channels normalised (arXiv:1803.08494) and kernels standardised
(arXiv:1903.10520). timm's own networks of the kind keep batch norm, some with the stem and the
shortcuts of arXiv:1812.01187. Names and numbers are those of timm/models/resnetv2.py, of
transformers/models/bit/modeling_bit.py, and of Google's own files in NumPy's format.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from penult.graph import (
    Constant,
    Value,
    Variable,
    add,
    avg_pool,
    conv,
    dense,
    global_avg_pool,
    group_norm,
    max_pool,
    pad,
    plain,
    relu,
)
from penult.graph.values import Array
from penult.images import preprocess
from penult.images.preprocess import Transform
from penult.images.resampling import Kernel
from penult.nets import pytorch
from penult.nets.bit_names import NAMES, Library
from penult.nets.spec import Architecture, Layers

EPSILON = 1e-5
GROUPS = 32
MOST_BLOCKS = 256  # of a stage; published ones have up to 36


@dataclass(frozen=True, slots=True)
class Bit:
    """All that decides the graph of a pre-activation ResNet.

    Attributes:
        library: Whose names its tensors and layers have.
        prefix: What stands before those of transformers but the classifier's.
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

    library: Library
    prefix: Literal["", "bit."]
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
        """What the library calls it, or one like it: `timm/resnetv2_50x1_bit`."""
        return f"{self.library}/{self.title}"

    @property
    def title(self) -> str:
        """Its name without the library's."""
        depth = (3 if self.has_bottlenecks else 2) * sum(self.blocks) + 2
        if self.is_standardised:
            return f"resnetv2_{depth}x{self.stem[-1] // 64}_bit"
        letter = ("d" if self.stem[0] == self.stem[1] else "t") if len(self.stem) == 3 else ""
        return f"resnetv2_{depth}{letter}{'_gn' if self.norm == 'group' else ''}"

    def architecture(self) -> Architecture:
        """Say how it is built."""
        names = NAMES[self.library]
        return Architecture(
            build=_Builder(self).build,
            embedding=names.pooled[-1],
            logits=names.logits if self.classes else None,
            classifier=f"{names.head}{names.bias}" if self.classes else None,
            paper="https://arxiv.org/abs/1912.11370",
            source=names.source,
        )

    def preprocess(self, size: int) -> Transform:
        """Make the preprocessing that timm takes for its first weights of the network."""
        _, share, kernel = VARIANTS.get(self.title, (224, 7 / 8, "bicubic"))
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
        self.names = NAMES[design.library]
        self.layers: Layers = {}

    def build(self, images: Value, classes: int) -> Layers:
        """Stem, stages, and after the last one the norm that each block begins with."""
        design, names, prefix = self.design, self.names, self.design.prefix
        layers = self.layers = {}
        x = layers[f"{prefix}{names.stem}"] = self._stem(images)
        for stage, blocks in enumerate(design.blocks):
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                at = names.block_of(prefix, stage, block)
                x = self._block(x, at, stage, stride, first=not block)
            layers[names.stage_of(prefix, stage)] = x
        norm, (pooled, features) = f"{prefix}{names.norm}", names.pooled
        x = layers[norm] = self._norm(x, norm)
        x = layers[f"{prefix}{pooled}"] = layers[features] = global_avg_pool(x)
        if classes:
            layers[names.logits] = self._classify(x, classes)
        return layers

    def _stem(self, x: Value) -> Value:
        """Halve the image twice."""
        *before, channels = self.design.stem
        if not before:
            x = self._conv(x, f"{self.design.prefix}{self.names.stem_conv}", channels, 7, stride=2)
        for n, width in enumerate(before, start=1):
            x = self._conv_norm(x, f"stem.conv{n}", f"stem.norm{n}", width, 3, 2 if n == 1 else 1)
        if before:
            x = self._conv(x, "stem.conv3", channels, 3)
        if self.design.is_standardised:
            return max_pool(pad(x, 1), 3, stride=2)  # zeros count, unlike max pooling's own padding
        return max_pool(x, 3, stride=2, padding=(1, 1))

    def _block(self, x: Value, at: str, stage: int, stride: int, *, first: bool) -> Value:
        """Normalise, convolve two or three times, add the input."""
        design, names = self.design, self.names
        channels, inner = design.channels[stage], design.inner[stage]
        convs, norms = ([at + each for each in kind] for kind in (names.convs, names.norms))
        y = self.layers[norms[0]] = self._norm(x, norms[0])
        if first and (design.has_bottlenecks or stride > 1 or x.shape[0] != channels):
            x = self._shortcut(y, at + names.shortcut, channels, stride)
        if design.has_bottlenecks:
            y = self._conv_norm(y, convs[0], norms[1], inner, 1)
            y = self._conv_norm(y, convs[1], norms[2], inner, 3, stride)
            y = self._conv(y, convs[2], channels, 1)
        else:
            y = self._conv_norm(y, convs[0], norms[1], inner, 3, stride)
            y = self._conv(y, convs[1], channels, 3)
        y = self.layers[at] = add(y, x)
        return y

    def _shortcut(self, x: Value, name: str, channels: int, stride: int) -> Value:
        if self.design.has_pooled_shortcuts and stride > 1:
            x = avg_pool(x, 2, stride=2, padding="SAME")  # of an odd map, the last row alone
            stride = 1
        y = self.layers[name] = self._conv(x, name, channels, 1, stride)
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
        channels = x.shape[0]
        scale, bias = (
            Constant((channels, 1, 1), (Variable(f"{name}{part}", (channels,)),), _column)
            for part in (self.names.scale, self.names.shift)
        )
        return relu(group_norm(x, scale, bias, groups=GROUPS, epsilon=EPSILON))

    def _conv(self, x: Value, name: str, filters: int, kernel: int, stride: int = 1) -> Value:
        weight = self._kernel(name, (filters, x.shape[0], kernel, kernel))
        if self.design.is_standardised:
            weight = standardised(weight, self.names.epsilon)
        side = kernel // 2
        return conv(x, weight, stride=stride, padding=(side, side))

    def _kernel(self, name: str, shape: tuple[int, ...]) -> Constant:
        filters, channels, height, width = shape
        if not self.names.is_transposed:
            return plain(Variable(f"{name}{self.names.kernel}", shape))
        stored = Variable(f"{name}{self.names.kernel}", (height, width, channels, filters))
        return Constant(shape, (stored,), lambda array: array.transpose(3, 2, 0, 1))

    def _classify(self, x: Value, classes: int) -> Value:
        """Apply the classifier, which some files store as a convolution."""
        names, channels = self.names, x.shape[0]
        bias = plain(Variable(f"{names.head}{names.bias}", (classes,)))
        if names.has_linear_head:
            return dense(
                x, plain(Variable(f"{names.head}{names.kernel}", (classes, channels))), bias
            )
        kernel = self._kernel(names.head, (classes, channels, 1, 1))
        flat = Constant(
            (classes, channels), kernel.variables, lambda array: kernel.compute(array)[:, :, 0, 0]
        )
        return dense(x, flat, bias)


def _column(array: Array) -> Array:
    return array.reshape(-1, 1, 1)


def standardised(kernel: Constant, epsilon: float) -> Constant:
    """Give each filter of a kernel a mean of 0 and a deviation of 1, computed in float64."""

    def compute(*arrays: Array) -> Array:
        wide = kernel.compute(*arrays).astype(np.float64)
        centred = wide - wide.mean((1, 2, 3), keepdims=True)
        scaled: Array = centred / np.sqrt(wide.var((1, 2, 3), keepdims=True) + epsilon)
        return scaled

    return Constant(kernel.shape, kernel.variables, compute)
