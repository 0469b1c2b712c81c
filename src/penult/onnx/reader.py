"""Reads an ONNX file of any program, and checks what it holds before an engine sees it.

Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. Only what a network of plain
layers needs is let through: ONNX's own operators, a batch of images in, weights in the file or in
files beside it, and no control flow, which is where a model can loop for ever.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from math import prod
from mmap import mmap
from types import MappingProxyType

from penult.checkpoints.elements import MAX_DIMENSIONS, is_possible
from penult.onnx.messages import DTYPES, EXTERNAL
from penult.util.budget import Budget
from penult.util.protobuf import LENGTH, MAX_FIELDS, VARINT, MalformedError, Message, varint
from penult.util.text import one_line, quoted

DOMAINS = ("", "ai.onnx")  # two names of the same
MAX_SIDE = 2**31
MAX_IR_VERSION = 99  # of 2026 it is 13
MAX_COUNT = 10_000  # of nodes, and so on; large transformers have 5000
MAX_NAMES = 3 << 20  # bytes in the names of nodes, their inputs and outputs; these have 1 MB
FLOATS = ("float32", "float16")  # of images
_IR_VERSION, _GRAPH = 1, 7
_COUNTED = {1: "nodes", 5: "weights", 11: "inputs", 12: "outputs"}
_MODEL = {2: LENGTH, 3: LENGTH, 4: LENGTH, 5: VARINT, 6: LENGTH, 8: LENGTH, 14: LENGTH}


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
    """One initializer; `raw` are its numbers, little-endian, unless they are listed one by one.

    `is_external` says that they lie in another file than `encoded`.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    raw: memoryview
    encoded: memoryview
    is_external: bool


@dataclass(frozen=True, slots=True)
class Input:
    """An input or output of the model; None for a size that varies."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]


Locate = Callable[[str, Mapping[str, str], int], memoryview]
"""(name of a tensor, its `external_data`, bytes that it has) -> its numbers"""


@dataclass(frozen=True, slots=True)
class Graph:
    """A model that has passed all checks; `input` is the images, among `inputs`."""

    ir_version: int
    opset: int
    producer: str
    metadata: Mapping[str, str]
    nodes: Sequence[Node]
    initializers: Mapping[str, Tensor]
    input: Input
    inputs: Sequence[Input]
    outputs: Sequence[Input]


def begins_like_model(data: memoryview | mmap) -> bool:
    """Whether these bytes begin as an ONNX model does: its version, facts, then a graph."""
    try:
        tag, at = varint(data, 0)
        version, at = varint(data, at)
        if tag != _IR_VERSION << 3 | VARINT or not 0 < version <= MAX_IR_VERSION:
            return False
        for _ in range(MAX_FIELDS):
            tag, at = varint(data, at)
            if tag == _GRAPH << 3 | LENGTH:
                return True
            if _MODEL.get(tag >> 3) != tag & 7:
                return False
            value, at = varint(data, at)
            at += value if tag & 7 == LENGTH else 0
    except MalformedError:
        pass
    return False


def read_graph(data: memoryview, locate: Locate) -> Graph:
    """Read a model and check all that it consists of.

    Args:
        data: The model.
        locate: Finds the numbers of initializers that are in other files.

    Raises:
        MalformedError: These bytes aren't an ONNX model.
        UnsupportedError: They are one that isn't run.
    """
    model = Message(data)  # whose budget is that of all messages in it
    if 7 not in model:
        raise MalformedError("no graph, so not an ONNX model")
    if 25 in model:
        raise UnsupportedError("has functions: inline them with onnx.inliner first")
    graph = model.message(7)
    if 15 in graph:
        raise UnsupportedError("has sparse weights")
    if 12 not in graph:
        raise MalformedError("a graph without outputs")
    for field, what in _COUNTED.items():
        if len(graph.contents(field)) > MAX_COUNT:
            raise UnsupportedError(
                f"has {len(graph.contents(field))} {what}, at most {MAX_COUNT} are read: simplify"
                " it first, with onnxsim for instance"
            )
    names = Budget(MAX_NAMES, "bytes of names", MalformedError)
    initializers = {
        tensor.name: tensor for tensor in map(partial(_tensor, locate=locate), graph.messages(5))
    }
    inputs = [each for each in map(_input, graph.messages(11)) if each.name not in initializers]
    return Graph(
        ir_version=model.number(1),
        opset=_opset(model),
        producer=f"{model.name(2)} {model.name(3)}".strip(),
        metadata=_metadata(model),
        nodes=[_node(node, names) for node in graph.messages(1)],
        initializers=MappingProxyType(initializers),
        input=_images(inputs),
        inputs=inputs,
        outputs=[_input(info) for info in graph.messages(12)],
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


def _node(node: Message, names: Budget) -> Node:
    names.spend(sum(len(each) for field in (1, 2, 3) for each in node.contents(field)))
    op, domain = node.name(4), node.name(7)
    if domain not in DOMAINS:
        raise UnsupportedError(f"uses the operator {quoted(op)} of {quoted(domain)}, not of ONNX")
    integers: dict[str, Sequence[int]] = {}
    for attribute in node.messages(5):
        if 6 in attribute or 11 in attribute:
            raise UnsupportedError(
                f"has control flow ({quoted(op)}): simplify it first, with onnxsim for instance"
            )
        if 22 in attribute or 23 in attribute:
            raise UnsupportedError("has sparse weights")
        for tensor in chain(attribute.messages(5), attribute.messages(10)):
            _tensor(tensor)
        if 8 in attribute:
            integers[attribute.name(1)] = attribute.numbers(8)
    return Node(op, node.names(1), node.names(2), integers, node.encoded)


def _tensor(tensor: Message, locate: Locate | None = None) -> Tensor:
    name, code, raw = tensor.name(8), tensor.number(2), tensor.content(9)
    shape = tuple(tensor.numbers(1, MAX_DIMENSIONS))  # else their product has any length
    if code not in DTYPES or 3 in tensor:
        raise UnsupportedError(f"has {quoted(name)} of data type {code}, which isn't read")
    dtype, size = DTYPES[code]
    if not all(0 <= size < MAX_SIDE for size in shape) or not is_possible(shape, dtype):
        raise MalformedError(f"tensor {quoted(name)} of shape {one_line(str(shape), 60)}")
    elements = prod(shape)
    is_external = 13 in tensor or tensor.number(14) == EXTERNAL
    if is_external:
        if locate is None:
            raise UnsupportedError(
                f"keeps {quoted(name)} of an operator in another file: save it as one file, with"
                " onnx.save for instance"
            )
        pairs = {pair.name(1): pair.name(2) for pair in tensor.messages(13)}
        raw = locate(name, pairs, elements * size)
    elif 9 in tensor and elements * size != len(raw):
        raise MalformedError(
            f"tensor {quoted(name)} has {len(raw)} bytes where {elements * size} were expected"
        )
    elif elements > len(tensor.encoded):  # one by one, each takes a byte at least
        raise MalformedError(
            f"tensor {quoted(name)} of {elements} elements in {len(tensor.encoded)} bytes"
        )
    return Tensor(name, dtype, shape, raw, tensor.encoded, is_external)


def _input(info: Message) -> Input:
    tensor = info.message(2).message(1)
    code = tensor.number(1)
    dtype, _ = DTYPES.get(code, ("something else" if code else "type unstated", 0))
    sizes = (size.number(1) for size in tensor.message(2).messages(1, MAX_DIMENSIONS))
    return Input(info.name(1), dtype, tuple(size if size > 0 else None for size in sizes))


def _images(inputs: Sequence[Input]) -> Input:
    """The input that is images: the only one, or the only one of four dimensions."""
    likely = [each for each in inputs if len(each.shape) == 4] if len(inputs) > 1 else inputs
    if len(likely) != 1:
        names = ", ".join(quoted(each.name) for each in inputs[:3]) or "none"
        raise UnsupportedError(
            f"takes {len(inputs)} inputs ({names}), not one batch of images: cut out what one"
            " of them takes, with onnx.utils.extract_model"
        )
    if likely[0].dtype not in FLOATS:
        raise UnsupportedError(f"takes {likely[0].dtype}, not float32: export it in float32")
    return likely[0]
