"""Features of vectors, maps and tokens against NumPy, through ONNX Runtime."""

import numpy as np
import pytest

from penult import graph
from penult.engine import OnnxRuntime
from penult.errors import NetworkError, UsageError
from penult.graph import Value
from penult.graph.pooling import pool_layers
from penult.onnx.writer import to_onnx

MAP = np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype(np.float32)  # height 5, width 4
TOKENS = np.random.default_rng(1).normal(size=(2, 7, 3)).astype(np.float32)
POOLS = {
    "avg": lambda x, places: x.mean(places),
    "max": lambda x, places: x.max(places),
    "none": lambda x, places: x,
    "cls": lambda x, places: x[:, 0],
}


def features(layer: Value, pool: str, batch: np.ndarray) -> np.ndarray:
    pooled = pool_layers({"layer": layer}, pool)
    (result,) = OnnxRuntime(to_onnx(pooled, lambda variable: variable)).run(batch).values()
    assert pooled["layer"].shape == result.shape[1:]
    return result


@pytest.mark.parametrize("pool", ["avg", "max", "none"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_maps_are_pooled_or_get_their_channels_last(pool, layout):
    x = graph.placeholder("images", (5, 4, 3), layout="NHWC")
    result = features(graph.transpose(x, layout), pool, MAP)
    np.testing.assert_allclose(result, POOLS[pool](MAP, (1, 2)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("layout", ["NLC", "NCL"])
def test_tokens_are_pooled_or_kept_or_the_first_is_taken(pool, layout):
    x = graph.placeholder("tokens", (7, 3), layout="NLC")
    result = features(graph.transpose(x, layout), pool, TOKENS)
    np.testing.assert_allclose(result, POOLS[pool](TOKENS, 1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pool", POOLS)
def test_vectors_stay_as_they_are(pool):
    x = graph.flatten(graph.placeholder("images", (5, 4, 3), layout="NHWC"))
    np.testing.assert_array_equal(features(x, pool, MAP), MAP.reshape(2, -1))


def test_a_map_without_class_token_is_named():
    layers = {"stem": graph.images(8)}
    with pytest.raises(UsageError, match="layer 'stem' is a map, so has no class token: choose"):
        pool_layers(layers, "cls")


def test_a_layer_that_is_no_features_is_named():
    layers = {"odd": graph.placeholder("x", (2, 3, 4, 5))}
    with pytest.raises(NetworkError, match=r"layer 'odd' is \(2, 3, 4, 5\), not a vector, tokens"):
        pool_layers(layers, "avg")
