"""How layers become features."""

from collections.abc import Mapping
from typing import Literal

from penult.errors import NetworkError, UsageError
from penult.graph.ops import first_token, global_avg_pool, global_max_pool, transpose
from penult.graph.values import Layout, Value
from penult.util.text import quoted

Pool = Literal["avg", "max", "none", "cls"]

_MAP: tuple[Layout, Layout] = "NCHW", "NHWC"  # channels first, channels last
_TOKENS: tuple[Layout, Layout] = "NCL", "NLC"


def pool_layers(layers: Mapping[str, Value], pool: Pool) -> dict[str, Value]:
    """Make features of layers, by name: vectors, or maps and tokens with their channels last.

    Vectors stay as they are. Of maps and tokens, `avg` and `max` take the average and the largest
    over all places, a class token included; `none` keeps (height, width, channels) or (tokens,
    channels); `cls` takes the first token.

    Raises:
        UsageError: A map has no class token.
        NetworkError: A layer is neither a vector, a map nor tokens.
    """
    return {name: _pool(name, layer, pool) for name, layer in layers.items()}


def _pool(name: str, layer: Value, pool: Pool) -> Value:
    if layer.layout == "NC":
        return layer
    first, last = _orders(name, layer)
    match pool:
        case "avg":
            return global_avg_pool(transpose(layer, first))
        case "max":
            return global_max_pool(transpose(layer, first))
        case "none":
            return transpose(layer, last)
        case "cls" if last == "NLC":
            return first_token(transpose(layer, last))
    raise UsageError(f"layer {quoted(name)} is a map, so has no class token: choose another pool")


def _orders(name: str, layer: Value) -> tuple[Layout, Layout]:
    for orders in (_MAP, _TOKENS):
        if layer.layout in orders:
            return orders
    raise NetworkError(f"layer {quoted(name)} is {layer.shape}, not a vector, tokens or a map")
