"""MobileNet V2. Sandler et al. 2018, arXiv:1801.04381, table 2.

Variables and layers have the names of TF-Slim's mobilenet/mobilenet_v2.py; the published accuracy
is in mobilenet/README.md there.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

from penult.graph import Value, add, global_avg_pool, relu6, softmax
from penult.images import preprocess
from penult.nets import slim
from penult.nets.spec import Architecture, Layers, Pretrained, PublishedWeights

conv_bn = partial(slim.conv_bn, epsilon=1e-3)
depthwise_bn = partial(slim.depthwise_bn, epsilon=1e-3)


class Stage(NamedTuple):
    """One row of the paper's table 2: a run of bottlenecks."""

    expansion: int
    channels: int
    blocks: int
    stride: int  # of the first block


STAGES = (
    Stage(1, 16, 1, 1),
    Stage(6, 24, 2, 2),
    Stage(6, 32, 3, 2),
    Stage(6, 64, 4, 2),
    Stage(6, 96, 3, 1),
    Stage(6, 160, 3, 2),
    Stage(6, 320, 1, 1),
)
BLOCKS = [  # expansion, channels, stride
    (stage.expansion, stage.channels, stage.stride if block == 0 else 1)
    for stage in STAGES
    for block in range(stage.blocks)
]


def mobilenet_v2(images: Value, classes: int, *, width: float) -> Layers:
    """Build the network; the last convolution scales up with `width`, but never down."""
    layers: dict[str, Value] = {}
    net = "MobilenetV2"
    stem = relu6(conv_bn(images, f"{net}/Conv", slim.divisible(32 * width), 3, stride=2))
    x = layers["layer_1"] = stem
    for i, (expansion, channels, stride) in enumerate(BLOCKS):
        scope = f"{net}/expanded_conv_{i}" if i else f"{net}/expanded_conv"
        filters = slim.divisible(channels * width)
        x = bottleneck(layers, x, f"layer_{i + 2}", scope, expansion, filters, stride)
    head = relu6(conv_bn(x, f"{net}/Conv_1", slim.divisible(1280 * max(width, 1)), 1))
    x = layers[f"layer_{len(BLOCKS) + 2}"] = head
    x = layers["global_pool"] = global_avg_pool(x)
    x = layers["Logits"] = slim.logits(x, f"{net}/Logits/Conv2d_1c_1x1", classes)
    layers["Predictions"] = softmax(x)
    return layers


def bottleneck(
    layers: dict[str, Value],
    x: Value,
    layer: str,
    scope: str,
    expansion: int,
    channels: int,
    stride: int,
) -> Value:
    """Expand, filter each channel by itself, project; add the input where shapes allow it."""
    y = x
    if expansion > 1:
        wide = slim.divisible(x.shape[0] * expansion)
        y = layers[f"{layer}/expansion_output"] = relu6(conv_bn(y, f"{scope}/expand", wide, 1))
    y = relu6(depthwise_bn(y, f"{scope}/depthwise", 3, stride=stride))
    layers[f"{layer}/depthwise_output"] = y
    y = conv_bn(y, f"{scope}/project", channels, 1)
    y = add(y, x) if y.shape == x.shape else y
    layers[f"{layer}/output"] = layers[layer] = y
    return y


Row = tuple[int, float, float, str | None]

PUBLISHED: dict[float, list[Row]] = {
    # by width: input size, top-1, top-5, SHA-256 of the archive
    1.4: [
        (224, 75.0, 92.5, None),  # sources disagree on its digest
    ],
    1.3: [
        (224, 74.4, 92.1, "b04129d44a46e0eb409c1a2bc255472ebdd57f9c091812e7866d79d0cc7fecaa"),
    ],
    1.0: [
        (224, 71.8, 91.0, "318084bc1b63d6d7b854553e09cdf77078b1c0168be27c59a0d44253b5ed49dc"),
        (192, 70.7, 90.1, "e8d9cd7c571f375c80945b5f889705ae412db32d3419d747e796429e39132f48"),
        (160, 68.8, 89.0, "e374bc70066dde0c3af6cb4c98ecd8707800d71d11353c4cc359b3069415f23e"),
        (128, 65.3, 86.9, "f692e341cf1529df4f7e68ed13d0284ad8796ade1108f802eec135abc1fc1b83"),
        (96, 60.3, 83.2, "8f0377b71d79f5626c5198f248b476d2604b3e4e596ca4076e1b1f8fcd3f3844"),
    ],
    0.75: [
        (224, 69.8, 89.6, "335cd22c7e1c5e80205dedd6e2ff5d1d8af5c29074496eb047fd621349e10cc5"),
        (192, 68.7, 88.9, "40efef9324376d47b872d1cd6e4de8ba7c9323b6203252aa66dc2b2413e0dc8d"),
        (160, 66.4, 87.3, "904d1a1f84c329ad766464d132f697e96814685853c45c6ee4dd21877ada36bc"),
        (128, 63.2, 85.3, "9ac932679a9fb1304bc1435bb7fa30e1b2fcaa7f49e0902da24d154ec83f9302"),
        (96, 58.8, 81.6, "bdf06eec5478dbb1bb9e01648637d8acd4cc500f72e1a3dad01ba45642e31e6f"),
    ],
    0.5: [
        (224, 65.4, 86.4, "813febbdbe2a7a50055ee2f6b374938aed03e2f607f63f3479622aefc4e12b00"),
        (192, 63.9, 85.4, "5a344ed91cded5d420b6c65d47343ee60b43b570953b0feed4ee95451a679dd5"),
        (160, 61.0, 83.2, "f89c879b1a45c5d677ad7fe499f08a7854ef1772f0f5ae5d606afaaa87218e45"),
        (128, 57.7, 80.8, "ba078efd101c2308fb978467084f0ec12485ed8bfbb7695e477587b3272a1d66"),
        (96, 51.2, 75.8, "71a814047d7729bad711ae3e7db30e6c32999a1189f88d328b73939f7aa80d62"),
    ],
    0.35: [
        (224, 60.3, 82.9, "efcc34277c52f7dd4b0b26c2f52686793f4ea5fdddc899ac5aac9eb8d5861550"),
        (192, 58.2, 81.2, "5dec603e2714a780c3cfc0656dac51bf2f4b354c4f7acda879ad5b6017f3f55b"),
        (160, 55.7, 79.1, "e579b5b50f47e88dc0c4390d20a396658b97457182f83905154a8a687ba15fa7"),
        (128, 50.8, 75.0, "c21a8f89e2e1a49e9002b1e1b871f3c92695ccb0cd64e7e7a21b71f2820beddb"),
        (96, 45.5, 70.4, "282996bca7d799d0172ce5d34ac59dea497c4c75f069a8b466bb944c6f843353"),
    ],
}
NAMES = {(1.0, 224): "mobilenet_v2", (1.4, 224): "mobilenet_v2_140", (0.35, 96): "mobilenet_v2_035"}


def pretrained(width: float, published: Iterable[Row]) -> Iterator[Pretrained]:
    """The one network of a width, with each of its weights."""
    architecture = Architecture(
        build=partial(mobilenet_v2, width=width),
        embedding="global_pool",
        logits="Logits",
        classifier="MobilenetV2/Logits/Conv2d_1c_1x1/biases",
        paper="https://arxiv.org/abs/1801.04381",
        source=slim.source("mobilenet/mobilenet_v2.py"),
    )
    for size, top1, top5, sha256 in published:
        yield Pretrained(
            NAMES.get((width, size), f"mobilenet_v2_{100 * width:03.0f}_{size}"),
            architecture,
            size=size,
            preprocess=preprocess.inception,
            classes=1001,
            top1=top1,
            top5=top5,
            weights=PublishedWeights(
                f"https://storage.googleapis.com/mobilenet_v2/checkpoints/mobilenet_v2_{width}_{size}.tgz",
                licence="Apache-2.0",
                digest=f"sha256:{sha256}" if sha256 else None,
            ),
        )


PRETRAINED = [each for width, rows in PUBLISHED.items() for each in pretrained(width, rows)]
