import numpy as np
import pytest

import onnx
from penult import graph
from penult.graph import Constant, Value, Variable
from penult.graph.products import products
from penult.graph.winograd import winograd
from penult.onnx.writer import to_onnx


def layer(x: Value, name: str, filters: int) -> Value:
    kernel = Variable(f"{name}/weights", (filters, x.shape[0], 1, 1))
    average = Variable(f"{name}/average", (filters,), trainable=False)
    return graph.conv(x, graph.plain(kernel), graph.plain(average))


def test_only_what_a_layer_needs_is_counted_and_read():
    first = layer(graph.images(2), "first", 5)
    layer(first, "second", 7)
    read = []

    def array(variable: Variable) -> np.ndarray:
        read.append(variable.name)
        return np.ones(variable.shape, np.float32)

    assert [v.name for v in graph.variables([first])] == ["first/weights", "first/average"]
    assert graph.parameters([first]) == 15
    assert graph.multiply_adds([first]) == 2 * 2 * 15
    to_onnx({"first": first}, array)
    assert read == ["first/weights", "first/average"]


def test_values_used_twice_are_computed_once():
    x = layer(graph.images(2), "first", 5)
    for _ in range(64):  # 2 to the 64th paths lead to the input
        x = graph.add(x, x)
    assert graph.parameters([x]) == 15
    cut = to_onnx({"x": x}, lambda v: np.ones(v.shape, np.float32))
    assert len(onnx.load_from_string(cut.model).graph.node) == 64 + 3


def test_deep_graphs_need_no_recursion():
    x = graph.images(1)
    for _ in range(5000):
        x = graph.relu(x)
    assert graph.multiply_adds([x]) == 0


def test_a_value_says_what_its_sizes_count():
    x = graph.images(8)
    kernel = Constant((5, 3, 3, 3), (), lambda: np.ones((5, 3, 3, 3)))
    vector = graph.global_avg_pool(x)
    assert (x.layout, graph.conv(x, kernel).layout, vector.layout) == ("NCHW", "NCHW", "NC")
    assert graph.relu(graph.to_nhwc(x)).layout == "NHWC"
    assert graph.add(vector, vector).layout == "NC"


@pytest.mark.parametrize(
    ("shape", "layout", "expected"),
    [
        ((3, 8, 9), "NCHW", (8, 9, 3)),
        ((8, 9, 3), "NHWC", (8, 9, 3)),
        ((197, 768), "NLC", (197, 768)),
        ((768, 197), "NCL", (197, 768)),
        ((768,), "NC", (768,)),
    ],
)
def test_shapes_are_told_with_the_channels_last(shape, layout, expected):
    assert graph.placeholder("x", shape, layout=layout).channels_last == expected


def test_rewritten_convolutions_are_maps_still():
    x = graph.placeholder("x", (1024, 8, 8), layout="NCHW")
    large = Constant((1024, 1024, 8, 8), (), lambda: np.empty(0))
    small = Constant((1024, 1024, 3, 3), (), lambda: np.empty(0))
    layers = {
        "product": graph.conv(x, large, padding="VALID"),
        "winograd": graph.conv(x, small),
    }
    rewritten = winograd(products(layers))
    assert {name: value.op for name, value in rewritten.items()} == {
        "product": "Reshape",
        "winograd": "ConvTranspose",
    }
    assert {value.layout for value in rewritten.values()} == {"NCHW"}
