"""The networks, one file a family, and the registry that names them."""

from fnmatch import fnmatchcase
from pathlib import Path

from penult.nets import spec
from penult.nets.design import Card, card_named
from penult.nets.registry import DEFAULT, get, lookup, made_again, networks, ours, read_designs
from penult.nets.spec import (
    Architecture,
    Description,
    Layer,
    Layers,
    PackagedWeights,
    Pretrained,
    PublishedWeights,
)

__all__ = [
    "DEFAULT",
    "Architecture",
    "Card",
    "Description",
    "Layer",
    "Layers",
    "PackagedWeights",
    "Pretrained",
    "PublishedWeights",
    "card_named",
    "class_names",
    "describe",
    "find",
    "get",
    "lookup",
    "made_again",
    "networks",
    "ours",
    "read_designs",
]


def find(pattern: str = "*") -> list[Pretrained]:
    """List the networks whose name matches a shell-style pattern, in the registry's order."""
    return [network for network in networks() if fnmatchcase(network.name, pattern)]


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
