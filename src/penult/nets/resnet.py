"""ResNet as PyTorch's libraries have it, with what has been added to it since.

He et al. 2015, arXiv:1512.03385, table 1, a stage's stride in its first block's 3×3 convolution.
Wider or grouped 3×3 convolutions are of arXiv:1605.07146 and arXiv:1611.05431; the stems C, D, S
and T and average pooling before shortcuts of arXiv:1812.01187; channel attention of
arXiv:1709.01507 (SE) and arXiv:1910.03151 (ECA); anti-aliasing of arXiv:1904.11486; a convolution
in place of the stem's pooling of arXiv:2103.07579 (RS).

Names and numbers are those of torchvision/models/resnet.py, timm/models/resnet.py and
transformers/models/resnet/modeling_resnet.py. Networks trained without labels (MoCo, DINO, SwAV)
have torchvision's names, and no classifier.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

from penult.graph import Value, add, avg_pool, global_avg_pool, max_pool, relu
from penult.images import preprocess
from penult.images.geometry import ShorterSide
from penult.images.preprocess import Transform
from penult.nets import pytorch, torchvision
from penult.nets.resnet_published import TIMM
from penult.nets.spec import Architecture, Layers

EPSILON = 1e-5
Stages = tuple[tuple[tuple[int, ...], ...], ...]  # channels by block and convolution
DEPTHS = {272: 270, 419: 420, 203: 201}  # as their names have them


class Names(NamedTuple):
    """How a library names the tensors; its modules have the same names without the last part."""

    library: str
    prefix: str = ""  # before transformers' names

    @property
    def hugging(self) -> bool:
        """Whether they are transformers'."""
        return self.library == "transformers"

    def stem(self) -> tuple[str, str]:
        """A convolution and a normalisation."""
        at = f"{self.prefix}embedder.embedder"
        return _hugging(at) if self.hugging else ("conv1", "bn1")

    def stage(self, stage: int) -> str:
        """A stage, counted from 0."""
        return f"{self.prefix}encoder.stages.{stage}" if self.hugging else f"layer{stage + 1}"

    def block(self, stage: int, block: int) -> str:
        """A block of a stage."""
        return (
            f"{self.stage(stage)}.layers.{block}" if self.hugging else f"layer{stage + 1}.{block}"
        )

    def conv(self, at: str, n: int) -> tuple[str, str]:
        """A block's convolution, counted from 0, and its normalisation."""
        return (
            _hugging(f"{at}.layer.{n}")
            if self.hugging
            else (f"{at}.conv{n + 1}", f"{at}.bn{n + 1}")
        )

    def shortcut(self, at: str, *, pooled: bool = False) -> tuple[str, str]:
        """Likewise the shortcut's; pooling takes the first place before them."""
        if self.hugging:
            return _hugging(f"{at}.shortcut")
        return f"{at}.downsample.{int(pooled)}", f"{at}.downsample.{pooled + 1}"

    def relu(self, at: str, n: int) -> str:
        """What a block gives after a convolution, its normalisation and ReLU."""
        if self.hugging:
            return f"{at}.layer.{n}"
        if self.library == "timm":
            return f"{at}.act{n + 1}"
        return f"{at}.relu_{n}" if n else f"{at}.relu"

    @property
    def classifier(self) -> str:
        """The last linear layer."""
        return "classifier.1" if self.hugging else "fc"


def _hugging(at: str) -> tuple[str, str]:
    return f"{at}.convolution", f"{at}.normalization"


@dataclass(frozen=True, slots=True)
class ResNet:
    """All that decides a ResNet's graph.

    Attributes:
        stem: Channels of its convolutions: one of 7×7, or three of 3×3.
        stem_pool: What halves the map after it.
        stages: Channels of each block's convolutions: two of 3×3, or 1×1, 3×3, 1×1.
        groups: Of the 3×3 convolution between two 1×1 ones.
        shortcut: What halves a map before it is added: the convolution, or pooling before it.
        shortcut_kernel: Of the convolution where it halves.
        attention: By which a block's channels are weighed.
        attended: By stage, the width of SE's vector, or ECA's kernel.
        antialias: How a map is blurred where it is halved: by averages of 2×2, or 1-2-1 filters.
        norm: Of all channels over many images, or of 32 groups of them.
        first_stride: Of the first stage.
        stride_in_1x1: Whether a block's stride is in its first 1×1 convolution.
    """

    library: Literal["torchvision", "timm", "transformers"]
    prefix: Literal["", "resnet."]
    size: int
    classes: int
    stem: tuple[int, ...]
    stem_pool: Literal["max", "conv"]
    stages: Stages
    groups: int
    shortcut: Literal["conv", "avg"]
    shortcut_kernel: int
    attention: Literal["", "se", "eca"]
    attended: tuple[int, ...]
    antialias: Literal["", "avg", "blur"]
    norm: Literal["batch", "group"]
    first_stride: int
    stride_in_1x1: bool

    def __post_init__(self) -> None:
        blocks = [block for stage in self.stages for block in stage]
        widths = [*self.stem, *(width for block in blocks for width in block)]
        if not (
            all((self.stages, *self.stages))
            and {len(block) for block in blocks} <= {2, 3}
            and len(self.stem) in {1, 3}
            and min([*widths, *self.attended, self.groups, self.shortcut_kernel]) > 0
            and self.first_stride in {1, 2}
            and len(self.attended) == (len(self.stages) if self.attention else 0)
        ):
            raise ValueError("that can't be a ResNet")

    @property
    def names(self) -> Names:
        """How its tensors and layers are named."""
        return Names(self.library, self.prefix)

    @property
    def name(self) -> str:
        """What the library calls it, or one like it: `timm/resnet50d`."""
        return f"{self.library}/{title(self)}"

    def architecture(self) -> Architecture:
        """Say how it is built."""
        names = self.names
        embedding = {"torchvision": "flatten", "timm": "pre_logits"}
        logits = "classifier" if names.hugging else "fc"
        source = {
            "torchvision": "https://github.com/pytorch/vision/blob/main/torchvision",
            "timm": "https://github.com/huggingface/pytorch-image-models/blob/main/timm",
            "transformers": "https://github.com/huggingface/transformers/blob/main/src/transformers",
        }[self.library]
        return Architecture(
            build=partial(resnet, design=self),
            embedding=embedding.get(self.library, "pooler_output"),
            logits=logits if self.classes else None,
            classifier=f"{names.classifier}.weight" if self.classes else None,
            paper="https://arxiv.org/abs/1512.03385",
            source=f"{source}/models/resnet{'/modeling_resnet' if names.hugging else ''}.py",
        )

    def preprocess(self, size: int) -> Transform:
        """Make the preprocessing that its library takes where no file says another."""
        if self.library == "torchvision":
            return torchvision.preprocess_for(title(self), size)
        if self.library == "transformers":
            geometry = ShorterSide(size, int(size / 0.875), "bicubic", "down", "down")
            return Transform(geometry, preprocess.IMAGENET)
        _, percent = TIMM.get(title(self), (224, 87.5))
        return preprocess.shorter_side(size, percent / 100, "bicubic", preprocess.IMAGENET)


def resnet(images: Value, classes: int, *, design: ResNet) -> Layers:
    """Build the network; layers have the names of the library's modules."""
    layers: Layers = {}
    x = stem(layers, images, design)
    for stage, blocks in enumerate(design.stages):
        for block, widths in enumerate(blocks):
            first = 2 if stage else design.first_stride
            at = design.names.block(stage, block)
            attended = design.attended[stage] if design.attention else 0
            stride = first if block == 0 else 1
            x = residual(layers, x, at, widths, stride=stride, attended=attended, design=design)
        layers[design.names.stage(stage)] = x
    if design.names.hugging:
        layers[f"{design.prefix}encoder"] = x
    x = global_avg_pool(x)
    poolings = {"torchvision": ("avgpool", "flatten"), "timm": ("global_pool", "pre_logits")}
    for name in poolings.get(design.library, (f"{design.prefix}pooler", "pooler_output")):
        layers[name] = x
    if classes:
        logits = "classifier" if design.names.hugging else "fc"
        layers[logits] = pytorch.linear(x, design.names.classifier, classes)
    return layers


def stem(layers: Layers, x: Value, design: ResNet) -> Value:
    """Halve the image by one or three convolutions, and once more by pooling."""
    names = design.names
    name, norm = names.stem()
    *before, channels = design.stem
    for n, width in enumerate(before):
        at = f"{name}.{3 * n}", f"{name}.{3 * n + 1}"
        x = relu(conv_norm(x, *at, width, 3, stride=1 if n else 2, design=design))
        layers[f"{name}.{3 * n + 2}"] = x
    if before:
        x = conv_norm(x, f"{name}.{3 * len(before)}", norm, channels, 3, design=design)
    else:
        x = conv_norm(x, name, norm, channels, 7, stride=2, design=design)
    layers[norm] = x
    act = {"torchvision": "relu", "timm": "act1"}.get(
        design.library, f"{design.prefix}embedder.embedder"
    )
    x = layers[act] = relu(x)
    pooled = f"{design.prefix}embedder" if names.hugging else "maxpool"
    x = layers[pooled] = stem_pool(x, design)
    return x


def stem_pool(x: Value, design: ResNet) -> Value:
    """Halve the stem's map."""
    if design.stem_pool == "conv":
        at = "maxpool.0", "maxpool.1"
        return relu(conv_norm(x, *at, x.shape[0], 3, stride=2, design=design))
    if design.antialias == "avg":
        return avg_pool(x, 2, stride=2)
    if design.antialias == "blur":
        return pytorch.blur_pool(max_pool(x, 3, stride=1, padding=(1, 1)))
    return max_pool(x, 3, stride=2, padding=(1, 1))


def residual(
    layers: Layers,
    x: Value,
    at: str,
    widths: tuple[int, ...],
    *,
    stride: int,
    attended: int,
    design: ResNet,
) -> Value:
    """Convolve two or three times, weigh the channels, add the input."""
    names = design.names
    basic = len(widths) == 2
    kernels, last = (3, 3) if basic else (1, 3, 1), len(widths) - 1
    strided = 0 if basic or design.stride_in_1x1 else 1
    y = x
    for n, (width, kernel) in enumerate(zip(widths, kernels, strict=True)):
        halves = n == strided and stride == 2
        y = conv_norm(
            y,
            *names.conv(at, n),
            width,
            kernel,
            stride=2 if halves and not design.antialias else 1,
            groups=design.groups if n == 1 and not basic else 1,
            design=design,
        )
        layers[names.conv(at, n)[1]] = y
        if n < last:
            y = layers[names.relu(at, n)] = relu(y)
        if halves and design.antialias:
            y = avg_pool(y, 2, stride=2) if design.antialias == "avg" else pytorch.blur_pool(y)
    if design.attention == "se":
        se = f"{at}.se"
        y = layers[se] = pytorch.squeeze_excite(y, f"{se}.fc1", f"{se}.fc2", attended, act=relu)
    elif design.attention == "eca":
        y = layers[f"{at}.se"] = pytorch.channel_attention(y, f"{at}.se.conv", attended)
    x = shortcut(layers, x, at, widths[-1], stride=stride, design=design)
    y = layers[at] = relu(add(y, x))
    return y


def shortcut(
    layers: Layers, x: Value, at: str, channels: int, *, stride: int, design: ResNet
) -> Value:
    """Bring a block's input to the size of what it is added to."""
    if stride == 1 and x.shape[0] == channels:
        return x
    pooled = design.shortcut == "avg"
    if pooled and stride == 2:
        x = avg_pool(x, 2, stride=2, padding="SAME")  # of an odd map, the last row alone
    kernel = design.shortcut_kernel if stride == 2 else 1
    place = design.names.shortcut(at, pooled=pooled)
    y = conv_norm(x, *place, channels, kernel, stride=1 if pooled else stride, design=design)
    layers[place[0].rpartition(".")[0]] = y
    return y


def conv_norm(
    x: Value,
    name: str,
    norm: str,
    channels: int,
    kernel: int,
    *,
    stride: int = 1,
    groups: int = 1,
    design: ResNet,
) -> Value:
    """Convolve and normalise."""
    if design.norm == "group":
        x = pytorch.conv_bias(x, name, channels, kernel, stride=stride, groups=groups, bias=False)
        return pytorch.group_norm(x, norm, groups=32, epsilon=EPSILON)
    return pytorch.conv_bn(
        x,
        name,
        norm,
        filters=channels,
        kernel=kernel,
        stride=stride,
        groups=groups,
        epsilon=EPSILON,
    )


def title(design: ResNet) -> str:
    """Say what torchvision and timm call such a network, or would."""
    blocks = [block for stage in design.stages for block in stage]
    depth = sum(map(len, blocks)) + 2
    depth = DEPTHS.get(depth, depth)
    if len({len(block) for block in blocks}) == 2:
        return "test_resnet"
    if design.stem_pool == "conv" or design.shortcut_kernel == 3:
        return f"resnetrs{depth}" if design.stem_pool == "conv" else f"senet{depth + 2}"
    kind = f"{design.attention}{'resnext' if design.groups > 1 else 'resnet'}"
    if design.shortcut == "avg" and len(design.stem) == 1:
        return f"{kind}light"
    blur = {"": "", "avg": "aa", "blur": "blur"}[design.antialias]
    letter = STEMS.get((design.shortcut, design.stem[:-1]), "")
    return _widened(f"{kind}{blur}{depth}{letter}", design)


def _widened(name: str, design: ResNet) -> str:
    *_, width, channels = design.stages[0][0]
    if any(len({block[:-1] for block in stage[1:]}) > 1 for stage in design.stages):
        return f"{name}_pruned"
    if design.groups > 1:
        return f"{name}_{design.groups}x{width // design.groups}d"
    if len(design.stages[0][0]) == 3 and 4 * width > channels:
        return f"wide_{name}_{4 * width // channels}"
    return f"{name}_gn" if design.norm == "group" else name


STEMS: dict[
    tuple[str, tuple[int, ...]], str
] = {  # a letter of the name, by shortcuts and the stem's first convolutions
    ("conv", (32, 32)): "c",
    ("avg", (32, 32)): "d",
    ("avg", (64, 64)): "d",
    ("conv", (64, 64)): "s",
    ("avg", (24, 32)): "t",
}
