"""Write a graph as an ONNX model.

By hand rather than with the `onnx` package, which takes as long to import as the model takes to
load; the tests hold the result against that package's checker. Field numbers and operators:
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto and docs/Operators.md there.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from penult.graph.protobuf import message
from penult.graph.values import Array, Constant, Value, Variable, constants, walk

OPSET = 17  # the newest that OpenVINO, TensorRT and CoreML of recent years all read
IR_VERSION = 8
INPUT = "images"

FLOAT, EXTERNAL = 1, 1  # TensorProto.DataType, TensorProto.DataLocation
FLOAT_ATTRIBUTE, INT_ATTRIBUTE, INTS_ATTRIBUTE = 1, 2, 7  # AttributeProto.AttributeType

Attribute = int | float | list[int]


class OnnxModel(NamedTuple):
    """A serialised ONNX model whose initializers are external, and these by their names."""

    graph: bytes
    weights: dict[str, NDArray[np.float32]]


def to_onnx(outputs: Mapping[str, Value], read: Callable[[Variable], Array]) -> OnnxModel:
    """Write the part of a graph that `outputs` need.

    Args:
        outputs: The layers to compute, by the names that the model's outputs shall have.
        read: Gives a variable's array, of the variable's shape.

    Returns:
        A model; its input is `images`, float32 (n, height, width, channels).
    """
    used = {f"constant_{i}": each for i, each in enumerate(constants(outputs.values()))}
    names: dict[Value | Constant, str] = {constant: name for name, constant in used.items()}
    nodes = []
    for index, value in enumerate(walk(outputs.values())):
        if value.op == "Input":
            names[value] = INPUT
            inputs = _value_info(INPUT, value)
        else:
            names[value] = f"{value.op.lower()}_{index}"
            sources = [names[each] for each in value.inputs]
            nodes.append(_node(value.op, sources, names[value], value.attributes))
    nodes += [_node("Identity", [names[value]], name, {}) for name, value in outputs.items()]
    graph = message(
        *((1, node) for node in nodes),
        (2, "penult"),
        *((5, _initializer(name, constant)) for name, constant in used.items()),
        (11, inputs),
        *((12, _value_info(name, value)) for name, value in outputs.items()),
    )
    model = message((1, IR_VERSION), (2, "penult"), (7, graph), (8, message((1, ""), (2, OPSET))))
    return OnnxModel(model, {name: _array(constant, read) for name, constant in used.items()})


def _node(op: str, inputs: list[str], output: str, attributes: Mapping[str, Attribute]) -> bytes:
    return message(
        *((1, name) for name in inputs),
        (2, output),
        (4, op),
        *((5, _attribute(name, value)) for name, value in attributes.items()),
    )


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, int):
        return message((1, name), (3, value), (20, INT_ATTRIBUTE))
    if isinstance(value, float):
        return message((1, name), (2, value), (20, FLOAT_ATTRIBUTE))
    return message((1, name), *((8, each) for each in value), (20, INTS_ATTRIBUTE))


def _initializer(name: str, constant: Constant) -> bytes:
    place = message((1, "location"), (2, "given to the engine"))
    dimensions = ((1, size) for size in constant.shape)
    return message(*dimensions, (2, FLOAT), (8, name), (13, place), (14, EXTERNAL))


def _value_info(name: str, value: Value) -> bytes:
    dimensions = [message((2, "n")), *(message((1, size)) for size in value.shape)]
    shape = message(*((1, dimension) for dimension in dimensions))
    return message((1, name), (2, message((1, message((1, FLOAT), (2, shape))))))


def _array(constant: Constant, read: Callable[[Variable], Array]) -> NDArray[np.float32]:
    array = constant.compute(*map(read, constant.variables))
    return np.asarray(array, np.float32, order="C")
