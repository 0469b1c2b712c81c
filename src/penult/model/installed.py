"""Whether weights by name are on this machine, told by their files' being there: none is read."""

from importlib.util import find_spec
from pathlib import Path

from penult import hub
from penult.model.published import place
from penult.nets import PackagedWeights, PublishedWeights


def is_installed(name: str, weights: PackagedWeights | PublishedWeights | str | None) -> bool:
    """Whether a network runs without anything being fetched.

    Args:
        name: Its name.
        weights: Where its weights come from: a package, an address, or a repository of the hub by
            its name; None if they are nowhere.
    """
    if isinstance(weights, PackagedWeights):
        return packaged(weights) is not None
    if isinstance(weights, PublishedWeights):
        return place(name, weights).is_file()
    return weights is not None and hub.is_here(weights)


def packaged(weights: PackagedWeights) -> Path | None:
    """The file of weights that come as a package, if that is installed."""
    module, _, file = weights.path.partition("/")
    package = find_spec(module)
    if package is None or not package.submodule_search_locations:
        return None
    return Path(package.submodule_search_locations[0], file)
