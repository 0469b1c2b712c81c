"""Vision Transformers. Dosovitskiy et al. 2020, arXiv:2010.11929, table 1.

And what was made of them: DeiT (arXiv:2012.12877), DINO (2104.14294), MAE (2111.06377), CLIP
(2103.00020), DINOv2 (2304.07193) and with registers (2309.16588), SigLIP (2303.15343) and SigLIP 2
(2502.14786), DINOv3 (2508.10104).

Tensors and layers have the names of the library that published the file: timm's
vision_transformer.py and eva.py, torchvision's vision_transformer.py, transformers' modeling_vit,
_dinov2, _dinov3_vit, _clip and _siglip, open_clip's transformer.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from penult.graph import (
    Constant,
    Value,
    Variable,
    add,
    attention,
    dense,
    first_token,
    gelu,
    gelu_tanh,
    global_avg_pool,
    multiply,
    plain,
    prepend,
    quick_gelu,
    rotate,
    silu,
    slice_channels,
    slice_tokens,
    tanh,
    to_tokens,
    transpose,
)
from penult.graph.values import Array
from penult.images import preprocess
from penult.images.preprocess import Transform
from penult.nets import pytorch
from penult.nets.positions import Resampling, resample, rotary_angles
from penult.nets.spec import Architecture, Layers
from penult.nets.vision_transformer_names import NAMES, Dialect

Activation = Literal["gelu", "gelu_tanh", "quick_gelu", "silu"]
ACTIVATIONS: Mapping[str, Callable[[Value], Value]] = {
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "quick_gelu": quick_gelu,
    "silu": silu,
}


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
        pool: What becomes the features: the class token (two are averaged), the average of the
            patches, or `map`, an attention's answer to one learned query.
        has_fc_norm: Whether the pooled vector is normalised rather than the tokens.
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
    pool: Literal["token", "avg", "map"]
    has_fc_norm: bool
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
        if self.pool == "map":
            return preprocess.squashed(size, "bicubic", preprocess.HALF)
        if self.has_projection or self.has_norm_pre:
            return preprocess.shorter_side(size, 1, "bicubic", preprocess.CLIP)
        if self.has_layer_scale or self.class_tokens == 2 or self.library == "torchvision":
            return preprocess.shorter_side(size, 7 / 8, "bicubic", preprocess.IMAGENET)
        return preprocess.squashed(size, "bilinear", preprocess.HALF)


SOURCES = {
    "timm": "https://github.com/huggingface/pytorch-image-models/blob/main/timm/models/vision_transformer.py",
    "torchvision": "https://github.com/pytorch/vision/blob/main/torchvision/models/vision_transformer.py",
    "transformers": "https://github.com/huggingface/transformers/tree/main/src/transformers/models",
    "open_clip": "https://github.com/mlfoundations/open_clip/blob/main/src/open_clip/transformer.py",
}
EMBEDDINGS = {"timm": "pre_logits", "torchvision": "getitem_5"}


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

    def build(self, images: Value, classes: int) -> Layers:
        """Patches to tokens, the blocks, then one vector of all."""
        design = self.design
        layers = self.layers = {}
        x = self._tokens(images)
        for index in range(design.depth):
            x = layers[self._block(index)] = self._transform(x, self._block(index))
        if design.dialect == "clip" and design.pool == "token":
            x = slice_tokens(x, 0, 1)  # transformers normalises no other
        if not design.has_fc_norm:
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
            self._angles()
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

    def _angles(self) -> None:
        design, grid = self.design, self.grid
        head = design.width // design.heads

        def table(function: Callable[[Array], Array]) -> Constant:
            def compute() -> Array:
                angles = np.zeros((design.prefix + grid**2, head // 2), np.float32)
                angles[design.prefix :] = rotary_angles(grid, head, 100.0)
                return function(angles)

            return Constant((design.prefix + grid**2, head // 2), (), compute)

        self.cosines, self.sines = table(np.cos), table(np.sin)

    def _transform(self, x: Value, block: str) -> Value:
        """Attend, then transform each token: each branch is added to what came in."""
        names = self.names
        y = self._attend(self._norm(x, f"{block}.{names.norm1}", full=True), block)
        x = add(x, self._scale(y, block, 0))
        y = self._mlp(self._norm(x, f"{block}.{names.norm2}", full=True), block)
        return add(x, self._scale(y, block, 1))

    def _attend(self, x: Value, block: str) -> Value:
        design, names = self.design, self.names
        q, k, v = (self._part(x, block, index) for index in range(3))
        if design.placed < 0:
            q, k = (rotate(each, self.cosines, self.sines, heads=design.heads) for each in (q, k))
        y = attention(q, k, v, heads=design.heads)
        y = pytorch.linear(y, f"{block}.{names.out}", design.width)
        self.layers[f"{block}.{names.attention}"] = y
        return y

    def _part(self, x: Value, block: str, index: int) -> Value:
        """Make queries, keys or values of tokens."""
        width, packed = self.design.width, len(self.names.qkv) == 1
        name = f"{block}.{self.names.qkv[0 if packed else index]}"
        has_bias = "qkv"[index] in self.design.biases
        if not packed:
            return pytorch.linear(x, name.removesuffix(".{}"), width, bias=has_bias)
        start, stop = index * width, (index + 1) * width
        kernel = pytorch.rows(Variable(name.format("weight"), (3 * width, width)), start, stop)
        if not has_bias:
            return dense(x, kernel)
        if self.design.biases == "qkv":
            bias = pytorch.rows(Variable(name.format("bias"), (3 * width,)), start, stop)
        else:
            bias = plain(Variable(f"{block}.attn.{'qkv'[index]}_bias", (width,)))
        return dense(x, kernel, bias)

    def _mlp(self, x: Value, block: str) -> Value:
        design, names = self.design, self.names
        act = ACTIVATIONS[design.activation]
        fc1, fc2, hidden = f"{block}.{names.fc1}", f"{block}.{names.fc2}", design.hidden
        match design.mlp:
            case "plain":
                y = act(pytorch.linear(x, fc1, hidden))
            case "packed":
                fc1, fc2 = self._packed_names(block)
                both = pytorch.linear(x, fc1, 2 * hidden)
                gate, y = (slice_channels(both, at, at + hidden) for at in (0, hidden))
                y = multiply(act(gate), y)
            case "split":
                values = fc1 if design.dialect == "dinov3" else f"{fc1}_x"
                gate = act(pytorch.linear(x, f"{block}.{names.gate}", hidden))
                y = multiply(gate, pytorch.linear(x, values, hidden))
        y = pytorch.linear(y, fc2, design.width)
        if names.mlp:
            self.layers[f"{block}.{names.mlp}"] = y
        return y

    def _packed_names(self, block: str) -> tuple[str, str]:
        if self.design.dialect == "dinov2":
            return f"{block}.mlp.weights_in", f"{block}.mlp.weights_out"
        return f"{block}.{self.names.fc1}", f"{block}.{self.names.fc2}"

    def _scale(self, y: Value, block: str, branch: int) -> Value:
        if not self.design.has_layer_scale:
            return y
        name = self.names.scales[branch + (2 if self.design.placed < 0 and self.is_timm else 0)]
        return multiply(y, plain(Variable(f"{block}.{name}", (self.design.width,))))

    @property
    def is_timm(self) -> bool:
        """Whether the names are timm's."""
        return self.design.dialect == "timm"

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
            case "map":
                vector = self._answer(x)
        if design.has_fc_norm:
            vector = self._norm(vector, "fc_norm")
        if design.has_pooler:
            vector = tanh(pytorch.linear(vector, self._full("pooler.dense"), design.width))
        if design.projection:
            self.layers["pooler_output"] = vector
            vector = self._project(vector)
        return vector

    def _answer(self, x: Value) -> Value:
        """Attention with one learned query, and an MLP (SigLIP; arXiv:2106.04560, section 3.4)."""
        design, width = self.design, self.design.width
        if self.is_timm:
            pool, latent = self._full("attn_pool"), "latent"
            inner, out, norm = f"{pool}.", f"{pool}.proj", f"{pool}.norm"
            kv = Variable(f"{inner}kv.weight", (2 * width, width))
            kv_bias = Variable(f"{inner}kv.bias", (2 * width,))
            parts = [(kv, kv_bias, 0), (kv, kv_bias, width)]
            query = _query(f"{pool}.{latent}", f"{inner}q", width)
        else:
            pool, latent = self._full("head"), "probe"
            inner, out, norm = (
                f"{pool}.attention.",
                f"{pool}.attention.out_proj",
                f"{pool}.layernorm",
            )
            packed = Variable(f"{inner}in_proj_weight", (3 * width, width))
            packed_bias = Variable(f"{inner}in_proj_bias", (3 * width,))
            parts = [(packed, packed_bias, width), (packed, packed_bias, 2 * width)]
            query = _packed_query(f"{pool}.{latent}", packed, packed_bias, width)
        k, v = (
            dense(x, pytorch.rows(kernel, at, at + width), pytorch.rows(bias, at, at + width))
            for kernel, bias, at in parts
        )
        q = add(multiply(slice_tokens(x, 0, 1), _ZERO), query)  # one for each image
        y = pytorch.linear(attention(q, k, v, heads=design.heads), out, width)
        z = pytorch.layer_norm(y, norm, epsilon=design.epsilon)
        z = ACTIVATIONS[design.activation](pytorch.linear(z, f"{pool}.mlp.fc1", design.hidden))
        y = add(y, pytorch.linear(z, f"{pool}.mlp.fc2", width))
        vector = self.layers[pool] = first_token(y)
        return vector

    def _project(self, vector: Value) -> Value:
        """CLIP's projection, which open_clip stores turned round."""
        inputs, outputs = self.design.width, self.design.projection
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

    def _block(self, index: int) -> str:
        return self._full(self.names.blocks.format(index))

    def _full(self, name: str) -> str:
        return f"{self.design.base}{name}"

    def _norm(self, x: Value, name: str, *, full: bool = False) -> Value:
        return pytorch.layer_norm(
            x, name if full else self._full(name), epsilon=self.design.epsilon
        )


def _average(tokens: Value) -> Value:
    return global_avg_pool(transpose(tokens, "NCL"))


def _query(latent: str, name: str, width: int) -> Constant:
    """A learned token, through its dense layer: the same for all images."""
    variables = (
        Variable(latent, (1, 1, width)),
        Variable(f"{name}.weight", (width, width)),
        Variable(f"{name}.bias", (width,)),
    )
    return Constant((1, width), variables, lambda x, kernel, bias: x[0] @ kernel.T + bias)


def _packed_query(latent: str, packed: Variable, bias: Variable, width: int) -> Constant:
    variables = (Variable(latent, (1, 1, width)), packed, bias)
    return Constant((1, width), variables, lambda x, kernel, b: x[0] @ kernel[:width].T + b[:width])


_ZERO = Constant((), (), lambda: np.zeros(()))
_HALF = Constant((), (), lambda: np.array(0.5))
