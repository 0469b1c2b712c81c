"""Describe a network: one of the registry, or what a weights file holds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from penult import nets
from penult.checkpoints import open_checkpoint
from penult.errors import NetworkError, UsageError
from penult.model.matching import classes
from penult.model.network import network_of
from penult.model.repositories import bring, is_known
from penult.nets import Description, spec
from penult.onnx.file import OnnxFile, is_onnx
from penult.onnx.reader import Input
from penult.util.result import Result, Row
from penult.util.text import plural, quoted

Shape = tuple[int, ...]

SIZE = 224  # pixels, for which layers are shown of files that take any size


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of an ONNX file; None for a size that varies or isn't stated."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True, slots=True, repr=False)
class OnnxDescription(Result):
    """An ONNX file as a network.

    Attributes:
        path: The file.
        opset: The version of ONNX's operators that it uses.
        producer: The program that wrote it, as far as it says.
        inputs: Its inputs, as it states them.
        outputs: Its outputs, as it states them.
        size: Height and width in pixels of the images that `layers` are for.
        layers: All that can be features, in order, each with its shape for one image, channels
            last; empty if ONNX Runtime can't run the file.
        features: The layers taken by default; empty if one has to be chosen.
        reason: Why these are taken, or what has to be chosen from.
    """

    path: Path
    opset: int
    producer: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    size: tuple[int, int]
    layers: Mapping[str, Shape]
    features: tuple[str, ...]
    reason: str

    def _summary(self) -> str:
        taken = ", ".join(self.features) or "none is chosen"
        return f"{self.path.name}, {plural(len(self.layers), 'layer')}, features {taken}"

    def _rows(self) -> tuple[Sequence[str], Iterable[Row]]:
        return ("layer", "shape"), ((name, str(shape)) for name, shape in self.layers.items())


@overload
def describe(name: str, *, weights: None = None, size: int | None = None) -> Description: ...


@overload
def describe(
    name: str | None = None, *, weights: str | Path | None = None, size: int | None = None
) -> Description | OnnxDescription: ...


def describe(
    name: str | None = None, *, weights: str | Path | None = None, size: int | None = None
) -> Description | OnnxDescription:
    """List a network's layers with their shapes, parameters and multiply-adds.

    Args:
        name: The network, or a repository of the hub, which is fetched; by default the one that
            `weights` hold.
        weights: A weights file; of one of ONNX, which is a network by itself, inputs and outputs
            are listed too, and which layer would be the features.
        size: Pixels of its square input; by default those that it was trained with.

    Raises:
        UsageError: No network has that name; the message names the nearest. Or none is named.
        NetworkError: Images of that size are too small for the network, or the weights are of none
            that is known.
        CheckpointError: The weights file can't be read.

    Example:
        >>> import penult
        >>> penult.describe("efficientnet_lite0")["pooled_features"].shape
        (1280,)
    """
    if weights is None and name is None:
        raise UsageError("describe takes a network's name or a weights file (-w)")
    if weights is None and name and (nets.lookup(name) or not is_known(name)):
        return nets.describe(name, size=size)
    if weights is not None and is_onnx(weights):
        if name:
            raise UsageError(f"{quoted(Path(weights))} is a network by itself: leave out the name")
        return describe_onnx(OnnxFile(weights), size)
    brought = bring(name, weights)
    checkpoint = open_checkpoint(brought.weights)
    found = network_of(brought, checkpoint, size)
    return spec.describe(found, classes(found, checkpoint.shapes), size)


def describe_onnx(file: OnnxFile, size: int | None = None) -> OnnxDescription:
    """Describe an ONNX file; that it can't be run is part of the description.

    Raises:
        UsageError: The size isn't that of the file.
    """
    size = file.checked_size(size or (None if file.sides else SIZE))
    inputs, outputs = file.signature
    layers: Mapping[str, Shape] = {}
    features: tuple[str, ...] = ()
    try:
        layers = file.shapes(size)
        choice = file.choose(size)
        features, reason = choice.layers, choice.reason
    except (NetworkError, UsageError) as exc:
        reason = str(exc)
    return OnnxDescription(
        path=file.path,
        opset=file.opset,
        producer=file.producer,
        inputs=tuple(map(_port, inputs)),
        outputs=tuple(map(_port, outputs)),
        size=file.sides_of(size),
        layers=layers,
        features=features,
        reason=reason,
    )


def _port(stated: Input) -> Port:
    return Port(stated.name, stated.dtype, stated.shape)
