"""How layers become features."""

from collections.abc import Mapping
from typing import Literal

from penult.errors import NetworkError, UsageError
from penult.graph.ops import (
    first_token,
    global_avg_pool,
    global_max_pool,
    normalize,
    transpose,
)
from penult.graph.tokens import join_vectors, slice_tokens
from penult.graph.values import Layout, Value
from penult.util.text import quoted

Pool = Literal["avg", "max", "none", "cls", "cls+avg"]

_MAP: tuple[Layout, Layout] = "NCHW", "NHWC"  # channels first, channels last
_TOKENS: tuple[Layout, Layout] = "NCL", "NLC"


def pool_layers(
    layers: Mapping[str, Value], pool: Pool, *, normalized: bool = False, prefix: int = 0
) -> dict[str, Value]:
    """Make features of layers, by name: vectors, or maps and tokens with their channels last.

    Vectors stay as they are. Of maps and tokens, `avg` and `max` take the average and the largest
    over all places of the image; `none` keeps (height, width, channels) or (tokens, channels);
    `cls` takes the first token, `cls+avg` joins the first and the average of the image's.

    Args:
        layers: The layers.
        pool: What to make of them.
        normalized: Whether vectors, or those of each place, are divided by their lengths.
        prefix: How many tokens stand before those of the image, the first for its class.

    Raises:
        UsageError: A map has no class token.
        NetworkError: A layer is neither a vector, a map nor tokens.
    """
    pooled = {name: _pool(name, layer, pool, prefix) for name, layer in layers.items()}
    return {name: normalize(x) for name, x in pooled.items()} if normalized else pooled


def _pool(name: str, layer: Value, pool: Pool, prefix: int) -> Value:
    if layer.layout == "NC":
        return layer
    first, last = _orders(name, layer)
    if pool == "none":
        return transpose(layer, last)
    if pool in {"cls", "cls+avg"} and last != "NLC":
        raise UsageError(
            f"layer {quoted(name)} is a map, so has no class token: choose another pool"
        )
    places = _of_image(transpose(layer, last), prefix) if last == "NLC" else layer
    match pool:
        case "max":
            return global_max_pool(transpose(places, first))
        case "avg":
            return global_avg_pool(transpose(places, first))
        case "cls":
            return first_token(transpose(layer, last))
        case "cls+avg":
            average = global_avg_pool(transpose(places, first))
            return join_vectors(first_token(transpose(layer, last)), average)


def _of_image(tokens: Value, prefix: int) -> Value:
    return slice_tokens(tokens, prefix, tokens.shape[0]) if prefix else tokens


def _orders(name: str, layer: Value) -> tuple[Layout, Layout]:
    for orders in (_MAP, _TOKENS):
        if layer.layout in orders:
            return orders
    raise NetworkError(f"layer {quoted(name)} is {layer.shape}, not a vector, tokens or a map")
