"""How three libraries, and the authors, name ConvNeXt's tensors and modules.

In the names `{i}` stands for a stage, counted from 0, `{j}` for a block, and torchvision's `{even}`
and `{odd}` for the places 2·i and 2·i + 1 in its `features`.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

Dialect = Literal[
    "timm", "torchvision", "convnext", "convnextv2", "convnext_model", "dinov3", "facebook"
]


class Names(NamedTuple):
    """The names of one dialect."""

    stem: tuple[str, str]  # convolution and norm of a stem of patches
    halving: tuple[str, str]  # norm and convolution before a stage but the first
    block: str
    depthwise: str  # what follows is within a block
    norm: str
    fc1: str
    fc2: str
    scale: str
    response: tuple[str, str]  # of GRN, factors and bias
    last_norm: str
    classifier: str
    stem_layer: str  # what follows are modules
    halving_layer: str
    block_layer: str
    stage_layer: str
    norm_layer: str  # the last; empty where no module returns just that
    embedding: str
    classifier_layer: str


TIMM = Names(
    stem=("stem.0", "stem.1"),
    halving=("stages.{i}.downsample.0", "stages.{i}.downsample.1"),
    block="stages.{i}.blocks.{j}",
    depthwise="conv_dw",
    norm="norm",
    fc1="mlp.fc1",
    fc2="mlp.fc2",
    scale="gamma",
    response=("mlp.grn.weight", "mlp.grn.bias"),
    last_norm="head.norm",
    classifier="head.fc",
    stem_layer="stem",
    halving_layer="stages.{i}.downsample",
    block_layer="stages.{i}.blocks.{j}",
    stage_layer="stages.{i}",
    norm_layer="head.norm",
    embedding="pre_logits",
    classifier_layer="head.fc",
)


def _transformers(base: str) -> Names:
    stages = base + "encoder.stages.{i}"
    return Names(
        stem=(f"{base}embeddings.patch_embeddings", f"{base}embeddings.layernorm"),
        halving=(f"{stages}.downsampling_layer.0", f"{stages}.downsampling_layer.1"),
        block=f"{stages}.layers.{{j}}",
        depthwise="dwconv",
        norm="layernorm",
        fc1="pwconv1",
        fc2="pwconv2",
        scale="layer_scale_parameter",
        response=("grn.weight", "grn.bias"),
        last_norm=f"{base}layernorm",
        classifier="classifier",
        stem_layer=f"{base}embeddings",
        halving_layer=f"{stages}.downsampling_layer.1",
        block_layer=f"{stages}.layers.{{j}}",
        stage_layer=stages,
        norm_layer="",
        embedding="pooler_output",
        classifier_layer="classifier",
    )


NAMES: Mapping[Dialect, Names] = {
    "timm": TIMM,
    "torchvision": Names(
        stem=("features.0.0", "features.0.1"),
        halving=("features.{even}.0", "features.{even}.1"),
        block="features.{odd}.{j}",
        depthwise="block.0",
        norm="block.2",
        fc1="block.3",
        fc2="block.5",
        scale="layer_scale",
        response=("", ""),
        last_norm="classifier.0",
        classifier="classifier.2",
        stem_layer="features.0",
        halving_layer="features.{even}",
        block_layer="features.{odd}.{j}",
        stage_layer="features.{odd}",
        norm_layer="classifier.0",
        embedding="classifier.1",
        classifier_layer="classifier.2",
    ),
    "convnext": _transformers("convnext."),
    "convnextv2": _transformers("convnextv2."),
    "convnext_model": _transformers(""),
    "dinov3": Names(
        stem=("stages.0.downsample_layers.0", "stages.0.downsample_layers.1"),
        halving=("stages.{i}.downsample_layers.0", "stages.{i}.downsample_layers.1"),
        block="stages.{i}.layers.{j}",
        depthwise="depthwise_conv",
        norm="layer_norm",
        fc1="pointwise_conv1",
        fc2="pointwise_conv2",
        scale="gamma",
        response=("", ""),
        last_norm="layer_norm",
        classifier="",
        stem_layer="model.stages.0.downsample_layers.1",
        halving_layer="model.stages.{i}.downsample_layers.1",
        block_layer="model.stages.{i}.layers.{j}",
        stage_layer="model.stages.{i}",
        norm_layer="",
        embedding="pooler_output",
        classifier_layer="",
    ),
    "facebook": TIMM._replace(  # timm renames them when it reads such a file
        stem=("downsample_layers.0.0", "downsample_layers.0.1"),
        halving=("downsample_layers.{i}.0", "downsample_layers.{i}.1"),
        block="stages.{i}.{j}",
        depthwise="dwconv",
        fc1="pwconv1",
        fc2="pwconv2",
        response=("grn.gamma", "grn.beta"),
        last_norm="norm",
        classifier="head",
    ),
}
