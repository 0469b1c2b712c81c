"""The networks, one file a family, and the registry that names them."""

from difflib import get_close_matches
from fnmatch import fnmatchcase
from importlib.resources import files

from penult.errors import UsageError
from penult.nets import efficientnet_lite
from penult.nets.spec import LayerInfo, Layers, NetSpec, PackagedWeights, layer_info

__all__ = [
    "DEFAULT",
    "NETS",
    "LayerInfo",
    "Layers",
    "NetSpec",
    "PackagedWeights",
    "class_names",
    "find",
    "get",
    "layer_info",
]

FAMILIES = [efficientnet_lite.NETS]
DEFAULT = "efficientnet_lite0"


def _registry() -> dict[str, NetSpec]:
    nets: dict[str, NetSpec] = {}
    for spec in (spec for family in FAMILIES for spec in family):
        if spec.name in nets:
            raise RuntimeError(f"two networks are named {spec.name!r}")
        nets[spec.name] = spec
    return nets


NETS = _registry()


def get(name: str) -> NetSpec:
    """Return the network of that name.

    Raises:
        UsageError: There is none; the message names the nearest.
    """
    if name not in NETS:
        near = get_close_matches(name, NETS, n=3) or sorted(NETS)[:3]
        raise UsageError(
            f"no network is named {name!r}; nearest: {', '.join(near)} (see `penult models`)"
        )
    return NETS[name]


def find(pattern: str = "*") -> list[NetSpec]:
    """List the networks whose name matches a shell-style pattern, in the registry's order."""
    return [spec for name, spec in NETS.items() if fnmatchcase(name, pattern)]


def class_names(classes: int) -> list[str]:
    """Name the classes of a classifier, in its order.

    The 1000 of ILSVRC-2012 by name; 1001 have `background` before them; classes of any other
    number are the user's own and go by their index.
    """
    if classes not in (1000, 1001):
        return [str(i) for i in range(classes)]
    table = files("penult.nets").joinpath("imagenet_classes.tsv").read_text(encoding="utf-8")
    names = [line.split("\t")[1] for line in table.splitlines()]
    return names if classes == 1000 else ["background", *names]
