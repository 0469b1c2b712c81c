"""Graphs of token ids and of several inputs against NumPy, through ONNX Runtime."""

import numpy as np
import pytest

import onnx
from penult import graph
from penult.engine import Cut, OnnxRuntime
from penult.errors import NetworkError
from penult.graph import Constant, Value, Variable
from penult.graph.pooling import pool_layers
from penult.onnx.writer import to_onnx, write_onnx

RANDOM = np.random.default_rng(0)
TABLE = RANDOM.normal(size=(11, 3)).astype(np.float32)
IDS = np.array([[7, 0, 10, 7], [1, 2, 3, 0]])
IMAGES = RANDOM.normal(size=(2, 6, 6, 3)).astype(np.float32)


def tokens() -> Value:
    return graph.embedding(graph.token_ids(4), graph.plain(Variable("table", TABLE.shape)))


def both() -> Value:
    """Adds the mean colour of an image and the first token of a text."""
    return graph.add(graph.global_avg_pool(graph.images(6)), graph.first_token(tokens()))


def cut(layers: dict[str, Value]) -> Cut:
    return to_onnx(layers, lambda variable: TABLE)


@pytest.mark.parametrize(
    ("pool", "expected"),
    [("avg", TABLE[IDS].mean(1)), ("cls", TABLE[IDS[:, 0]]), ("none", TABLE[IDS])],
)
def test_a_text_becomes_the_embeddings_of_its_tokens(pool, expected):
    layers = pool_layers({"text": tokens()}, pool)
    (result,) = OnnxRuntime(cut(layers)).run(IDS).values()
    np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_several_inputs_are_given_by_name():
    result = OnnxRuntime(cut({"both": both()})).run({"token_ids": IDS, "images": IMAGES})
    expected = IMAGES.mean((1, 2)) + TABLE[IDS[:, 0]]
    np.testing.assert_allclose(result["both"], expected, rtol=1e-5, atol=1e-6)


def test_an_input_that_is_missing_is_named():
    with pytest.raises(NetworkError, match=r"can't run it: .*token_ids"):
        OnnxRuntime(cut({"both": both()})).run(IMAGES)


def test_a_file_states_shapes_and_types_of_all_inputs(tmp_path):
    path = tmp_path / "both.onnx"
    write_onnx(path, {"both": both()}, lambda variable: TABLE, {})
    onnx.checker.check_model(path, full_check=True)
    inputs = {each.name: each.type.tensor_type for each in onnx.load(path).graph.input}
    assert {name: each.elem_type for name, each in inputs.items()} == {
        "images": onnx.TensorProto.FLOAT,
        "token_ids": onnx.TensorProto.INT64,
    }
    assert [d.dim_param or d.dim_value for d in inputs["token_ids"].shape.dim] == ["n", 4]


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool", "float16", "float64"])
def test_constants_are_of_any_type(dtype, tmp_path):
    numbers = np.array([[0, 1], [2, 3]])
    table = Constant(numbers.shape, (), lambda: numbers, dtype)
    layers = {"numbers": graph.embedding(graph.token_ids(1), table)}
    ids = np.array([[1], [0]])
    (result,) = OnnxRuntime(cut(layers)).run(ids).values()
    np.testing.assert_array_equal(result, numbers.astype(dtype)[ids])
    assert result.dtype == dtype
    write_onnx(tmp_path / "x.onnx", layers, lambda variable: TABLE, {})
    onnx.checker.check_model(tmp_path / "x.onnx", full_check=True)
    (tensor,) = onnx.load(tmp_path / "x.onnx").graph.initializer
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(tensor), numbers.astype(dtype))
