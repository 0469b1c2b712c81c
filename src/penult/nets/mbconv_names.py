"""What each library calls the parts of a network of mobile convolutions (`mbconv`)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple


class Parts(NamedTuple):
    """A convolution, the norm after it, and the module that returns what both give.

    Of a gate: its two convolutions, and the module of the gate. `pooled` is the module that
    returns the map that is halved after, in networks that pool there.
    """

    conv: str
    norm: str
    layer: str
    pooled: str = ""


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """A library's names for one kind of network; texts are templates of `str.format`.

    Attributes:
        kinds: Of blocks that such networks have.
        stem: The first convolution.
        first: The block of the first stage, where it is named apart.
        blocks: All others, by `stage` and `place` in it.
        stage: The module of a stage, where there is one.
        parts: Of a block, by what they do: three names, or four, in one text; a text by the kind
            of block and what they do, `uir.expand`, comes first. `place` counts the parts, `next`
            is one more; `conv`, `norm` and `act` count three modules each.
        branch: The module of a block that returns what is added to its input.
        last: The convolution before the pool, by the number of stages.
        trunk: The module of all convolutions, where there is one.
        pool: What the mean is called.
        hidden: The layer after it, where there is one.
        dense: Whether this is a dense layer, or a convolution 1×1.
        classifier: The module with the classifier's variables.
        logits: The module that returns the logits.
        embedding: What goes into the classifier.
        offset: The number of the first stage.
    """

    kinds: tuple[str, ...] = ("ds", "ir")
    stem: Parts
    first: str = ""
    blocks: str
    stage: str = ""
    parts: Mapping[str, str]
    branch: str = ""
    last: str
    trunk: tuple[str, ...] = ()
    pool: tuple[str, ...]
    hidden: Parts | None = None
    dense: bool = False
    classifier: str
    logits: str
    embedding: str
    offset: int = 0

    def has(self, kind: str, *, gate: bool) -> bool:
        """Say whether such networks have blocks of that kind, with a gate or without."""
        return kind in self.kinds and ("squeeze" in self.parts or not gate)

    def block(self, stage: int, place: int) -> str:
        """Name the module of a block."""
        template = self.first if self.first and not stage else self.blocks
        return template.format(stage=stage + self.offset, place=place)

    def stages(self, stage: int) -> list[str]:
        """Name the module of a stage, if there is one."""
        named = self.stage and not (self.first and not stage)
        return [self.stage.format(stage=stage + self.offset)] if named else []

    def part(self, block: str, kind: str, part: str, place: int) -> Parts:
        """Name a part of a block, the `place`th."""
        template = self.parts.get(f"{kind}.{part}") or self.parts.get(part) or self.parts["any"]
        said = template.format(
            block=block,
            place=place,
            next=place + 1,
            conv=3 * place,
            norm=3 * place + 1,
            act=3 * place + 2,
        )
        return Parts(*said.split())

    def head(self, stages: int) -> Parts:
        """Name the convolution before the pool."""
        return Parts(*self.last.format(stages=stages + 1).split())


_TIMM = Scheme(  # timm/models/efficientnet.py, _efficientnet_blocks.py
    kinds=("cn", "ds", "dsa", "ir", "er", "uir", "mqa"),
    stem=Parts("conv_stem", "bn1", "bn1"),
    blocks="blocks.{stage}.{place}",
    stage="blocks.{stage}",
    parts={
        "squeeze": "{block}.se.conv_reduce {block}.se.conv_expand {block}.se",
        "cn.full": "{block}.conv {block}.bn1 {block}.bn1 {block}.aa",
        "ds.depth": "{block}.conv_dw {block}.bn1 {block}.bn1 {block}.aa",
        "ds.project": "{block}.conv_pw {block}.bn2 {block}.bn2",
        "dsa.depth": "{block}.conv_dw {block}.bn1 {block}.bn1 {block}.aa",
        "dsa.project": "{block}.conv_pw {block}.bn2 {block}.bn2",
        "ir.expand": "{block}.conv_pw {block}.bn1 {block}.bn1",
        "ir.depth": "{block}.conv_dw {block}.bn2 {block}.bn2 {block}.aa",
        "ir.project": "{block}.conv_pwl {block}.bn3 {block}.bn3",
        "er.full": "{block}.conv_exp {block}.bn1 {block}.bn1 {block}.aa",
        "er.project": "{block}.conv_pwl {block}.bn2 {block}.bn2",
        "start": "{block}.dw_start.conv {block}.dw_start.bn {block}.dw_start {block}.dw_start",
        "uir.expand": "{block}.pw_exp.conv {block}.pw_exp.bn {block}.pw_exp",
        "uir.depth": "{block}.dw_mid.conv {block}.dw_mid.bn {block}.dw_mid {block}.dw_mid",
        "uir.project": "{block}.pw_proj.conv {block}.pw_proj.bn {block}.pw_proj",
        "end": "{block}.dw_end.conv {block}.dw_end.bn {block}.dw_end",
    },
    last="conv_head bn2 bn2",
    pool=("global_pool",),
    classifier="classifier",
    logits="classifier",
    embedding="pre_logits",
)
_TORCHVISION = Scheme(  # torchvision/models/efficientnet.py
    kinds=("cn", "ds", "ir", "er"),
    stem=Parts("features.0.0", "features.0.1", "features.0"),
    blocks="features.{stage}.{place}",
    stage="features.{stage}",
    offset=1,
    parts={
        "squeeze": "{block}.block.{place}.fc1 {block}.block.{place}.fc2 {block}.block.{place}",
        "any": "{block}.block.{place}.0 {block}.block.{place}.1 {block}.block.{place}",
    },
    branch="block",
    last="features.{stages}.0 features.{stages}.1 features.{stages}",
    trunk=("features",),
    pool=("avgpool", "flatten"),
    classifier="classifier.1",
    logits="classifier",
    embedding="flatten",
)


def _transformers(base: str) -> Scheme:
    """As transformers' models/mobilenet_v2/modeling_mobilenet_v2.py has them."""
    first = f"{base}conv_stem.first_conv"
    part = "{block}.%s.convolution {block}.%s.normalization {block}.%s"
    words = {"expand": "expand_1x1", "depth": "conv_3x3", "project": "reduce_1x1"}
    return Scheme(
        stem=Parts(f"{first}.convolution", f"{first}.normalization", first),
        first=f"{base}conv_stem",
        blocks=f"{base}layer.{{stage}}",
        offset=-1,
        parts={name: part.replace("%s", word) for name, word in words.items()},
        last="{0}.convolution {0}.normalization {0}".format(f"{base}conv_1x1"),
        pool=(f"{base}pooler",),
        classifier="classifier",
        logits="classifier",
        embedding="pooler_output",
    )


SCHEMES = {
    "timm": _TIMM,
    "timm_mobilenetv3": replace(  # timm/models/mobilenetv3.py, for V4 too
        _TIMM, hidden=Parts("conv_head", "norm_head", "act2")
    ),
    "torchvision_efficientnet": _TORCHVISION,
    "torchvision_mobilenetv2": replace(  # torchvision/models/mobilenetv2.py
        _TORCHVISION,
        kinds=("ds", "ir"),
        blocks="features.{stage}",
        stage="",
        parts={
            "project": "{block}.conv.{place} {block}.conv.{next} {block}.conv.{next}",
            "any": "{block}.conv.{place}.0 {block}.conv.{place}.1 {block}.conv.{place}",
        },
        branch="conv",
        pool=("adaptive_avg_pool2d", "flatten"),
    ),
    "torchvision_mobilenetv3": replace(  # torchvision/models/mobilenetv3.py
        _TORCHVISION,
        kinds=("ds", "ir"),
        blocks="features.{stage}",
        stage="",
        hidden=Parts("classifier.0", "", "classifier.1"),
        dense=True,
        classifier="classifier.3",
        embedding="classifier.1",
    ),
    "torchvision_mnasnet": replace(  # torchvision/models/mnasnet.py
        _TORCHVISION,
        kinds=("ds", "ir"),
        stem=Parts("layers.0", "layers.1", "layers.2"),
        first="layers.7",
        blocks="layers.{stage}.{place}",
        stage="layers.{stage}",
        offset=7,
        parts={
            "ds.depth": "layers.3 layers.4 layers.5",
            "ds.project": "layers.6 layers.7 layers.7",
            "ir.project": "{block}.layers.{conv} {block}.layers.{norm} {block}.layers.{norm}",
            "any": "{block}.layers.{conv} {block}.layers.{norm} {block}.layers.{act}",
        },
        branch="layers",
        last="layers.14 layers.15 layers.16",
        trunk=("layers",),
        pool=("mean",),
        embedding="mean",
    ),
    "transformers": _transformers("mobilenet_v2."),
    "transformers_base": _transformers(""),  # a file of the model without a task
}
