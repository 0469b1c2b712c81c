"""What the files of BiT call their tensors, side by side."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

Library = Literal["timm", "transformers", "google"]


class Names(NamedTuple):
    """The names of one kind of files; those of blocks' parts stand below the block's."""

    stem: str  # the layer
    stem_conv: str
    stage: str  # with its number from 0, and from 1
    block: str  # below the stage, likewise
    convs: tuple[str, str, str]
    norms: tuple[str, str, str]
    shortcut: str
    norm: str  # after the last stage
    pooled: tuple[str, str]  # the layers of the features
    head: str
    logits: str
    source: str
    kernel: str = ".weight"
    bias: str = ".bias"
    scale: str = ".weight"
    shift: str = ".bias"
    epsilon: float = 1e-8  # of standardised kernels
    is_transposed: bool = False  # whether kernels are (height, width, channels, filters)
    has_linear_head: bool = False  # rather than a 1×1 convolution

    def stage_of(self, prefix: str, stage: int) -> str:
        """Name a stage, counted from 0."""
        return f"{prefix}{self.stage.format(stage, stage + 1)}"

    def block_of(self, prefix: str, stage: int, block: int) -> str:
        """Name a block, both counted from 0."""
        return f"{self.stage_of(prefix, stage)}{self.block.format(block, block + 1)}"


NAMES: Mapping[Library, Names] = {
    "timm": Names(
        stem="stem",
        stem_conv="stem.conv",
        stage="stages.{0}",
        block=".blocks.{0}",
        convs=(".conv1", ".conv2", ".conv3"),
        norms=(".norm1", ".norm2", ".norm3"),
        shortcut=".downsample.conv",
        norm="norm",
        pooled=("head.global_pool", "pre_logits"),
        head="head.fc",
        logits="head.fc",
        source="https://github.com/huggingface/pytorch-image-models/blob/main/timm/models/resnetv2.py",
    ),
    "transformers": Names(
        stem="embedder",
        stem_conv="embedder.convolution",
        stage="encoder.stages.{0}",
        block=".layers.{0}",
        convs=(".conv1", ".conv2", ".conv3"),
        norms=(".norm1", ".norm2", ".norm3"),
        shortcut=".downsample.conv",
        norm="norm",
        pooled=("pooler", "pooler_output"),
        head="classifier.1",
        logits="classifier",
        source="https://github.com/huggingface/transformers/blob/main/src/transformers/models/bit/modeling_bit.py",
        has_linear_head=True,
    ),
    "google": Names(
        stem="resnet/root_block",
        stem_conv="resnet/root_block/standardized_conv2d",
        stage="resnet/block{1}",
        block="/unit{1:02d}",
        convs=("/a/standardized_conv2d", "/b/standardized_conv2d", "/c/standardized_conv2d"),
        norms=("/a/group_norm", "/b/group_norm", "/c/group_norm"),
        shortcut="/a/proj/standardized_conv2d",
        norm="resnet/group_norm",
        pooled=("global_pool", "pre_logits"),
        head="resnet/head/conv2d",
        logits="resnet/head/conv2d",
        source="https://github.com/google-research/big_transfer/blob/master/bit_tf2/models.py",
        kernel="/kernel",
        bias="/bias",
        scale="/gamma",
        shift="/beta",
        epsilon=1e-10,  # as in big_vision/models/bit_paper.py; timm reads these files with 1e-8
        is_transposed=True,
    ),
}
