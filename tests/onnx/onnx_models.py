"""ONNX models of a few nodes."""

import numpy as np

import onnx
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(3)
KERNEL = RNG.normal(size=(16, 3, 3, 3)).astype(np.float32)  # 1728 bytes: left in the file
MATRIX = RNG.normal(size=(5, 16)).astype(np.float32)
node = helper.make_node


def tensor(array, name):
    return numpy_helper.from_array(np.asarray(array), name)


def convolution(source="x", result="map"):
    return node("Conv", [source, "kernel"], [result], kernel_shape=[3, 3], pads=[1, 1, 1, 1])


def classifier():
    return [
        convolution(),
        node("GlobalAveragePool", ["map"], ["mean"]),
        node("Flatten", ["mean"], ["vector"]),
        node("Gemm", ["vector", "matrix"], ["logits"], transB=1),
        node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]


def onnx_model(nodes, output="probabilities", shape=("n", 3, 6, 6), dtype=TensorProto.FLOAT):
    inputs = [helper.make_tensor_value_info("x", dtype, shape)]
    outputs = [onnx.ValueInfoProto(name=output)]
    constants = [tensor(KERNEL, "kernel"), tensor(MATRIX, "matrix")]
    made = helper.make_graph(nodes, "g", inputs, outputs, constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
