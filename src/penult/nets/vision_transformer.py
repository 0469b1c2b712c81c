"""Vision Transformers. Dosovitskiy et al. 2020, arXiv:2010.11929, table 1.

And what was made of them: DeiT (arXiv:2012.12877), DINO (2104.14294), MAE (2111.06377), CLIP
(2103.00020), DINOv2 (2304.07193) and with registers (2309.16588), SigLIP (2303.15343) and SigLIP 2
(2502.14786), DINOv3 (2508.10104).

Tensors and layers have the names of the library that published the file: timm's
vision_transformer.py and eva.py, torchvision's vision_transformer.py, transformers' modeling_vit,
_dinov2, _dinov3_vit, _clip and _siglip, open_clip's transformer.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from penult.graph import (
    Constant,
    Value,
    Variable,
    add,
    dense,
    first_token,
    global_avg_pool,
    multiply,
    normalize,
    prepend,
    slice_tokens,
    tanh,
    to_tokens,
    transpose,
)
from penult.graph.values import Array
from penult.images import preprocess
from penult.images.preprocess import Transform
from penult.nets import attention_pooling, pytorch
from penult.nets.positions import Resampling, resample, rotary_angles
from penult.nets.spec import Architecture, Layers
from penult.nets.transformer import ACTIVATIONS, Activation, Encoder, Rotation
from penult.nets.vision_transformer_names import NAMES, Dialect


@dataclass(frozen=True, slots=True)
class VisionTransformer:
    """A Vision Transformer of any of these libraries.

    Attributes:
        library: Whose names its tensors and layers have.
        name: What it is called.
        dialect: Which of that library's spellings they are in.
        base: What stands before all of them but the classifier's.
        width: Channels of a token.
        depth: Blocks.
        heads: Of each attention.
        hidden: Channels inside the MLPs.
        mlp: `plain`; with a gate, `packed` before the values in one layer or `split` from them.
        activation: Of the MLPs, or of their gates.
        epsilon: Of all layer norms.
        patch: Pixels of a patch's side.
        grid: Patches of the image's side that the table of positions was trained for.
        class_tokens: 0, 1, or 2 with DeiT's distillation token.
        registers: Tokens between these and the patches.
        placed: How many of the tokens before the patches have positions; -1 if they are rotary.
        resampling: How the table becomes one for another size.
        biases: Which of q, k and v have one.
        has_patch_bias: Whether the patches' convolution has one.
        has_norm_pre: Whether tokens are normalised before the first block.
        has_layer_scale: Whether branches are scaled a channel.
        pool: What becomes the features: the class token (timm averages two), the average of the
            patches, or an attention's answer to a learned query: `map` as SigLIP has it, `queries`
            as CoCa.
        pooled: Channels of that.
        norm: What is normalised last, the tokens or the vector that is made of them.
        has_pooler: Whether a dense layer and tanh follow.
        projection: Channels of CLIP's projection; 0 without one.
        classes: Of the classifier; 0 without one.
        size: Pixels of the square input that it was trained with.
    """

    library: str
    name: str
    dialect: Dialect
    base: str
    width: int
    depth: int
    heads: int
    hidden: int
    mlp: Literal["plain", "packed", "split"]
    activation: Activation
    epsilon: float
    patch: int
    grid: int
    class_tokens: int
    registers: int
    placed: int
    resampling: Resampling
    biases: Literal["qkv", "qv", ""]
    has_patch_bias: bool
    has_norm_pre: bool
    has_layer_scale: bool
    pool: Literal["token", "avg", "map", "queries"]
    pooled: int
    norm: Literal["tokens", "vector"]
    has_pooler: bool
    projection: int
    classes: int
    size: int

    @property
    def prefix(self) -> int:
        """How many tokens stand before those of the patches."""
        return self.class_tokens + self.registers

    @property
    def classifiers(self) -> tuple[str, ...]:
        """The classifier's layer, or one for each of two class tokens."""
        names = NAMES[self.dialect]
        return names.heads if self.class_tokens == 2 else (names.head,)

    @property
    def has_projection(self) -> bool:
        """Whether its features are compared with those of a text."""
        return self.dialect in {"clip", "open_clip"} or self.base == "visual.trunk."

    def architecture(self) -> Architecture:
        """Say how it is built."""
        heads = self.classifiers
        logits = "logits" if self.class_tokens == 2 else heads[0]
        return Architecture(
            build=_Builder(self).build,
            embedding=embedding_name(self),
            logits=logits if self.classes else None,
            classifier=f"{heads[0]}.weight" if self.classes else None,
            paper="https://arxiv.org/abs/2010.11929",
            source=SOURCES[self.library],
            prefix_tokens=self.prefix,
        )

    def preprocess(self, size: int) -> Transform:
        """As most networks of the kind take it: mean and deviation of CLIP, ImageNet or 1/2."""
        if self.dialect == "facebook_rotary":
            return preprocess.squashed(size, "torch_bilinear", preprocess.IMAGENET)
        if self.pool == "map":
            return preprocess.squashed(size, "bicubic", preprocess.HALF)
        if self.has_projection or self.has_norm_pre:
            return preprocess.shorter_side(size, 1, "bicubic", preprocess.CLIP)
        if self.has_layer_scale or self.class_tokens == 2 or self.library == "torchvision":
            is_whole = self.library == "timm" and (self.patch == 14 or self.placed < 0)  # DINO's
            share = 1 if is_whole else 7 / 8
            return preprocess.shorter_side(size, share, "bicubic", preprocess.IMAGENET)
        return preprocess.squashed(size, "bilinear", preprocess.HALF)


SOURCES = {
    "facebook": "https://github.com/facebookresearch/dinov2/blob/main/dinov2/models/vision_transformer.py",
    "timm": "https://github.com/huggingface/pytorch-image-models/blob/main/timm/models/vision_transformer.py",
    "torchvision": "https://github.com/pytorch/vision/blob/main/torchvision/models/vision_transformer.py",
    "transformers": "https://github.com/huggingface/transformers/tree/main/src/transformers/models",
    "open_clip": "https://github.com/mlfoundations/open_clip/blob/main/src/open_clip/transformer.py",
}
EMBEDDINGS = {"timm": "pre_logits", "torchvision": "getitem_5", "facebook": "x_norm_clstoken"}


def embedding_name(design: VisionTransformer) -> str:
    """Name the layer that the library's users take for the features."""
    if design.has_projection:
        return "image_features"
    pooled = design.has_pooler or design.dialect in {"dinov2", "dinov3"}
    return EMBEDDINGS.get(design.library, "pooler_output" if pooled else "class_token")


class _Builder:
    """Builds the graph of one design, at the size of its input."""

    def __init__(self, design: VisionTransformer) -> None:
        self.design = design
        self.names = NAMES[design.dialect]
        self.layers: Layers = {}
        self.rotation: Rotation | None = None
        self.encoder = Encoder(
            names=self.names.block,
            base=design.base,
            width=design.width,
            heads=design.heads,
            hidden=design.hidden,
            mlp=design.mlp,
            activation=ACTIVATIONS[design.activation],
            epsilon=design.epsilon,
            biases=design.biases,
            has_layer_scale=design.has_layer_scale,
        )

    def build(self, images: Value, classes: int) -> Layers:
        """Patches to tokens, the blocks, then one vector of all."""
        design = self.design
        layers = self.layers = {}
        x = self._tokens(images)
        for index in range(design.depth):
            x = self.encoder.block(x, index, layers, self.rotation)
        if design.norm == "tokens":
            x = layers[self._full(self.names.norm)] = self._norm(x, self.names.norm)
        vector = layers[embedding_name(design)] = self._features(x)
        if classes and design.classes:
            self._classify(x, vector, classes)
        return layers

    def _tokens(self, images: Value) -> Value:
        """Cut into patches, put class tokens and registers before them, add the positions."""
        design = self.design
        patches = pytorch.conv_bias(
            images,
            self._full(self.names.patches),
            design.width,
            design.patch,
            stride=design.patch,
            padding="VALID",
            bias=design.has_patch_bias,
        )
        self.layers[self._full(self.names.patches)] = patches
        self.grid = patches.shape[1]
        x = to_tokens(patches)
        if design.prefix:
            x = prepend(x, design.prefix)
        if design.prefix or design.placed >= 0:
            x = add(x, self._table())
        if design.placed < 0:
            self.rotation = self._rotation()
        if design.has_norm_pre:
            x = self.layers[self._full(self.names.norm_pre)] = self._norm(x, self.names.norm_pre)
        return x

    def _table(self) -> Constant:
        """What is added to the tokens: class token and registers themselves, and positions."""
        design, names, grid = self.design, self.names, self.grid
        ones, width = names.ones, design.width
        parts = [names.class_token, names.distilled][: design.class_tokens]
        variables = [Variable(self._full(each), (*ones, width)) for each in parts]
        if design.registers:
            shape = (*ones[:1], design.registers, width)
            variables.append(Variable(self._full(names.registers), shape))
        if design.placed >= 0:
            rows = design.placed + design.grid**2
            variables.append(Variable(self._full(names.positions), (*ones[1:], rows, width)))

        def compute(*arrays: Array) -> Array:
            rows = [array.reshape(-1, width) for array in arrays]
            table = np.zeros((design.prefix + grid**2, width), np.float32)
            if design.placed >= 0:
                places = rows.pop()
                table[: design.placed] = places[: design.placed]
                table[design.prefix :] = resample(places[design.placed :], grid, design.resampling)
            if rows:
                table[: design.prefix] += np.concatenate(rows)
            return table

        return Constant((design.prefix + grid**2, width), tuple(variables), compute)

    def _rotation(self) -> Rotation:
        """The angles by which places turn queries and keys."""
        design, grid = self.design, self.grid
        head = design.width // design.heads

        def table(function: Callable[[Array], Array]) -> Constant:
            def compute() -> Array:
                angles = np.zeros((design.prefix + grid**2, head // 2), np.float32)
                angles[design.prefix :] = rotary_angles(grid, head, 100.0)
                return function(angles)

            return Constant((design.prefix + grid**2, head // 2), (), compute)

        return table(np.cos), table(np.sin)

    @property
    def is_timm(self) -> bool:
        """Whether the names are timm's."""
        return self.design.dialect in {"timm", "timm_rotary"}

    def _features(self, x: Value) -> Value:
        """Make one vector of the tokens, as the library does."""
        design = self.design
        match design.pool:
            case "token" if design.class_tokens == 2 and self.is_timm:
                vector = _average(slice_tokens(x, 0, 2))
            case "token":
                vector = first_token(x)
            case "avg":
                vector = _average(slice_tokens(x, design.prefix, x.shape[0]))
            case "map" | "queries":
                vector = self._answer(x)
        if design.norm == "vector":
            norm = "fc_norm" if self.is_timm else self.names.norm
            vector = self.layers[self._full(norm)] = self._norm(vector, norm)
        if design.has_pooler:
            vector = tanh(pytorch.linear(vector, self._full("pooler.dense"), design.width))
        if design.projection:
            self.layers["pooler_output"] = vector
            vector = self._project(vector)
        if design.pool == "queries":
            vector = normalize(vector)  # as CoCa's encode_image does by default
        return vector

    def _answer(self, x: Value) -> Value:
        """Let a learned query ask the tokens."""
        design = self.design
        if design.pool == "queries":
            pool = self._full("attn_pool")
            return attention_pooling.coca(x, pool, design.pooled, epsilon=design.epsilon)
        packing: attention_pooling.Packing = "kv" if self.is_timm else "qkv"
        pool = self._full("attn_pool" if self.is_timm else "head")
        vector = self.layers[pool] = attention_pooling.siglip(
            x,
            pool,
            packing,
            heads=design.heads,
            hidden=design.hidden,
            activation=ACTIVATIONS[design.activation],
            epsilon=design.epsilon,
        )
        return vector

    def _project(self, vector: Value) -> Value:
        """CLIP's projection, which open_clip stores turned round."""
        inputs, outputs = self.design.pooled, self.design.projection
        match self.design.dialect:
            case "open_clip":
                kernel = Variable(self._full("proj"), (inputs, outputs))
                return dense(vector, Constant((outputs, inputs), (kernel,), lambda array: array.T))
            case "clip":
                return pytorch.linear(vector, "visual_projection", outputs, bias=False)
        return pytorch.linear(vector, "visual.head.proj", outputs, bias=False)

    def _classify(self, x: Value, vector: Value, classes: int) -> None:
        layers, heads = self.layers, self.design.classifiers
        if len(heads) == 1:
            layers[heads[0]] = pytorch.linear(vector, heads[0], classes)
            return
        for place, head in enumerate(heads):
            token = first_token(slice_tokens(x, place, place + 1))
            layers[head] = pytorch.linear(token, head, classes)
        layers["logits"] = multiply(add(*(layers[head] for head in heads)), _HALF)

    def _full(self, name: str) -> str:
        return f"{self.design.base}{name}"

    def _norm(self, x: Value, name: str) -> Value:
        return pytorch.layer_norm(x, self._full(name), epsilon=self.design.epsilon)


def _average(tokens: Value) -> Value:
    return global_avg_pool(transpose(tokens, "NCL"))


_HALF = Constant((), (), lambda: np.array(0.5))
