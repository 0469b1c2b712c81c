import weakref

import numpy as np
import pytest

from penult import graph
from penult.engine import Cut, Engine, OnnxRuntime
from penult.errors import NetworkError
from penult.graph import Constant
from penult.onnx.writer import to_onnx


def dense() -> Cut:
    """Adds 1 to the sums of two colours, over all pixels of 2×2 images of one channel."""
    kernel, bias = np.ones((2, 4), np.float32), np.ones(2, np.float32)
    weights = (Constant(each.shape, (), lambda each=each: each) for each in (kernel, bias))
    return to_onnx({"sums": graph.dense(graph.flatten(graph.images(2, 1)), *weights)}, lambda v: v)


def test_outputs_come_by_name_for_any_batch():
    x = graph.images(2)
    cut = to_onnx({"map": graph.to_nhwc(x), "mean": graph.global_avg_pool(x)}, lambda v: v)
    engine = OnnxRuntime(cut)
    for n in (1, 3):
        batch = np.random.default_rng(n).normal(size=(n, 2, 2, 3)).astype(np.float32)
        outputs = engine.run(batch)
        assert list(outputs) == ["map", "mean"]
        np.testing.assert_array_equal(outputs["map"], batch)
        np.testing.assert_allclose(outputs["mean"], batch.mean((1, 2)), rtol=1e-5, atol=1e-6)


def test_it_says_how_it_is_best_called_and_what_it_is(monkeypatch):
    monkeypatch.setattr("penult.engine.runtime.workers", lambda weights: weights)
    engine: Engine = OnnxRuntime(dense())
    assert (engine.batch, engine.calls) == (4, 40)
    assert engine.description == {"engine": "onnxruntime", "device": "cpu", "precision": "float32"}


def test_weights_stay_the_callers_and_go_with_the_caller():
    cut = dense()
    engine = OnnxRuntime(cut)
    batch = np.ones((1, 2, 2, 1), np.float32)
    np.testing.assert_array_equal(engine.run(batch)["sums"], [[5, 5]])
    assert len(cut.weights) == 2
    others = [weakref.ref(array) for array in cut.weights.values()]
    del cut
    assert [array() for array in others] == [None, None]
    np.testing.assert_array_equal(engine.run(batch)["sums"], [[5, 5]])


def test_the_weights_file_is_released_when_the_engine_has_them():
    released = []
    engine = OnnxRuntime(dense()._replace(release=lambda: released.append(True)))
    engine.run(np.ones((1, 2, 2, 1), np.float32))
    assert released == [True]


def test_a_model_that_is_refused_is_named():
    engine = OnnxRuntime(dense()._replace(model=b"\x08\x08", name="'net.onnx'"))
    with pytest.raises(NetworkError, match=r"^'net.onnx': ONNX Runtime can't run it: "):
        engine.run(np.ones((1, 2, 2, 1), np.float32))
