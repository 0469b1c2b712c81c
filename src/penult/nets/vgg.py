"""VGG with 11 (A), 16 (D) and 19 (E) layers. Simonyan & Zisserman 2014, arXiv:1409.1556, table 1.

Variables and layers have the names of TF-Slim's vgg.py.
"""

from collections.abc import Sequence
from functools import partial

from penult.graph import Value, global_avg_pool, max_pool, relu
from penult.images import preprocess
from penult.nets import slim
from penult.nets.spec import Architecture, Layers, Pretrained

WIDTHS = (64, 128, 256, 512, 512)


def vgg(images: Value, classes: int, *, name: str, convolutions: Sequence[int]) -> Layers:
    """Build the network of so many convolutions a stage.

    The dense layers are convolutions, as in the published checkpoints.

    On larger images than those of training the class scores are averaged (section 3.2).
    """
    layers = {}
    x = images
    for stage, (repeats, width) in enumerate(zip(convolutions, WIDTHS, strict=True), start=1):
        for i in range(1, repeats + 1):
            scope = f"{name}/conv{stage}/conv{stage}_{i}"
            x = layers[scope] = relu(slim.conv_bias(x, scope, width, 3))
        x = layers[f"{name}/pool{stage}"] = max_pool(x, 2, stride=2)
    fc6, fc7, fc8 = f"{name}/fc6", f"{name}/fc7", f"{name}/fc8"
    x = layers[fc6] = relu(slim.conv_bias(x, fc6, 4096, 7, padding="VALID"))
    x = layers[fc7] = relu(slim.conv_bias(x, fc7, 4096, 1))
    layers[fc8] = global_avg_pool(slim.conv_bias(x, fc8, classes, 1))
    return layers


def pretrained(
    name: str,
    convolutions: Sequence[int],
    archive: str | None = None,
    top1: float | None = None,
    top5: float | None = None,
) -> Pretrained:
    """The network of one column of table 1, with the weights that TF-Slim publishes of it."""
    architecture = Architecture(
        build=partial(vgg, name=name, convolutions=convolutions),
        embedding=f"{name}/fc7",
        logits=f"{name}/fc8",
        classifier=f"{name}/fc8/biases",
        paper="https://arxiv.org/abs/1409.1556",
        source=slim.source("vgg.py"),
    )
    return Pretrained(
        name,
        architecture,
        size=224,
        preprocess=preprocess.vgg,
        top1=top1,
        top5=top5,
        weights=slim.published(archive, "CC-BY-4.0") if archive else None,
    )


PRETRAINED = [
    # name, convolutions a stage, archive, top-1, top-5
    pretrained("vgg_a", (1, 1, 2, 2, 2)),
    pretrained("vgg_16", (2, 2, 3, 3, 3), "vgg_16_2016_08_28.tar.gz", 71.5, 89.8),
    pretrained("vgg_19", (2, 2, 4, 4, 4), "vgg_19_2016_08_28.tar.gz", 71.1, 89.8),
]
