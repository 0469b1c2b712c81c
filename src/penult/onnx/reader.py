"""Reads an ONNX file of any program, and checks what it holds before an engine sees it.

Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. Only what a network of plain
layers needs is let through: ONNX's own operators, float32 images in, all weights in the file
itself, and no control flow, which is where a model can loop for ever.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from types import MappingProxyType

from penult.onnx.messages import DTYPES
from penult.util.protobuf import MalformedError, Message
from penult.util.text import quoted

DOMAINS = ("", "ai.onnx")  # two names of the same
MAX_DIMENSION = 2**31


class UnsupportedError(Exception):
    """A good file, for all that is known, but not one that is run; says why and what to try."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operator: what it reads and makes, by name, and all of it as it is in the file.

    `integers` are those of its attributes that are lists of integers.
    """

    op: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    integers: Mapping[str, Sequence[int]]
    encoded: memoryview


@dataclass(frozen=True, slots=True)
class Tensor:
    """One initializer; `raw` are its numbers, little-endian, unless they are listed one by one."""

    dtype: str
    shape: tuple[int, ...]
    raw: memoryview
    encoded: memoryview


@dataclass(frozen=True, slots=True)
class Input:
    """The model's input; None for a size that varies."""

    name: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """A model that has passed all checks."""

    ir_version: int
    opset: int
    metadata: Mapping[str, str]
    nodes: Sequence[Node]
    initializers: Mapping[str, Tensor]
    input: Input
    outputs: Sequence[str]


def read_graph(data: memoryview) -> Graph:
    """Read a model and check all that it consists of.

    Raises:
        MalformedError: These bytes aren't an ONNX model.
        UnsupportedError: They are one that isn't run.
    """
    model = Message(data)
    if 7 not in model:
        raise MalformedError("no graph, so not an ONNX model")
    if 25 in model:
        raise UnsupportedError("has functions: inline them with onnx.inliner first")
    graph = model.message(7)
    if 15 in graph:
        raise UnsupportedError("has sparse weights")
    if 12 not in graph:
        raise MalformedError("a graph without outputs")
    initializers = {Message(tensor).name(8): _tensor(tensor) for tensor in graph.contents(5)}
    return Graph(
        ir_version=model.number(1),
        opset=_opset(model),
        metadata=_metadata(model),
        nodes=[_node(node) for node in graph.contents(1)],
        initializers=MappingProxyType(initializers),
        input=_input([info for info in graph.messages(11) if info.name(1) not in initializers]),
        outputs=[info.name(1) for info in graph.messages(12)],
    )


def _opset(model: Message) -> int:
    versions = [opset.number(2) for opset in model.messages(8) if opset.name(1) in DOMAINS]
    if len(versions) != 1:
        raise MalformedError("no version of ONNX's operators, or several")
    return versions[0]


def _metadata(model: Message) -> Mapping[str, str]:
    pairs = model.messages(14)
    return MappingProxyType({pair.name(1): _long_text(pair.content(2)) for pair in pairs})


def _long_text(content: memoryview) -> str:
    return bytes(content).decode(errors="replace")


def _node(encoded: memoryview) -> Node:
    node = Message(encoded)
    op, domain = node.name(4), node.name(7)
    if domain not in DOMAINS:
        raise UnsupportedError(f"uses the operator {quoted(op)} of {quoted(domain)}, not of ONNX")
    attributes = node.messages(5)
    for attribute in attributes:
        if 6 in attribute or 11 in attribute:
            raise UnsupportedError(
                f"has control flow ({quoted(op)}): simplify it first, with onnxsim for instance"
            )
        if 22 in attribute or 23 in attribute:
            raise UnsupportedError("has sparse weights")
        for tensor in [*attribute.contents(5), *attribute.contents(10)]:
            _tensor(tensor)
    integers = {
        attribute.name(1): attribute.numbers(8) for attribute in attributes if 8 in attribute
    }
    return Node(op, node.names(1), node.names(2), integers, encoded)


def _tensor(encoded: memoryview) -> Tensor:
    tensor = Message(encoded)
    shape, code, raw = tuple(tensor.numbers(1)), tensor.number(2), tensor.content(9)
    name = quoted(tensor.name(8))
    if 13 in tensor or tensor.number(14):
        raise UnsupportedError(
            f"keeps {name} in another file: save it as one file, with onnx.save for instance"
        )
    if code not in DTYPES or 3 in tensor:
        raise UnsupportedError(f"has {name} of data type {code}, which isn't read")
    if not all(0 <= size < MAX_DIMENSION for size in shape):
        raise MalformedError(f"tensor {name} of shape {shape}")
    elements, (dtype, size) = prod(shape), DTYPES[code]
    if 9 in tensor and elements * size != len(raw):
        raise MalformedError(
            f"tensor {name} has {len(raw)} bytes where {elements * size} were expected"
        )
    if elements > len(encoded):  # one by one, each takes a byte at least
        raise MalformedError(f"tensor {name} of {elements} elements in {len(encoded)} bytes")
    return Tensor(dtype, shape, raw, encoded)


def _input(required: Sequence[Message]) -> Input:
    if len(required) != 1:
        names = ", ".join(quoted(info.name(1)) for info in required[:3]) or "none"
        raise UnsupportedError(f"takes {len(required)} inputs ({names}), not one batch of images")
    info = required[0]
    tensor = info.message(2).message(1)
    dtype, _ = DTYPES.get(tensor.number(1), ("something else", 0))
    if dtype != "float32":
        raise UnsupportedError(f"takes {dtype}, not float32: export it in float32")
    sizes = (size.number(1) for size in tensor.message(2).messages(1))
    return Input(info.name(1), tuple(size if size > 0 else None for size in sizes))
