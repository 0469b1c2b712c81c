"""VGG with 11 (A), 16 (D) and 19 (E) layers. Simonyan & Zisserman 2014, arXiv:1409.1556, table 1.

Variables and layers have the names of TF-Slim's vgg.py.
"""

from functools import partial

from penult.graph import Value, global_avg_pool, max_pool, relu
from penult.nets import slim
from penult.nets.spec import Layers, NetSpec

WIDTHS = (64, 128, 256, 512, 512)
CONVOLUTIONS = {"vgg_a": (1, 1, 2, 2, 2), "vgg_16": (2, 2, 3, 3, 3), "vgg_19": (2, 2, 4, 4, 4)}


def vgg(images: Value, classes: int, *, name: str) -> Layers:
    """Build the network; the dense layers are convolutions, as in the published checkpoints.

    On larger images than those of training the class scores are averaged (section 3.2).
    """
    layers = {}
    x = images
    for stage, (repeats, width) in enumerate(zip(CONVOLUTIONS[name], WIDTHS, strict=True), start=1):
        for i in range(1, repeats + 1):
            scope = f"{name}/conv{stage}/conv{stage}_{i}"
            x = layers[scope] = relu(slim.conv_bias(x, scope, width, 3))
        x = layers[f"{name}/pool{stage}"] = max_pool(x, 2, stride=2)
    fc6, fc7, fc8 = f"{name}/fc6", f"{name}/fc7", f"{name}/fc8"
    x = layers[fc6] = relu(slim.conv_bias(x, fc6, 4096, 7, padding="VALID"))
    x = layers[fc7] = relu(slim.conv_bias(x, fc7, 4096, 1))
    layers[fc8] = global_avg_pool(slim.conv_bias(x, fc8, classes, 1))
    return layers


def _spec(name: str, top1: float | None = None, top5: float | None = None) -> NetSpec:
    file = f"{name}_2016_08_28.tar.gz"
    return NetSpec(
        name=name,
        build=partial(vgg, name=name),
        size=224,
        preprocessing="vgg",
        features=f"{name}/fc7",
        logits=f"{name}/fc8",
        classifier=f"{name}/fc8/biases",
        paper="https://arxiv.org/abs/1409.1556",
        source="https://github.com/tensorflow/models/blob/master/research/slim/nets/vgg.py",
        top1=top1,
        top5=top5,
        weights=slim.published(file, "CC-BY-4.0") if top1 else None,
    )


NETS = [_spec("vgg_a"), _spec("vgg_16", 71.5, 89.8), _spec("vgg_19", 71.1, 89.8)]
