"""Networks of mobile convolutions: MobileNet V1 to V4, MNASNet, EfficientNet V1 and V2.

Howard et al. 2017, arXiv:1704.04861; Sandler et al. 2018, arXiv:1801.04381; Tan et al. 2018,
arXiv:1807.11626; Howard et al. 2019, arXiv:1905.02244; Tan & Le 2019, arXiv:1905.11946, and 2021,
arXiv:2104.00298; Qin et al. 2024, arXiv:2404.10518.

All of them are rows of one block (table 1 of arXiv:1801.04381): a convolution 1×1 expands, another
filters each channel by itself, a gate weighs the channels, a last one projects; the input is added
where shapes allow it. A row is a text in the notation of timm's _efficientnet_builder.py, with
channels in place of ratios. `mbconv_timm`, `mbconv_torchvision` and `mbconv_transformers` read
such rows off the files of these libraries; `mbconv_names` says what each calls its parts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import numpy as np

from penult.graph import (
    Constant,
    Value,
    add,
    avg_pool,
    conv,
    exact_hard_sigmoid,
    flatten,
    gelu,
    global_avg_pool,
    hard_swish,
    relu,
    relu6,
    reshape,
    sigmoid,
    silu,
)
from penult.images.geometry import Rounding, ShorterSide, SquashAndCrop
from penult.images.preprocess import HALF, IMAGENET, Transform, squashed
from penult.nets.mbconv_attention import attend, scaled
from penult.nets.mbconv_names import SCHEMES, Parts, Scheme
from penult.nets.pytorch import batch_norm, conv_bias, conv_bn, linear, squeeze_excite
from penult.nets.spec import Architecture, Layers
from penult.util.text import quoted

ACTIVATIONS = {"re": relu, "r6": relu6, "hs": hard_swish, "sw": silu, "ge": gelu}
GATES = {"sigmoid": sigmoid, "hard_sigmoid": exact_hard_sigmoid}
SCALES = {"imagenet": IMAGENET, "half": HALF}
SOURCES = {
    "timm": "https://github.com/huggingface/pytorch-image-models/tree/main/timm/models",
    "torchvision": "https://github.com/pytorch/vision/tree/main/torchvision/models",
    "transformers": "https://github.com/huggingface/transformers/tree/main/src/transformers/models/mobilenet_v2",
}
PAPERS = {  # by what is in the library's name, most particular first
    "mobilenetv1": "1704.04861",
    "mobilenetv3": "1905.02244",
    "mobilenet_v3": "1905.02244",
    "mobilenetv4": "2404.10518",
    "mobilenet": "1801.04381",
    "nasnet": "1807.11626",
    "efficientnetv2": "2104.00298",
    "efficientnet_v2": "2104.00298",
    "": "1905.11946",
}


class Block(NamedTuple):
    """A row of a network's table; its text is `ir_k3_s2_e96_c24_se4_g1_nsw_skip`.

    The kinds: `cn` convolve; `ds` filter, project; `dsa` the same, and activate; `ir` expand,
    filter, project; `er` expand and filter in one convolution, project; `uir` filter, expand,
    filter, project, filter, of which any of the three filters may be missing; `mqa` attend.
    """

    kind: str
    k: int  # the filters' kernel; of mqa, of those that halve keys and values, or 0
    s: int  # their stride
    e: int  # channels in the middle; of mqa, of a query
    c: int  # channels that come out
    se: int = 0  # channels within the gate, where there is one
    a: int = 0  # kernel of the first filters of uir
    p: int = 0  # kernel of its last ones
    g: int = 0  # channels that a filter sees, where not all
    h: int = 0  # heads of mqa
    n: str = "re"  # activation
    skip: bool = False  # whether the input is added

    def __str__(self) -> str:
        numbers = {"k": self.k, "s": self.s, "e": self.e, "c": self.c, "se": self.se}
        numbers |= {"a": self.a, "p": self.p, "g": self.g, "h": self.h}
        said = "".join(f"_{key}{number}" for key, number in numbers.items() if number)
        return f"{self.kind}{said}_n{self.n}{'_skip' * self.skip}"

    @property
    def steps(self) -> Iterator["Step"]:
        """What is done to a map, in order."""
        wide = Step("expand", 1, self.e, act=self.n)
        if self.kind == "mqa":
            return
        if self.kind == "cn":
            yield Step("full", self.k, self.c, self.g, self.s, self.n)
            return
        if self.a:
            yield Step("start", self.a, 0, 1, 1 if self.k else self.s)
        if self.kind == "er":
            yield Step("full", self.k, self.e, self.g, self.s, self.n)
        elif self.kind in {"ir", "uir"}:
            yield wide
        if self.k and self.kind != "er":
            yield Step("depth", self.k, 0, self.g, self.s, self.n)
        if self.se:
            yield Step("squeeze", 1, self.se)
        yield Step("project", 1, self.c, act=self.n if self.kind == "dsa" else "")
        if self.p:
            yield Step("end", self.p, 0, 1, 1 if self.k or self.a else self.s)


class Step(NamedTuple):
    """A convolution of a block with its batch norm, or its gate."""

    part: str
    kernel: int
    filters: int  # 0 if as many as come in
    group: int = 0  # channels that a filter sees, where not all
    stride: int = 1
    act: str = ""  # none after a projection


VAST = 1_000_000  # channels, and classes, that no network has
_TEXT = re.compile(
    r"(cn|dsa?|ir|er|uir|mqa)((?:_(?:k|s|e|c|se|a|p|g|h)[1-9]\d{0,5})+)_n(re|r6|hs|sw|ge)(_skip)?"
)
_FILTERS = {"ir": "kesc", "er": "kesc", "uir": "esc", "mqa": "esch"}  # what a kind can't be without


def block_of(text: str) -> Block:
    """Read a row.

    Raises:
        ValueError: It isn't one.
    """
    match = _TEXT.fullmatch(text)
    if match:
        kind, said, act, skip = match.groups()
        numbers = {key: int(number) for key, number in re.findall(r"_([a-z]+)(\d+)", said)}
        block = Block(kind, **{"k": 0, "e": 0, **numbers}, n=act, skip=bool(skip))
        if numbers.keys() >= set(_FILTERS.get(kind, "ksc")) and block.s <= 2:
            return block
    raise ValueError(f"a block can't be {quoted(text)}")


@dataclass(frozen=True)
class MobileConvolutions:
    """All that decides the graph of such a network.

    Attributes:
        library: Whose names it has.
        variant: The network by the library's name.
        size: Pixels of the square input.
        classes: Of the classifier; 0 if it has none.
        scheme: Which of the library's naming schemes.
        stem: The first convolution, a row; so are the others.
        blocks: A stage each, its rows with spaces between.
        head: The convolution before the pool, or an empty text.
        hidden: Channels of the convolution, or layer, after the pool; 0 if there is none.
        hidden_bias: Whether it has one.
        hidden_norm: Whether a batch norm comes after it.
        act: Activation of `hidden`.
        epsilon: Of the batch norms.
        padding: `SAME` as TensorFlow has it; `""` for half the kernel on all sides.
        gate: What turns the gates' numbers into weights.
        gate_act: The activation within the gates; empty if it is the block's.
        layer_scale: Whether `uir` and `mqa` weigh channels before the input is added.
        antialias: What halves a map after a convolution, in place of its stride.
        resize: To which shorter side images are resized, for that size.
        squash: Whether they are resized to a square instead, out of proportion.
        kernel: How.
        scale: How levels are scaled.
    """

    library: Literal["timm", "torchvision", "transformers"]
    variant: str
    size: int
    classes: int
    scheme: str
    stem: str
    blocks: tuple[str, ...]
    head: str
    hidden: int
    hidden_bias: bool
    hidden_norm: bool
    act: str
    epsilon: float
    padding: Literal["", "SAME"]
    gate: Literal["sigmoid", "hard_sigmoid"]
    gate_act: Literal["", "re"]
    layer_scale: bool
    antialias: Literal["", "avg", "blurpc"]
    resize: int
    squash: bool
    kernel: Literal["bilinear", "bicubic"]
    scale: Literal["imagenet", "half"]

    def __post_init__(self) -> None:
        """Check what types don't say.

        Raises:
            ValueError: A text isn't a row, or names nothing; or a number is absurd.
        """
        names = SCHEMES.get(self.scheme)
        if not names or (self.hidden and not names.hidden) or self.act not in ACTIVATIONS:
            raise ValueError(f"no network has the names {quoted(f'{self.scheme}, {self.act}')}")
        rows = [block_of(row) for row in " ".join(self.blocks).split(" ")]
        ends = [block_of(row) for row in (self.stem, self.head or self.stem)]
        fit = all(names.has(row.kind, gate=row.se > 0) for row in rows)
        if not fit or {row.kind for row in ends} != {"cn"}:
            raise ValueError(f"the {self.name} has a block that none can have")
        if not re.fullmatch(r"[a-z0-9_]{1,64}", self.variant):
            raise ValueError(f"no network of mobile convolutions can be {quoted(self.variant)}")
        sound = 0 < self.size <= self.resize < VAST and 0 < self.epsilon < 1
        if not (sound and 0 <= self.classes < VAST and 0 <= self.hidden < VAST):
            raise ValueError(f"the {self.name} has a number that none can have")

    @property
    def name(self) -> str:
        """What the library calls it."""
        return f"{self.library}/{self.variant}"

    @property
    def embedding(self) -> str:
        """The layer that goes into the classifier."""
        names = SCHEMES[self.scheme]
        return names.embedding if self.hidden or not names.hidden else names.pool[-1]

    def architecture(self) -> Architecture:
        """Say how it is built."""
        names = SCHEMES[self.scheme]
        paper = next(paper for part, paper in PAPERS.items() if part in self.variant)
        return Architecture(
            build=partial(mobile_convolutions, net=self),
            embedding=self.embedding,
            logits=names.logits if self.classes else None,
            classifier=f"{names.classifier}.bias" if self.classes else None,
            paper=f"https://arxiv.org/abs/{paper}",
            source=SOURCES[self.library],
        )

    def preprocess(self, size: int) -> Transform:
        """As the library prepares images for its default weights of the network."""
        whole = round if self.library == "torchvision" else int
        side, scale = whole(size * self.resize / self.size), SCALES[self.scale]
        if self.squash and side == size:
            return squashed(size, self.kernel, scale)
        corner: Rounding = "down" if self.library == "transformers" else "nearest"
        if self.squash:
            return Transform(SquashAndCrop(size, side, self.kernel, corner), scale)
        return Transform(ShorterSide(size, side, self.kernel, "down", corner), scale)


def mobile_convolutions(images: Value, classes: int, *, net: MobileConvolutions) -> Layers:
    """Build the network."""
    names, layers = SCHEMES[net.scheme], Layers()
    (step,) = block_of(net.stem).steps
    x = convolve(layers, images, names.stem, step, net)
    for number, stage in enumerate(net.blocks):
        for place, row in enumerate(stage.split()):
            name = names.block(number, place)
            x = layers[name] = residual(layers, x, name, block_of(row), net)
        layers.update(dict.fromkeys(names.stages(number), x))
    if net.head:
        (step,) = block_of(net.head).steps
        x = convolve(layers, x, names.head(len(net.blocks)), step, net)
    layers.update(dict.fromkeys(names.trunk, x))
    x = global_avg_pool(x)
    layers.update(dict.fromkeys(names.pool, x))
    x = layers[net.embedding] = look_again(layers, x, names, net) if net.hidden else x
    if classes:
        logits = linear(x, names.classifier, classes)
        layers.update(dict.fromkeys((names.classifier, names.logits), logits))
    return layers


def residual(layers: Layers, x: Value, name: str, row: Block, net: MobileConvolutions) -> Value:
    """Compute a block; what its modules give are layers too."""
    names, y = SCHEMES[net.scheme], x
    if row.kind == "mqa":
        y = layers[f"{name}.norm"] = batch_norm(x, f"{name}.norm", epsilon=net.epsilon)
        y = layers[f"{name}.attn"] = attend(
            y,
            f"{name}.attn",
            heads=row.h,
            width=row.e,
            kernel=row.k,
            filters=row.c,
            epsilon=net.epsilon,
        )
    for place, step in enumerate(row.steps):
        parts = names.part(name, row.kind, step.part, place)
        if step.part == "squeeze":
            act = ACTIVATIONS[net.gate_act or row.n]
            y = squeeze_excite(
                y, parts.conv, parts.norm, step.filters, act=act, gate=GATES[net.gate]
            )
            layers[parts.layer] = y
        else:
            y = convolve(layers, y, parts, step, net)
    if net.layer_scale and row.kind in {"uir", "mqa"}:
        y = layers[f"{name}.layer_scale"] = scaled(y, f"{name}.layer_scale")
    if names.branch:
        layers[f"{name}.{names.branch}"] = y
    return add(y, x) if row.skip and y.shape == x.shape else y


def convolve(layers: Layers, x: Value, names: Parts, step: Step, net: MobileConvolutions) -> Value:
    """Convolve, normalise, activate; where maps are halved by a pool, pool."""
    channels = x.shape[0]
    blurred = net.antialias and names.pooled and step.stride > 1  # never the stem
    x = conv_bn(
        x,
        names.conv,
        names.norm,
        filters=step.filters or channels,
        kernel=step.kernel,
        stride=1 if blurred else step.stride,
        padding=net.padding or None,
        groups=max(1, channels // step.group) if step.group else 1,
        epsilon=net.epsilon,
    )
    x = layers[names.layer] = ACTIVATIONS[step.act](x) if step.act else x
    if blurred:
        x = layers[names.pooled] = halve(x, net.antialias)
    return x


def halve(x: Value, kind: str) -> Value:
    """Halve a map by means of 2×2, or by 1-2-1 filters (arXiv:1904.11486) with zeros around it."""
    if kind == "avg":
        return avg_pool(x, 2, stride=2)
    shape = (x.shape[0], 1, 3, 3)
    row = np.array([0.25, 0.5, 0.25])
    kernel = Constant(shape, (), lambda: np.broadcast_to(np.outer(row, row), shape))
    return conv(x, kernel, stride=2, padding=(1, 1), groups=x.shape[0])


def look_again(layers: Layers, x: Value, names: Scheme, net: MobileConvolutions) -> Value:
    """Widen the pooled vector once more (MobileNet V3, section 5.1); V4 normalises it too."""
    parts, act = names.hidden, ACTIVATIONS[net.act]
    assert parts is not None
    if names.dense:
        x = layers[parts.conv] = linear(x, parts.conv, net.hidden, bias=net.hidden_bias)
        x = layers[parts.layer] = act(x)
        return x
    column = reshape(x, -1, *x.shape, 1, 1, layout="NCHW")
    if net.hidden_norm:
        epsilon = net.epsilon
        column = conv_bn(
            column, parts.conv, parts.norm, filters=net.hidden, kernel=1, epsilon=epsilon
        )
        layers[parts.norm] = flatten(act(column))
    else:
        column = conv_bias(column, parts.conv, net.hidden, 1, bias=net.hidden_bias)
        layers[parts.conv] = flatten(column)
    x = layers[parts.layer] = layers["flatten"] = flatten(act(column))
    return x
