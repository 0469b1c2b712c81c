import numpy as np

import onnx
from penult import graph
from penult.graph import Value, Variable
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
