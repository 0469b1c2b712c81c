"""Look into a weights file: its variables, what each is for, and the network that they make."""

import math
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from penult.checkpoints import Checkpoint, open_checkpoint
from penult.checkpoints.base import Array
from penult.errors import NetworkError, UsageError
from penult.graph import variables
from penult.model.description import OnnxDescription, describe_onnx
from penult.model.matching import AVERAGE, candidates, classes, copies, fit, unknown
from penult.model.repositories import bring, is_known
from penult.nets import Card, Pretrained, read_designs
from penult.nets.design import pretrained
from penult.onnx.file import OnnxFile, is_onnx
from penult.util.result import Result, Row
from penult.util.text import plural

Role = Literal["network", "average", "slot", "counter", "left over"]

STEP = "global_step"
COUNTERS = (STEP, "save_counter", "num_batches_tracked")
_PIECE = 1 << 18  # numbers looked at at once
OPTIMIZERS = ("optimizer", "optimizer_weights", "beta1_power", "beta2_power")


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a tensor's values are like; of those that are finite."""

    mean: float
    std: float
    min: float
    max: float
    nonfinite: int


@dataclass(frozen=True, slots=True)
class Variable:
    """One tensor of the file.

    `role` is `network` for what the recognised network uses, `average` for a variable's moving
    average, `slot` for what an optimiser keeps, `counter` for a number of steps, or `left over`.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    role: Role
    statistics: Statistics | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Inspection(Result):
    """What a weights file holds.

    Attributes:
        path: The file.
        format: Its kind.
        bytes: Its size, of all files together.
        step: The training step that it was saved at, if it says so.
        networks: The names of the networks whose features can be computed from it; several where
            only the size of the input tells them apart.
        prefixes: What stands before the names of each copy of that network.
        classes: Of its classifier; None if it has none.
        missing: What the network lacks up to its classifier; why none fits if none does.
        variables: All tensors, moving averages that lie apart at the end.
        onnx: Of an ONNX file, its inputs, outputs and layers, and which would be the features.
    """

    path: Path
    format: str
    bytes: int
    step: int | None
    networks: tuple[str, ...]
    prefixes: tuple[str, ...]
    classes: int | None
    missing: tuple[str, ...]
    variables: tuple[Variable, ...]
    onnx: OnnxDescription | None = None

    def _summary(self) -> str:
        networks = ", ".join(self.networks) or "no known network"
        held = f"{networks}, {plural(len(self.variables), 'variable')}"
        return f"{self.path.name}, {self.format}, {held}"

    def _rows(self) -> tuple[Sequence[str], Iterable[Row]]:
        rows = ((each.name, str(each.shape), each.dtype, each.role) for each in self.variables)
        return ("variable", "shape", "dtype", "role"), rows

    def of(self, role: Role) -> list[Variable]:
        """List the variables that have a role."""
        return [variable for variable in self.variables if variable.role == role]


def inspect(weights: str | Path, *, statistics: bool = False) -> Inspection:
    """Tell what a weights file holds, without computing any features.

    Args:
        weights: The file, or whatever `load_model` takes; a folder or a repository of the hub too.
        statistics: Read all tensors, and tell mean, deviation, extremes and non-finite values.

    Raises:
        CheckpointError: The file can't be read.

    Example:
        >>> import penult
        >>> penult.inspect("tests/reference/checkpoints/mobilenet_v1_025_v2").format
        'TensorFlow (V2)'
    """
    if is_onnx(weights):
        return _inspect_onnx(OnnxFile(weights), statistics=statistics)
    is_repository = not Path(weights).exists() and is_known(str(weights))
    brought = bring(str(weights), None) if is_repository else bring(None, weights)
    checkpoint = open_checkpoint(brought.weights)
    shapes = checkpoint.shapes
    used: set[str] = set()
    number = None
    missing: tuple[str, ...] = ()
    networks: list[Pretrained] = []
    try:
        designs = read_designs(shapes, brought.card or Card())
        networks = [pretrained(design) for design in designs.values()] or candidates(shapes)
    except (UsageError, NetworkError) as exc:  # which one it is has to be said
        missing = (str(exc),)
    if networks:
        spec, architecture = networks[0], networks[0].architecture
        number = classes(spec, shapes)
        layers = spec.layers(number)
        last = layers[architecture.logits or architecture.embedding]
        whole = fit(variables([last]), shapes)
        used = {whole.scope + variable.name for variable in variables(layers.values())}
        missing = whole.differences
    elif not missing:
        missing = (unknown(checkpoint, brought.card),)
    return Inspection(
        path=checkpoint.path,
        format=checkpoint.format,
        bytes=sum(file.size for file in checkpoint.files),
        step=_step(checkpoint),
        networks=tuple(dict.fromkeys(spec.name for spec in networks)),
        prefixes=tuple(copies(networks[0], shapes)) if networks else (),
        classes=number or None,
        missing=missing,
        variables=tuple(_variables(checkpoint, used, statistics=statistics)),
    )


def _inspect_onnx(file: OnnxFile, *, statistics: bool) -> Inspection:
    described = describe_onnx(file)
    variables = (
        Variable(
            name,
            tensor.shape,
            tensor.dtype,
            "network",
            _statistics(file.read(name)) if statistics else None,
        )
        for name, tensor in file.tensors.items()
    )
    return Inspection(
        path=file.path,
        format=f"ONNX (opset {file.opset})",
        bytes=sum(each.size for each in file.files),
        step=None,
        networks=(file.origin.network,) if file.origin else (),
        prefixes=(),
        classes=None,
        missing=(),
        variables=tuple(variables),
        onnx=described,
    )


def _step(checkpoint: Checkpoint) -> int | None:
    """Read the step from its variable, or from where PyTorch's trainers note it."""
    if checkpoint.shapes.get(STEP) == ():
        return int(checkpoint[STEP])
    noted = checkpoint.metadata.get(STEP, "")
    return int(noted) if noted.isdecimal() else None


def _variables(
    checkpoint: Checkpoint, used: Collection[str], *, statistics: bool
) -> Iterator[Variable]:
    for name, shape in checkpoint.shapes.items():
        values = _statistics(checkpoint[name]) if statistics else None
        role = _role(name, used, checkpoint)
        yield Variable(name, shape, checkpoint.dtypes[name], role, values)
    for name, tensor in checkpoint.averages.items():
        values = _statistics(tensor.read()) if statistics else None
        if name not in checkpoint:
            yield Variable(name, tensor.shape, tensor.dtype, "average", values)


def _role(name: str, used: Collection[str], known: Collection[str]) -> Role:
    scope, _, last = name.rpartition("/")
    if name in used:
        return "network"
    if name.endswith(AVERAGE):
        return "average"
    if scope in known or re.split(r"[/.]", name)[0] in OPTIMIZERS:
        return "slot"  # a slot is named after its variable: conv1/weights/Momentum
    return "counter" if last.rpartition(".")[2] in COUNTERS else "left over"


def _statistics(array: Array) -> Statistics | None:
    """Compute in float64, piece by piece; None where there is no finite number, as in strings."""
    if array.dtype.kind not in "fiub":
        return None
    with np.errstate(over="ignore"):
        count = sum(piece.size for piece in _finite(array))
        if not count:
            return None
        mean = math.fsum(float(piece.sum()) for piece in _finite(array)) / count
        squares = math.fsum(float(((piece - mean) ** 2).sum()) for piece in _finite(array))
    low = min(float(piece.min()) for piece in _finite(array))
    high = max(float(piece.max()) for piece in _finite(array))
    return Statistics(mean, math.sqrt(squares / count), low, high, array.size - count)


def _finite(array: Array) -> Iterator[Array]:
    """The finite numbers of an array, some at a time; none of these pieces is empty."""
    flat = array.reshape(-1)
    for at in range(0, flat.size, _PIECE):
        piece = flat[at : at + _PIECE]
        finite = piece[np.isfinite(piece)].astype(np.float64)
        if finite.size:
            yield finite
