"""How layers become features."""

from typing import Literal

from penult.graph.ops import global_avg_pool, global_max_pool, to_nhwc
from penult.graph.values import Value

Pool = Literal["avg", "max", "none"]


def pooled(layer: Value, pool: Pool) -> Value:
    """Make a vector of a layer with height and width, or a map with its channels last."""
    if len(layer.shape) == 1:
        return layer
    return {"avg": global_avg_pool, "max": global_max_pool, "none": to_nhwc}[pool](layer)
