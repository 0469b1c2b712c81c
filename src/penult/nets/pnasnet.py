"""PNASNet-5. Liu et al. 2017, arXiv:1712.00559, figure 1.

As in TF-Slim's pnasnet.py: variables and layers have its names; the auxiliary head, which only
training needs, is left out.
"""

from functools import partial

from penult.graph import Value
from penult.images import preprocess
from penult.nets import slim
from penult.nets.nasnet import Cell, cell, classify, identity, max3, sep3, sep5, sep7, stem
from penult.nets.spec import Architecture, Build, Layers, Pretrained

CELL = Cell(
    blocks=(
        ((sep5, 1), (max3, 1)),
        ((sep7, 0), (max3, 0)),
        ((sep5, 0), (sep3, 0)),
        ((sep3, 4), (max3, 0)),
        ((sep3, 1), (identity, 0)),
    ),
    output=(2, 3, 4, 5, 6),
)


def pnasnet(
    images: Value, classes: int, *, repeats: int, filters: int, stem_filters: int
) -> Layers:
    """Build the network: three stages of `repeats` cells; a stage's stride is in its first cell."""
    layers = {}
    before, x = stem(images, stem_filters, CELL, filters)
    layers["Stem"] = x
    for i in range(3 * repeats):
        stride = 2 if i in (repeats, 2 * repeats) else 1
        filters *= stride
        before, x = x, cell(x, before, f"cell_{i}", CELL, filters, stride)
        layers[f"Cell_{i}"] = x
    classify(layers, x, classes)
    return layers


def pretrained(
    build: Build, name: str, size: int, top1: float, top5: float, archive: str
) -> Pretrained:
    """The network of one size, with the weights that TF-Slim publishes of it."""
    architecture = Architecture(
        build=build,
        embedding="global_pool",
        logits="Logits",
        classifier="final_layer/FC/biases",
        paper="https://arxiv.org/abs/1712.00559",
        source=slim.source("nasnet/pnasnet.py"),
    )
    return Pretrained(
        name,
        architecture,
        size=size,
        preprocess=preprocess.inception,
        classes=1001,
        top1=top1,
        top5=top5,
        weights=slim.published(archive),
    )


MOBILE = partial(pnasnet, repeats=3, filters=54, stem_filters=32)
LARGE = partial(pnasnet, repeats=4, filters=216, stem_filters=96)

PRETRAINED = [
    # network, its name, input size, top-1, top-5, archive
    pretrained(MOBILE, "pnasnet_mobile", 224, 74.2, 91.9, "pnasnet-5_mobile_2017_12_13.tar.gz"),
    pretrained(LARGE, "pnasnet_large", 331, 82.9, 96.2, "pnasnet-5_large_2017_12_13.tar.gz"),
]
