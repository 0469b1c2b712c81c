"""Write a graph as an ONNX model: for the engine with its weights beside it, or as a file.

By hand rather than with the `onnx` package, which takes as long to import as the model takes to
load; the tests hold the result against that package's checker.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import prod
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from penult.engine import Cut
from penult.errors import UsageError
from penult.graph.tokens import portable
from penult.graph.values import Array, Constant, Value, Variable, constants, walk
from penult.onnx.messages import MICROSOFT, external, located, node, opset, tensor, value_info
from penult.util.files import replacing, sync
from penult.util.protobuf import encode, opening
from penult.util.text import quoted
from penult.version import __version__

OPSET = 17  # the newest that OpenVINO, TensorRT and CoreML of recent years all read
IR_VERSION = 8
MAX_BYTES = 2**31 - 1  # what Protocol Buffers read
ALIGNMENT = 4096  # bytes, of weights in a file of their own, so that they can be mapped into memory

Read: TypeAlias = Callable[[Variable], Array]

_HEADER = (1, IR_VERSION), (2, "penult"), (3, __version__)
_OPSET = 8, opset(OPSET)
_OPSET_OF_ENGINE = 8, opset(1, MICROSOFT)


def to_onnx(outputs: Mapping[str, Value], read: Read) -> Cut:
    """Write the part of a graph that `outputs` need, for an engine.

    Args:
        outputs: The layers to compute, by the names that the model's outputs shall have.
        read: Gives a variable's array, of the variable's shape.

    Returns:
        A model whose initializers are external; its inputs have the names of the graph's, mostly
        `images`, float32 (n, height, width, channels).
    """
    nodes, used, ends = _parts(outputs)
    initializers = [
        external(name, constant.shape, constant.dtype) for name, constant in used.items()
    ]
    graph = nodes + encode(*((5, initializer) for initializer in initializers)) + ends
    return Cut(
        encode(*_HEADER, (7, graph), _OPSET, _OPSET_OF_ENGINE),
        {
            name: to_array(constant, *map(read, constant.variables))
            for name, constant in used.items()
        },
        {name: value.shape for name, value in outputs.items()},
    )


def write_onnx(
    path: Path,
    outputs: Mapping[str, Value],
    read: Read,
    metadata: Mapping[str, str],
    limit: int = MAX_BYTES,
) -> None:
    """Write the part of a graph that `outputs` need as a file of its own, weights included.

    Where that would be larger than ONNX allows, the weights go into a file beside it, with the same
    name and `.data` at the end. At most one constant of the graph is in memory at a time. Files are
    written beside their final names, synced and renamed, so that an existing one is replaced whole
    or not at all; there is never a file beside another's weights.

    Args:
        path: The file.
        outputs: The layers to compute, by the names that the model's outputs shall have.
        read: Gives a variable's array, of the variable's shape.
        metadata: What the file shall say of itself; see `penult.onnx.origin`.
        limit: How many bytes it may have.

    Raises:
        UsageError: The file can't be written.
    """
    parts = _parts(portable(outputs))
    pieces = _assemble(parts, _embed(parts.constants), metadata)
    try:
        if sum(map(_bytes, pieces)) <= limit:
            with replacing(path) as temporary:
                _write(temporary, pieces, read)
        else:
            _write_two(path, parts, read, metadata)
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise UsageError(f"can't write {quoted(path)}: {reason.lower()}") from exc


class Nodes(NamedTuple):
    """The operators of a graph, and what they take from outside."""

    encoded: list[bytes]
    inputs: dict[str, Value]
    constants: dict[str, Constant]


def encode_nodes(outputs: Mapping[str, Value], prefix: str = "") -> Nodes:
    """Write the operators that `outputs` need, in the order of computation.

    Args:
        outputs: The values to compute, by the names that they shall have.
        prefix: What the names of all other values and constants, but inputs, shall begin with.
    """
    used = {
        f"{prefix}initializer_{i}": constant
        for i, constant in enumerate(constants(outputs.values()))
    }
    names: dict[Value | Constant, str] = {constant: name for name, constant in used.items()}
    nodes, inputs = [], {}
    for index, value in enumerate(walk(outputs.values())):
        if value.op == "Input":
            names[value] = value.attributes["name"]
            inputs[names[value]] = value
        else:
            names[value] = f"{prefix}{value.op.lower()}_{index}"
            sources = [names[source] for source in value.inputs]
            nodes.append(node(value.op, sources, names[value], value.attributes))
    nodes += [node("Identity", [names[value]], name, {}) for name, value in outputs.items()]
    return Nodes(nodes, inputs, used)


def to_array(constant: Constant, *arrays: Array) -> Array:
    """Compute a constant from its variables' arrays: contiguous, aligned, of its shape and type."""
    array = constant.compute(*arrays)
    return np.require(array, constant.dtype, ["C", "ALIGNED"]).reshape(constant.shape)


class _Parts(NamedTuple):
    """A graph without its initializers; what stands before and after them, encoded."""

    nodes: bytes
    constants: dict[str, Constant]
    ends: bytes  # inputs and outputs


_Piece: TypeAlias = bytes | Constant  # of a file: as it is, or the constant's numbers


def _parts(outputs: Mapping[str, Value]) -> _Parts:
    nodes, inputs, used = encode_nodes(outputs)
    return _Parts(
        encode(*((1, encoded) for encoded in nodes), (2, "penult")),
        used,
        encode(*_stated(11, inputs), *_stated(12, outputs)),
    )


def _stated(field: int, values: Mapping[str, Value]) -> list[tuple[int, bytes]]:
    """The graph's inputs or outputs, with shapes and types."""
    return [
        (field, value_info(name, ("n", *_sizes(value)), value.dtype))
        for name, value in values.items()
    ]


def _sizes(value: Value) -> tuple[int | str, ...]:
    """An example's sizes, the first by a name where it varies."""
    is_free = "is_free" in value.attributes
    return (f"{value.attributes['name']}_length", *value.shape[1:]) if is_free else value.shape


def _embed(used: Mapping[str, Constant]) -> Iterator[_Piece]:
    """Initializers with their numbers."""
    for name, constant in used.items():
        numbers = _bytes(constant)
        before = tensor(name, constant.shape, constant.dtype) + opening(9, numbers)
        yield opening(5, len(before) + numbers) + before
        yield constant


def _bytes(piece: _Piece) -> int:
    if isinstance(piece, bytes):
        return len(piece)
    return np.dtype(piece.dtype).itemsize * prod(piece.shape)


def _assemble(
    parts: _Parts, initializers: Iterable[_Piece], metadata: Mapping[str, str]
) -> list[_Piece]:
    """All pieces of a file, in order."""
    graph = [parts.nodes, *initializers, parts.ends]
    properties = ((14, encode((1, key), (2, value))) for key, value in metadata.items())
    header = encode(*_HEADER, _OPSET, *properties) + opening(7, sum(map(_bytes, graph)))
    return [header, *graph]


def _write_two(path: Path, parts: _Parts, read: Read, metadata: Mapping[str, str]) -> None:
    """Write a file, and one beside it that has the numbers of all constants."""
    data = path.with_name(f"{path.name}.data")
    numbers: list[_Piece] = []
    initializers, end = [], 0
    for name, constant in parts.constants.items():
        gap = -end % ALIGNMENT
        numbers += [bytes(gap), constant]
        place = data.name, end + gap, _bytes(constant)
        initializers.append(encode((5, located(name, constant.shape, constant.dtype, *place))))
        end += gap + _bytes(constant)
    with replacing(path) as model, replacing(data) as temporary:
        _write(temporary, numbers, read)
        _write(model, _assemble(parts, initializers, metadata), read)
        sync([model, temporary])
        path.unlink(missing_ok=True)  # whose data it isn't


def _write(path: Path, pieces: Iterable[_Piece], read: Read) -> None:
    with path.open("wb") as file:
        for piece in pieces:
            if isinstance(piece, Constant):
                array = to_array(piece, *map(read, piece.variables))
                file.write(array.astype(array.dtype.newbyteorder("<"), copy=False).data)
            else:
                file.write(piece)
