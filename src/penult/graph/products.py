"""Convolutions that see the whole of a map at once, written as matrix products.

TensorFlow's networks write dense layers as convolutions, VGG's first as one of 7×7 over 7×7. As a
product, all images of a batch share one reading of the kernel (411 MB there), and the engine is
given the kernel as the checkpoint stores it, (height · width · channels, filters), not a copy.
"""

from collections.abc import Mapping
from math import prod

from penult.graph.ops import flatten, reshape, to_nhwc
from penult.graph.values import Array, Constant, Value, rebuilt

LARGE = 1_000_000  # numbers in a kernel; smaller ones fit a processor's caches


def products(outputs: Mapping[str, Value]) -> dict[str, Value]:
    """Rewrite the large convolutions whose kernel covers the map, without padding."""
    return rebuilt(outputs, _rewritten)


def _rewritten(value: Value) -> Value:
    match value.inputs:
        case [Value() as x, Constant() as kernel, *bias] if _is_product(value, x, kernel):
            filters = kernel.shape[0]
            inputs = (flatten(to_nhwc(x)), _channels_last(kernel), *bias)
            product = Value("Gemm", inputs, (filters,), {}, value.multiply_adds)
            return reshape(product, -1, filters, 1, 1, layout="NCHW")
    return value


def _is_product(value: Value, x: Value, kernel: Constant) -> bool:
    is_plain = value.op == "Conv" and value.attributes["group"] == 1
    covers = is_plain and x.shape[1:] == kernel.shape[2:] and not any(value.attributes["pads"])
    return covers and prod(kernel.shape) >= LARGE


def _channels_last(kernel: Constant) -> Constant:
    filters, *window = kernel.shape

    def compute(*arrays: Array) -> Array:
        return kernel.compute(*arrays).transpose(2, 3, 1, 0).reshape(-1, filters)

    return Constant((prod(window), filters), kernel.variables, compute)
