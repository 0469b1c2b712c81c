"""RegNet X and Y. Radosavovic et al. 2020, arXiv:2003.13678, section 4; Y has squeeze-excite.

Names and numbers are those of torchvision/models/regnet.py, timm/models/regnet.py and
transformers/models/regnet/modeling_regnet.py.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, NamedTuple

from penult.errors import NetworkError
from penult.graph import Value, add, global_avg_pool, images, relu, variables
from penult.images import preprocess
from penult.images.geometry import ShorterSide
from penult.images.preprocess import Transform
from penult.nets import pytorch, torchvision
from penult.nets.design import Card, Shapes
from penult.nets.regnet_published import LARGER, VARIANTS
from penult.nets.spec import Architecture, Layers
from penult.util.text import quoted

EPSILON = 1e-5
MOST_STAGES, MOST_BLOCKS = 8, 128  # published ones have 4 stages of up to 17 blocks


class Names(NamedTuple):
    """A library's names; a module's is that of its convolution without the last part."""

    conv: str  # parts of a convolution with its norm
    norm: str
    stem: str
    stage: str  # of the number from 1, and from 0
    block: str  # below a stage, likewise
    convs: tuple[str, str, str]  # below a block
    last: str  # the third, where there is squeeze-excite
    squeeze: str
    excite: str
    squeezed: str  # the module of both
    shortcut: str
    pooled: tuple[str, str]  # the layers of the features
    classifier: str
    logits: str
    source: str


NAMES = {
    "torchvision": Names(
        conv="0",
        norm="1",
        stem="stem",
        stage="trunk_output.block{1}",
        block="block{1}-{2}",
        convs=("f.a", "f.b", "f.c"),
        last="f.c",
        squeeze="f.se.fc1",
        excite="f.se.fc2",
        squeezed="f.se",
        shortcut="proj",
        pooled=("avgpool", "flatten"),
        classifier="fc",
        logits="fc",
        source="https://github.com/pytorch/vision/blob/main/torchvision/models/regnet.py",
    ),
    "timm": Names(
        conv="conv",
        norm="bn",
        stem="stem",
        stage="s{1}",
        block="b{3}",
        convs=("conv1", "conv2", "conv3"),
        last="conv3",
        squeeze="se.fc1",
        excite="se.fc2",
        squeezed="se",
        shortcut="downsample",
        pooled=("head.global_pool", "pre_logits"),
        classifier="head.fc",
        logits="head.fc",
        source="https://github.com/huggingface/pytorch-image-models/blob/main/timm/models/regnet.py",
    ),
    "transformers": Names(
        conv="convolution",
        norm="normalization",
        stem="embedder.embedder",
        stage="encoder.stages.{0}",
        block="layers.{2}",
        convs=("layer.0", "layer.1", "layer.2"),
        last="layer.3",
        squeeze="layer.2.attention.0",
        excite="layer.2.attention.2",
        squeezed="layer.2",
        shortcut="shortcut",
        pooled=("pooler", "pooler_output"),
        classifier="classifier.1",
        logits="classifier",
        source="https://github.com/huggingface/transformers/blob/main/src/transformers/models/regnet/modeling_regnet.py",
    ),
}


@dataclass(frozen=True, slots=True)
class RegNet:
    """All that decides a RegNet's graph.

    Attributes:
        library: Whose names its tensors and layers have.
        prefix: What stands before those of transformers but the classifier's.
        size: Pixels of the square input that it was trained with.
        classes: Of the classifier; 0 without one.
        stem: Channels of the first convolution.
        blocks: Of each stage.
        widths: Channels of each stage.
        groups: Of each stage's 3×3 convolutions.
        squeezed: Of each stage, channels that squeeze-excite has inside, in the first block and in
            the others; none in RegNet X.
        first_stride: Of the first stage.
    """

    library: Literal["torchvision", "timm", "transformers"]
    prefix: Literal["", "regnet."]
    size: int
    classes: int
    stem: int
    blocks: tuple[int, ...]
    widths: tuple[int, ...]
    groups: tuple[int, ...]
    squeezed: tuple[tuple[int, ...], ...]
    first_stride: int

    def __post_init__(self) -> None:
        stages = {len(self.blocks), len(self.widths), len(self.groups)}
        inside = [width for stage in self.squeezed for width in stage]
        if (
            len(stages) > 1
            or not self.blocks
            or max(self.blocks) > MOST_BLOCKS
            or min([self.stem, *self.blocks, *self.widths, *self.groups, *inside]) < 1
            or any(w % g for w, g in zip(self.widths, self.groups, strict=True))
            or (self.squeezed and [len(each) for each in self.squeezed] != [2] * len(self.blocks))
            or self.first_stride not in {1, 2}
        ):
            raise ValueError("that can't be a RegNet")

    @property
    def name(self) -> str:
        """What the library calls it, or one like it: `timm/regnety_016`."""
        return f"{self.library}/{self.title}"

    @property
    def title(self) -> str:
        """Its name without the library's."""
        kind = "y" if self.squeezed else "x"
        timm, torchvision, _ = VARIANTS.get((kind, self.blocks, self.widths), ("", "", 0))
        given = torchvision if self.library == "torchvision" else timm
        return given or f"regnet{kind}_{'-'.join(map(str, self.widths))}"

    def architecture(self) -> Architecture:
        """Say how it is built."""
        names = NAMES[self.library]
        return Architecture(
            build=partial(regnet, design=self),
            embedding=names.pooled[-1],
            logits=names.logits if self.classes else None,
            classifier=f"{names.classifier}.weight" if self.classes else None,
            paper="https://arxiv.org/abs/2003.13678",
            source=names.source,
        )

    def preprocess(self, size: int) -> Transform:
        """Make the preprocessing that its library takes where no file says another."""
        if self.library == "torchvision":
            return torchvision.preprocess_for(self.title, size)
        if self.library == "transformers":
            geometry = ShorterSide(size, int(size / 0.875), "bicubic", "down", "down")
            return Transform(geometry, preprocess.IMAGENET)
        kind = "y" if self.squeezed else "x"
        *_, percent = VARIANTS.get((kind, self.blocks, self.widths), ("", "", 87.5))
        return preprocess.shorter_side(size, percent / 100, "bicubic", preprocess.IMAGENET)


def regnet(images: Value, classes: int, *, design: RegNet) -> Layers:
    """Build the network; layers have the names of the library's modules."""
    layers: Layers = {}
    names, prefix = NAMES[design.library], design.prefix
    x = conv_bn(images, f"{prefix}{names.stem}", names, design.stem, 3, stride=2)
    x = layers[f"{prefix}{names.stem}"] = relu(x)
    for stage, blocks in enumerate(design.blocks):
        for block in range(blocks):
            first = 2 if stage else design.first_stride
            at = block_name(names, prefix, stage, block)
            x = residual(layers, x, at, stage, stride=1 if block else first, design=design)
        layers[f"{prefix}{names.stage.format(stage, stage + 1)}"] = x
    x = global_avg_pool(x)
    pooled, features = names.pooled
    layers[f"{prefix}{pooled}"] = layers[features] = x
    if classes:
        layers[names.logits] = pytorch.linear(x, names.classifier, classes)
    return layers


def residual(
    layers: Layers, x: Value, at: str, stage: int, *, stride: int, design: RegNet
) -> Value:
    """Convolve three times, the channels weighed before the third, and add the input."""
    names, width = NAMES[design.library], design.widths[stage]
    first, second, third = (f"{at}.{each}" for each in names.convs)
    y = layers[first] = relu(conv_bn(x, first, names, width, 1))
    groups = design.groups[stage]
    y = conv_bn(y, second, names, width, 3, stride=stride, groups=groups)
    y = layers[second] = relu(y)
    if design.squeezed:
        inside = design.squeezed[stage][0 if _is_first(x, width, stride) else 1]
        squeeze, excite = f"{at}.{names.squeeze}", f"{at}.{names.excite}"
        y = pytorch.squeeze_excite(y, squeeze, excite, inside, act=relu)
        layers[f"{at}.{names.squeezed}"] = y
        third = f"{at}.{names.last}"
    y = layers[third] = conv_bn(y, third, names, width, 1)
    if _is_first(x, width, stride):
        shortcut = f"{at}.{names.shortcut}"
        x = layers[shortcut] = conv_bn(x, shortcut, names, width, 1, stride=stride)
    y = layers[at] = relu(add(y, x))
    return y


def _is_first(x: Value, width: int, stride: int) -> bool:
    return stride > 1 or x.shape[0] != width


def conv_bn(
    x: Value,
    name: str,
    names: Names,
    filters: int,
    kernel: int,
    *,
    stride: int = 1,
    groups: int = 1,
) -> Value:
    """Convolve and normalise."""
    return pytorch.conv_bn(
        x,
        f"{name}.{names.conv}",
        f"{name}.{names.norm}",
        filters=filters,
        kernel=kernel,
        stride=stride,
        groups=groups,
        epsilon=EPSILON,
    )


def block_name(names: Names, prefix: str, stage: int, block: int) -> str:
    """Name a block, both counted from 0."""
    pattern = f"{prefix}{names.stage}.{names.block}"
    return pattern.format(stage, stage + 1, block, block + 1)


def read(shapes: Shapes, card: Card) -> RegNet | None:
    """Read the network off the tensors of a file.

    Raises:
        NetworkError: The card says another network than the tensors.
    """
    found = next((each for each in (_read(shapes, p, card.config) for p in PLACES) if each), None)
    if not found:
        return None
    if found.library == "transformers":
        _compare(found, card.config)
        return found
    others = {name for row in VARIANTS.values() for name in row[:2]}
    if (said := card.architecture) and said in others - {found.title}:
        raise NetworkError(f"the tensors are of {found.title}, not of {said} as is said")
    return replace(found, size=384) if found.title in LARGER else found


Place = tuple[Literal["torchvision", "timm", "transformers"], Literal["", "regnet."]]
PLACES: tuple[Place, ...] = (
    ("torchvision", ""),
    ("timm", ""),
    ("transformers", "regnet."),
    ("transformers", ""),
)


def _read(shapes: Shapes, place: Place, config: Mapping[str, Any]) -> RegNet | None:
    library, prefix = place
    keeps_size = library == "transformers" and config.get("downsample_in_first_stage") is False
    names = NAMES[library]
    stages = [*_stages(shapes, names, prefix)]
    try:
        found = RegNet(
            library=library,
            prefix=prefix,
            size=224,
            classes=pytorch.classes_of(shapes, names.classifier, stages[-1][1]),
            stem=shapes[f"{prefix}{names.stem}.{names.conv}.weight"][0],
            blocks=tuple(blocks for blocks, *_ in stages),
            widths=tuple(width for _, width, *_ in stages),
            groups=tuple(groups for *_, groups, _ in stages),
            squeezed=tuple(squeezed for *_, squeezed in stages if squeezed),
            first_stride=1 if keeps_size else 2,
        )
    except (KeyError, IndexError, ValueError):
        return None
    graph = found.architecture().build(images(found.size), found.classes)
    needed = variables(graph.values())
    return found if all(shapes.get(each.name) == each.shape for each in needed) else None


def _stages(
    shapes: Shapes, names: Names, prefix: str
) -> Iterator[tuple[int, int, int, tuple[int, ...]]]:
    """Yield each stage's blocks, width, groups, and widths of squeeze-excite."""
    second = f"{names.convs[1]}.{names.conv}.weight"
    for stage in range(MOST_STAGES):
        blocks = [block_name(names, prefix, stage, block) for block in range(MOST_BLOCKS)]
        known = [each for each in blocks if f"{each}.{second}" in shapes]
        if not known or known != blocks[: len(known)]:
            return
        shape = shapes[f"{known[0]}.{second}"]
        width, group = (shape[0], shape[1] or 1) if len(shape) == 4 else (0, 1)
        inside = [shapes.get(f"{each}.{names.squeeze}.weight", ()) for each in known]
        ends = (inside[0][:1] + inside[-1][:1]) if inside[0] else ()
        yield len(known), width, width // group, ends


def _compare(found: RegNet, config: Mapping[str, Any]) -> None:
    """Compare transformers' settings with what the tensors tell."""
    if (act := config.get("hidden_act", "relu")) != "relu":
        raise NetworkError(f"config.json: a RegNet with hidden_act {quoted(act)} isn't supported")
    if (said := config.get("depths", [*found.blocks])) != [*found.blocks]:
        raise NetworkError(
            f"config.json says depths {quoted(said)}, but the tensors {[*found.blocks]}"
        )
