"""Write a graph as an ONNX model."""

from collections.abc import Callable, Mapping

import onnx
from onnx import TensorProto, helper

from penult.graph.values import Array, Constant, Value, Variable, constants, walk

OPSET = 17  # the newest that OpenVINO, TensorRT and CoreML of recent years all read
IR_VERSION = 8
INPUT = "images"


def to_onnx(
    outputs: Mapping[str, Value],
    read: Callable[[Variable], Array],
    *,
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """Write the part of a graph that `outputs` need as a serialised ONNX model.

    Args:
        outputs: The layers to compute, by the names that the model's outputs shall have.
        read: Gives a variable's array, of the variable's shape.
        metadata: Becomes the model's metadata properties.

    Returns:
        An ONNX model; its input is `images`, float32 (n, height, width, channels).
    """
    names: dict[Value | Constant, str] = {}
    nodes, initializers = [], []
    for index, constant in enumerate(constants(outputs.values())):
        names[constant] = f"constant_{index}"
        initializers.append(_tensor(constant, names[constant], read))
    for index, value in enumerate(walk(outputs.values())):
        names[value] = INPUT if value.op == "Input" else f"{value.op.lower()}_{index}"
        if value.op == "Input":
            inputs = [_info(INPUT, value)]
        else:
            sources = [names[i] for i in value.inputs]
            nodes.append(helper.make_node(value.op, sources, [names[value]], **value.attributes))
    nodes += [helper.make_node("Identity", [names[v]], [name]) for name, v in outputs.items()]
    graph = helper.make_graph(
        nodes,
        "penult",
        inputs,
        [_info(name, value) for name, value in outputs.items()],
        initializers,
    )
    model = helper.make_model(
        graph,
        producer_name="penult",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    helper.set_model_props(model, dict(metadata or {}))
    return bytes(model.SerializeToString())


def _tensor(constant: Constant, name: str, read: Callable[[Variable], Array]) -> TensorProto:
    array = constant.compute(*map(read, constant.variables)).astype("<f4", copy=False)
    return TensorProto(
        name=name, data_type=TensorProto.FLOAT, dims=constant.shape, raw_data=array.tobytes()
    )


def _info(name: str, value: Value) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *value.shape])
