"""ConvNeXt and ConvNeXt V2.

Liu et al. 2022, arXiv:2201.03545, table 9; Woo et al. 2023, arXiv:2301.00808, section 3.2, for the
response norm of V2. Names and numbers are those of torchvision/models/convnext.py,
timm/models/convnext.py, transformers' modeling_convnext.py, modeling_convnextv2.py and
modeling_dinov3_convnext.py, and facebookresearch/ConvNeXt. Image towers of CLIP are timm's with a
projection, as open_clip/timm_model.py puts it.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from penult.graph import (
    Constant,
    Value,
    Variable,
    add,
    conv,
    deviation_norm,
    gelu,
    global_avg_pool,
    layer_norm,
    plain,
    response_norm,
    to_nhwc,
    transpose,
)
from penult.graph.values import Array
from penult.images import preprocess
from penult.images.geometry import ShorterSide
from penult.images.preprocess import Transform
from penult.nets import pytorch, torchvision
from penult.nets.convnext_names import NAMES, Dialect
from penult.nets.convnext_published import TIMM
from penult.nets.spec import Architecture, Layers
from penult.nets.transformer import ACTIVATIONS, Activation

SOURCES = {
    "timm": "https://github.com/huggingface/pytorch-image-models/blob/main/timm/models/convnext.py",
    "torchvision": "https://github.com/pytorch/vision/blob/main/torchvision/models/convnext.py",
    "transformers": "https://github.com/huggingface/transformers/tree/main/src/transformers/models",
    "open_clip": "https://github.com/mlfoundations/open_clip/blob/main/src/open_clip/timm_model.py",
}


@dataclass(frozen=True, slots=True)
class ConvNeXt:
    """All that decides a ConvNeXt's graph.

    Attributes:
        library: Whose names its layers have.
        name: What the library calls it, or one like it.
        dialect: How its tensors are named.
        base: What stands before them.
        size: Pixels of the square input that it was trained with.
        classes: Of the classifier; 0 without one.
        patch: Pixels of a patch's side, where the stem is of patches; else 0.
        stem: Channels of its convolutions: one of patches, or two of 3×3.
        has_stem_activation: Whether something is between these two.
        depths: Blocks of each stage.
        widths: Channels of each stage.
        hidden: Channels inside the blocks of each stage.
        kernels: Sides of the depthwise convolutions of each stage.
        norm: What normalises; `deviation` doesn't subtract the mean.
        activation: Of the blocks and the stem.
        epsilon: Of all norms but the last.
        last_epsilon: Of the last.
        has_scale: Whether branches are scaled a channel.
        has_response_norm: Whether a block has V2's norm.
        is_convolutional: Whether the blocks' dense layers are stored as 1×1 convolutions.
        last_norm: What is normalised last, the map or the average of it; `plain` is the average's
            without factors and bias, of files that have none.
        head: Channels of a dense layer before the classifier; 0 without one.
        projection: What projects CLIP's features: one dense layer, or two.
        projected: To so many channels.
        has_projection_bias: Whether the last of them has one.
    """

    library: Literal["torchvision", "timm", "transformers", "open_clip"]
    name: str
    dialect: Dialect
    base: Literal["", "visual.trunk."]
    size: int
    classes: int
    patch: int
    stem: tuple[int, ...]
    has_stem_activation: bool
    depths: tuple[int, ...]
    widths: tuple[int, ...]
    hidden: tuple[int, ...]
    kernels: tuple[int, ...]
    norm: Literal["layer", "deviation"]
    activation: Activation
    epsilon: float
    last_epsilon: float
    has_scale: bool
    has_response_norm: bool
    is_convolutional: bool
    last_norm: Literal["map", "vector", "plain"]
    head: int
    projection: Literal["", "linear", "mlp"]
    projected: int
    has_projection_bias: bool

    def __post_init__(self) -> None:
        numbers = (self.depths, self.widths, self.hidden, self.kernels)
        if not (
            0 < len(self.depths) <= 8
            and {len(each) for each in numbers} == {len(self.depths)}
            and min(min(each) for each in (*numbers, self.stem)) > 0
            and sum(self.depths) <= 1000
            and len(self.stem) == (1 if self.patch else 2)
            and self.stem[-1] == self.widths[0]
            and min(self.patch, self.head, self.projected, self.classes) >= 0
            and bool(self.projection) == bool(self.projected)
            and (self.norm == "layer" or min(self.widths) > 1)
        ):
            raise ValueError("that can't be a ConvNeXt")

    @property
    def embedding(self) -> str:
        """The layer that the library's users take for the features."""
        return "image_features" if self.projection else NAMES[self.dialect].embedding

    def architecture(self) -> Architecture:
        """Say how it is built."""
        names = NAMES[self.dialect]
        return Architecture(
            build=_Builder(self).build,
            embedding=self.embedding,
            logits=names.classifier_layer if self.classes else None,
            classifier=f"{names.classifier}.weight" if self.classes else None,
            paper="https://arxiv.org/abs/"
            + ("2301.00808" if self.has_response_norm else "2201.03545"),
            source=SOURCES[self.library],
        )

    def preprocess(self, size: int) -> Transform:
        """As the library takes it where no file says another."""
        name = self.name.partition("/")[2]
        match self.library:
            case "torchvision":
                return torchvision.preprocess_as_published(self.name, size)
            case "open_clip":
                return preprocess.shorter_side(size, 1, "bicubic", preprocess.CLIP)
            case "transformers":
                return self._transformers(size)
        share, normalisation = TIMM[name][1:] if name in TIMM else (0.875, preprocess.IMAGENET)
        if not share:
            return preprocess.squashed(size, "bicubic", normalisation)
        return preprocess.shorter_side(size, share, "bicubic", normalisation)

    def _transformers(self, size: int) -> Transform:
        """As ConvNextImageProcessor and DINOv3ViTImageProcessor do."""
        if self.dialect == "dinov3":
            return preprocess.squashed(size, "float_bilinear", preprocess.IMAGENET)
        if size >= 384:
            return preprocess.squashed(size, "bicubic", preprocess.IMAGENET)
        geometry = ShorterSide(size, int(size / 0.875), "bicubic", longer="down", corner="down")
        return Transform(geometry, preprocess.IMAGENET)


class _Builder:
    """Builds the graph of one design."""

    def __init__(self, design: ConvNeXt) -> None:
        self.design = design
        self.names = NAMES[design.dialect]

    def build(self, images: Value, classes: int) -> Layers:
        """Stem, stages, then the average of the map, normalised."""
        design, names = self.design, self.names
        layers: Layers = {}
        x = layers[self._full(names.stem_layer)] = self._stem(images)
        for stage, depth in enumerate(design.depths):
            if stage:
                name = self._full(names.halving_layer, stage)
                x = layers[name] = self._halve(x, stage)
            for block in range(depth):
                x = self._block(x, stage, block)
                layers[self._full(names.block_layer, stage, block)] = x
            layers[self._full(names.stage_layer, stage)] = x
        vector = layers[design.embedding] = self._head(x, layers)
        if classes and design.classes:
            layers[names.classifier_layer] = pytorch.linear(vector, names.classifier, classes)
        return layers

    def _stem(self, images: Value) -> Value:
        design, names = self.design, self.names
        if design.patch:
            patches, norm = map(self._full, names.stem)
            x = pytorch.conv_bias(
                images,
                patches,
                design.widths[0],
                design.patch,
                stride=design.patch,
                padding="VALID",
            )
            return self._norm_map(x, norm)
        middle, filters = design.stem
        second = 2 if design.has_stem_activation else 1
        x = pytorch.conv_bias(images, self._full("stem.0"), middle, 3, stride=2)
        if design.has_stem_activation:
            x = ACTIVATIONS[design.activation](x)
        x = pytorch.conv_bias(x, self._full(f"stem.{second}"), filters, 3, stride=2)
        return self._norm_map(x, self._full(f"stem.{second + 1}"))

    def _halve(self, x: Value, stage: int) -> Value:
        norm, halving = (self._full(name, stage) for name in self.names.halving)
        width = self.design.widths[stage]
        return pytorch.conv_bias(
            self._norm_map(x, norm), halving, width, 2, stride=2, padding="VALID"
        )

    def _block(self, x: Value, stage: int, block: int) -> Value:
        """A depthwise convolution, then two dense layers on each place.

        These are 1×1 convolutions here, which take ONNX Runtime 0.92 of the time of products.
        """
        design, names = self.design, self.names
        at = self._full(names.block, stage, block)
        width, hidden, kernel = (
            numbers[stage] for numbers in (design.widths, design.hidden, design.kernels)
        )
        y = pytorch.conv_bias(x, f"{at}.{names.depthwise}", width, kernel, groups=width)
        y = self._norm_map(y, f"{at}.{names.norm}")
        y = conv(y, *self._dense(f"{at}.{names.fc1}", width, hidden))
        y = ACTIVATIONS[design.activation](y)
        if design.has_response_norm:
            y = response_norm(y, *(self._factors(f"{at}.{n}", hidden) for n in names.response))
        scale = f"{at}.{names.scale}" if design.has_scale else ""
        return add(x, conv(y, *self._dense(f"{at}.{names.fc2}", hidden, width, scale)))

    def _dense(
        self, name: str, inputs: int, outputs: int, scale: str = ""
    ) -> tuple[Constant, Constant]:
        """Make kernel and bias, multiplied with the scale of each output where there is one."""
        design = self.design
        kernel = Variable(
            f"{name}.weight", (outputs, inputs, *((1, 1) if design.is_convolutional else ()))
        )
        bias = Variable(f"{name}.bias", (outputs,))
        shape = (outputs, inputs, 1, 1)
        if not scale:
            return Constant(shape, (kernel,), lambda array: array), plain(bias)
        places = (1, 1) if design.dialect == "torchvision" else ()
        factors = Variable(scale, (outputs, *places))

        def scaled(array: Array, factors: Array) -> Array:
            products: Array = array.reshape(outputs, -1) * factors.reshape(-1, 1).astype(np.float64)
            return products

        return (
            Constant(shape, (kernel, factors), scaled),
            Constant((outputs,), (bias, factors), scaled),
        )

    def _factors(self, name: str, channels: int) -> Constant:
        """Make factors or bias of the response norm, which most store with axes of 1 before."""
        before = () if self.design.dialect == "timm" else (1, 1, 1)
        variable = Variable(name, (*before, channels))
        return Constant((channels, 1, 1), (variable,), lambda array: array)

    def _head(self, x: Value, layers: Layers) -> Value:
        """Make the features of the last map."""
        design, names = self.design, self.names
        if design.last_norm == "map":
            x = layers[self._full("norm_pre")] = self._norm_map(x, self._full("norm_pre"))
            return global_avg_pool(x)
        vector = global_avg_pool(x)
        if design.library == "torchvision":
            layers["avgpool"] = vector
        if design.last_norm == "plain":
            vector = layer_norm(vector, *self._plain(), epsilon=design.last_epsilon)
        else:
            vector = self._norm(vector, self._full(names.last_norm), design.last_epsilon)
        if names.norm_layer:
            layers[self._full(names.norm_layer)] = vector
        if design.head:
            vector = gelu(pytorch.linear(vector, "head.pre_logits.fc", design.head))
        return self._project(vector)

    def _plain(self) -> tuple[Constant, Constant]:
        shape = self.design.widths[-1:]
        return (
            Constant(shape, (), lambda: np.ones(shape)),
            Constant(shape, (), lambda: np.zeros(shape)),
        )

    def _project(self, vector: Value) -> Value:
        """CLIP's projection of the features, where there is one."""
        outputs, bias = self.design.projected, self.design.has_projection_bias
        match self.design.projection:
            case "linear":
                return pytorch.linear(vector, "visual.head.proj", outputs, bias=bias)
            case "mlp":
                wide = gelu(pytorch.linear(vector, "visual.head.mlp.fc1", 2 * outputs))
                return pytorch.linear(wide, "visual.head.mlp.fc2", outputs, bias=bias)
        return vector

    def _norm_map(self, x: Value, name: str) -> Value:
        return transpose(self._norm(to_nhwc(x), name, self.design.epsilon), "NCHW")

    def _norm(self, x: Value, name: str, epsilon: float) -> Value:
        if self.design.norm == "layer":
            return pytorch.layer_norm(x, name, epsilon=epsilon)
        scale = plain(Variable(f"{name}.weight", x.shape[-1:]))
        return deviation_norm(x, scale, epsilon=epsilon)

    def _full(self, name: str, stage: int = 0, block: int = 0) -> str:
        places = {"i": stage, "j": block, "even": 2 * stage, "odd": 2 * stage + 1}
        return self.design.base + name.format(**places)
