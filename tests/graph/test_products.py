"""Dense layers written as convolutions must give the same as matrix products, and copy nothing."""

import numpy as np
import pytest

from penult import graph
from penult.engine import OnnxRuntime
from penult.graph import Constant, Value, Variable
from penult.graph import products as module
from penult.graph.products import products
from penult.graph.values import walk
from penult.onnx.writer import to_onnx

RANDOM = np.random.default_rng(0)
CHANNELS, FILTERS = 96, 257


def kernel(height: int, width: int, channels: int = CHANNELS) -> tuple[Constant, np.ndarray]:
    """A kernel as a checkpoint has it, height first, and its constant."""
    stored = RANDOM.normal(size=(height, width, channels, FILTERS)).astype(np.float32)
    shape = FILTERS, channels, height, width
    variable = Variable("kernel", stored.shape)
    return Constant(shape, (variable,), lambda array: array.transpose(3, 2, 0, 1)), stored


def maps(*size: int) -> Value:
    return graph.placeholder("images", (CHANNELS, *size), layout="NCHW")


def run(layer: Value, stored: np.ndarray, batch: np.ndarray) -> np.ndarray:
    model = to_onnx({"out": layer}, lambda variable: stored)
    (output,) = OnnxRuntime(model).run(batch).values()
    return output


def ops(layer: Value) -> list[str]:
    return [value.op for value in walk([layer])]


@pytest.fixture(autouse=True)
def small_kernels(monkeypatch):
    monkeypatch.setattr(module, "LARGE", 1)


@pytest.mark.parametrize("size", [(1, 1), (5, 5), (3, 4)])
@pytest.mark.parametrize("with_bias", [False, True])
def test_a_product_equals_the_convolution(size, with_bias):
    constant, stored = kernel(*size)
    numbers = RANDOM.normal(size=FILTERS)
    bias = Constant((FILTERS,), (), lambda: numbers) if with_bias else None
    layer = graph.conv(
        maps(*size),
        constant,
        bias,
        padding="VALID",
    )
    product = products({"out": layer})["out"]
    assert ("Conv" in ops(layer), "Conv" in ops(product)) == (True, False)
    assert product.shape == layer.shape
    batch = RANDOM.normal(size=(3, CHANNELS, *size)).astype(np.float32)
    found, expected = run(product, stored, batch), run(layer, stored, batch)
    assert np.linalg.norm(found - expected) < 2e-6 * np.linalg.norm(expected)


def test_an_image_gives_the_same_bits_in_a_batch_of_any_size():
    constant, stored = kernel(5, 5)
    layer = graph.conv(maps(5, 5), constant, padding="VALID")
    layer = products({"out": layer})["out"]
    batch = RANDOM.normal(size=(9, CHANNELS, 5, 5)).astype(np.float32)
    together = run(layer, stored, batch)
    for n in (1, 2, 3, 4, 8):
        np.testing.assert_array_equal(run(layer, stored, batch[:n]), together[:n])


def test_the_kernel_is_used_as_the_checkpoint_stores_it():
    constant, stored = kernel(5, 5)
    layer = graph.conv(maps(5, 5), constant, padding="VALID")
    model = to_onnx(products({"out": layer}), lambda variable: stored)
    (array,) = (each for each in model.weights.values() if each.size == stored.size)
    assert np.shares_memory(array, stored)


@pytest.mark.parametrize(
    "options", [{"padding": "SAME"}, {"padding": (2, 2)}, {"groups": 2}, {"padding": "VALID"}]
)
def test_other_convolutions_stay(options):
    channels = CHANNELS // options.get("groups", 1)
    constant, _ = kernel(5, 5, channels)
    size = 6 if options == {"padding": "VALID"} else 5
    layer = graph.conv(maps(size, size), constant, **options)
    assert "Conv" in ops(products({"out": layer})["out"])


def test_small_kernels_stay(monkeypatch):
    constant, stored = kernel(1, 1)
    monkeypatch.setattr(module, "LARGE", stored.size + 1)
    layer = graph.conv(maps(1, 1), constant)
    assert "Conv" in ops(products({"out": layer})["out"])
