"""Tokens of any number, and attention that doesn't see all of them, against NumPy."""

import numpy as np
import pytest

from penult import graph
from penult.engine import OnnxRuntime
from penult.graph import Variable
from penult.graph.tokens import portable
from penult.onnx.writer import to_onnx, write_onnx

RANDOM = np.random.default_rng(0)
Q, K, V = RANDOM.normal(size=(3, 2, 5, 8)).astype(np.float32)
SEEN = np.array([[1, 1, 1, 1, 1], [1, 0, 1, 1, 0]], np.int32)
ARRAYS = {
    "table": RANDOM.normal(size=(9, 4)).astype(np.float32),
    "places": RANDOM.normal(size=(6, 4)).astype(np.float32),
    "kernel.weight": RANDOM.normal(size=(3, 4)).astype(np.float32),
    "kernel.bias": RANDOM.normal(size=3).astype(np.float32),
}
IDS = np.array([[1, 5, 3], [8, 2, 0]])


def attended(hidden):
    """Attention of two heads, where what is hidden is not seen (batch, queries, keys)."""
    halves = []
    for head in (slice(0, 4), slice(4, 8)):
        products = Q[..., head] @ K[..., head].transpose(0, 2, 1) / 2
        shares = np.exp(np.where(hidden, -np.inf, products))
        halves.append(shares / shares.sum(-1, keepdims=True) @ V[..., head])
    return np.concatenate(halves, axis=-1)


def read(variable):
    return ARRAYS[variable.name]


@pytest.mark.parametrize("say", [dict, portable], ids=["as it is", "portable"])
@pytest.mark.parametrize("masks", [(True, False), (False, True), (True, True)])
def test_tokens_that_are_not_seen_have_no_share(say, masks):
    causal, has_keys = masks
    q, k, v = (graph.placeholder(name, (5, 8), layout="NLC") for name in "qkv")
    keys = graph.placeholder("keys", (5,), dtype="int32") if has_keys else None
    value = graph.attention(q, k, v, heads=2, causal=causal, keys=keys)
    inputs = {"q": Q, "k": K, "v": V} | ({"keys": SEEN} if has_keys else {})
    engine = OnnxRuntime(to_onnx(say({"y": value}), read))
    after = np.triu(np.ones((5, 5), bool), 1) & causal
    hidden = after | ((SEEN == 0)[:, None, :] & has_keys)
    np.testing.assert_allclose(engine.run(inputs)["y"], attended(hidden), rtol=1e-4, atol=1e-5)


def vector():
    """The last of tokens that have been added places and gone through a dense layer."""
    table, places = (graph.plain(Variable(n, ARRAYS[n].shape)) for n in ("table", "places"))
    kernel, bias = (
        graph.plain(Variable(f"kernel.{n}", ARRAYS[f"kernel.{n}"].shape))
        for n in ("weight", "bias")
    )
    x = graph.add_rows(graph.embedding(graph.token_ids(6), table), places)
    return graph.last_token(graph.dense(x, kernel, bias))


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_graph_takes_texts_of_any_length(length):
    ids = IDS[:, :length]
    engine = OnnxRuntime(to_onnx(graph.any_length({"y": vector()}), read))
    last = ARRAYS["table"][ids[:, -1]] + ARRAYS["places"][length - 1]
    expected = last @ ARRAYS["kernel.weight"].T + ARRAYS["kernel.bias"]
    np.testing.assert_allclose(engine.run(ids)["y"], expected, rtol=1e-5)


def test_a_file_of_any_length_says_so(tmp_path):
    import onnx

    write_onnx(tmp_path / "x.onnx", graph.any_length({"y": vector()}), read, {})
    onnx.checker.check_model(tmp_path / "x.onnx", full_check=True)
    (ids,) = onnx.load(tmp_path / "x.onnx").graph.input
    sizes = [each.dim_param or each.dim_value for each in ids.type.tensor_type.shape.dim]
    assert sizes == ["n", "token_ids_length"]


def test_a_token_is_appended_and_one_taken_at_a_place():
    table = graph.plain(Variable("table", ARRAYS["table"].shape))
    token = graph.Constant((1, 4), (), lambda: np.full((1, 4), 7.0))
    x = graph.append(graph.embedding(graph.token_ids(3), table), token)
    place = graph.placeholder("place", (1,), dtype="int64")
    engine = OnnxRuntime(to_onnx({"y": graph.token_at(x, place)}, read))
    found = engine.run({"token_ids": IDS, "place": np.array([[1], [3]])})["y"]
    np.testing.assert_array_equal(found, [ARRAYS["table"][5], np.full(4, 7.0)])
