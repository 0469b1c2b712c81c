import numpy as np

from penult import graph
from penult.engine import Engine
from penult.onnx.writer import to_onnx


def test_outputs_come_by_name_for_any_batch():
    x = graph.images(2)
    model = to_onnx({"map": graph.to_nhwc(x), "mean": graph.global_avg_pool(x)}, lambda v: v)
    engine = Engine(*model)
    for n in (1, 3):
        batch = np.random.default_rng(n).normal(size=(n, 2, 2, 3)).astype(np.float32)
        outputs = engine.run(batch)
        assert list(outputs) == ["map", "mean"]
        np.testing.assert_array_equal(outputs["map"], batch)
        np.testing.assert_allclose(outputs["mean"], batch.mean((1, 2)), rtol=1e-5, atol=1e-6)
