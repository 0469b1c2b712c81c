"""Where the channels of a tensor stand follows from the operators that made it."""

import numpy as np
import pytest

from penult.onnx.file import OnnxFile

from .onnx_models import convolution, node, onnx_model, tensor

TO_LAST, TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]


def reshaped(*shape):
    """A map of which no operator tells what it is."""
    sizes = node("Constant", [], ["sizes"], value=tensor(np.array(shape), ""))
    return [sizes, node("Reshape", ["x", "sizes"], ["reshaped"])]


def turned(source, result, perm):
    return node("Transpose", [source], [result], perm=perm)


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([convolution(), node("Relu", ["map"], ["y"])], (6, 6, 16)),
        ([convolution(), turned("map", "y", TO_LAST)], (6, 6, 16)),
        ([convolution(), turned("map", "a", TO_LAST), node("Relu", ["a"], ["y"])], (6, 6, 16)),
        ([convolution(), turned("map", "a", TO_LAST), turned("a", "y", TO_FIRST)], (6, 6, 16)),
        ([node("AveragePool", ["x"], ["y"], kernel_shape=[4, 4])], (3, 3, 3)),
        ([node("AveragePool", ["x"], ["y"], kernel_shape=[4, 6])], (3, 1, 3)),
        ([*reshaped(0, 3, 3, 12), node("Relu", ["reshaped"], ["y"])], (3, 12, 3)),
        ([*reshaped(0, 3, 3, 12), turned("reshaped", "y", TO_LAST)], (3, 12, 3)),
        ([*reshaped(0, 3, 3, 12), turned("reshaped", "y", TO_FIRST)], (3, 3, 12)),
    ],
)
def test_maps_are_shown_with_their_channels_last(opened, nodes, expected):
    assert opened(nodes, "y").shapes()["y"] == expected


def test_weights_of_the_last_axis_tell_that_channels_are_there(save):
    model = onnx_model(
        [
            convolution(),
            node("Constant", [], ["sizes"], value=tensor(np.array([0, 4, 9, 16]), "")),
            node("Reshape", ["map", "sizes"], ["reshaped"]),
            node("LayerNormalization", ["reshaped", "scale"], ["normed"]),
            node("MatMul", ["reshaped", "square"], ["product"]),
            node("Add", ["reshaped", "product"], ["sum"]),
        ],
        "sum",
    )
    model.graph.initializer.append(tensor(np.ones(16, np.float32), "scale"))
    model.graph.initializer.append(tensor(np.eye(16, dtype=np.float32), "square"))
    shapes = OnnxFile(save(model)).shapes()
    assert shapes["reshaped"] == (9, 16, 4)  # ONNX's own order, as nothing tells
    assert {shapes[name] for name in ("normed", "product", "sum")} == {(4, 9, 16)}


def test_outputs_without_a_name_tell_nothing(opened):
    nodes = [
        *reshaped(0, 3, 3, 12),
        node("Constant", [], ["six"], value=tensor(np.float32(6), "")),
        turned("x", "turned", TO_LAST),
        node("Dropout", ["turned"], ["dropped", ""]),
        node("Clip", ["reshaped", "", "six"], ["y"]),
    ]
    assert opened(nodes, "y").shapes()["y"] == (3, 12, 3)
