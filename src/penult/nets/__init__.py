"""The networks, one file a family, and the registry that names them."""

from fnmatch import fnmatchcase
from pathlib import Path

from penult.errors import UsageError
from penult.nets import (
    alexnet_v2,
    cifarnet,
    efficientnet_lite,
    inception_resnet_v2,
    inception_v1,
    inception_v2,
    inception_v3,
    inception_v4,
    lenet,
    mobilenet_v1,
    mobilenet_v2,
    mobilenet_v3,
    nasnet,
    overfeat,
    pnasnet,
    resnet_v1,
    resnet_v2,
    spec,
    vgg,
)
from penult.nets.spec import Description, Layer, Layers, NetSpec, PackagedWeights, PublishedWeights
from penult.util.text import nearest, quoted

__all__ = [
    "DEFAULT",
    "NETS",
    "Description",
    "Layer",
    "Layers",
    "NetSpec",
    "PackagedWeights",
    "PublishedWeights",
    "class_names",
    "describe",
    "find",
    "get",
]

FAMILIES = [
    efficientnet_lite.NETS,
    inception_v1.NETS,
    inception_v2.NETS,
    inception_v3.NETS,
    inception_v4.NETS,
    inception_resnet_v2.NETS,
    resnet_v1.NETS,
    resnet_v2.NETS,
    vgg.NETS,
    alexnet_v2.NETS,
    overfeat.NETS,
    lenet.NETS,
    cifarnet.NETS,
    mobilenet_v1.NETS,
    mobilenet_v2.NETS,
    mobilenet_v3.NETS,
    nasnet.NETS,
    pnasnet.NETS,
]
DEFAULT = "efficientnet_lite0"


def _registry() -> dict[str, NetSpec]:
    nets: dict[str, NetSpec] = {}
    for net in (net for family in FAMILIES for net in family):
        if net.name in nets:
            raise RuntimeError(f"two networks are named {net.name!r}")
        nets[net.name] = net
    return nets


NETS = _registry()


def get(name: str) -> NetSpec:
    """Return the network of that name.

    Raises:
        UsageError: There is none; the message names the nearest.
    """
    if name not in NETS:
        known = nearest(name, NETS)
        raise UsageError(
            f"no network is named {quoted(name)}; nearest: {known} (see `penult models`)"
        )
    return NETS[name]


def find(pattern: str = "*") -> list[NetSpec]:
    """List the networks whose name matches a shell-style pattern, in the registry's order."""
    return [net for name, net in NETS.items() if fnmatchcase(name, pattern)]


def describe(name: str, *, size: int | None = None) -> Description:
    """List a network's layers with their shapes, parameters and multiply-adds.

    Args:
        name: The network.
        size: Pixels of its square input; by default those that it was trained with.

    Raises:
        UsageError: No network has that name; the message names the nearest.
        NetworkError: Images of that size are too small for the network.

    Example:
        >>> import penult
        >>> penult.describe("efficientnet_lite0")["pooled_features"].shape
        (1280,)
    """
    return spec.describe(get(name), size=size)


def class_names(classes: int) -> list[str]:
    """Name the classes of a classifier, in its order.

    The 1000 of ILSVRC-2012 by name; 1001 have `background` before them; classes of any other
    number are the user's own and go by their index.
    """
    if classes not in (1000, 1001):
        return [str(i) for i in range(classes)]
    table = Path(__file__).with_name("imagenet_classes.tsv").read_text(encoding="utf-8")
    names = [line.split("\t")[1] for line in table.splitlines()]
    return names if classes == 1000 else ["background", *names]
