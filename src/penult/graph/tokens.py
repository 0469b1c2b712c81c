"""Operations on tokens, (tokens, channels), as vision and text transformers have them.

Those that ONNX Runtime computes as one operator of its own are written so; `portable` says them in
ONNX's own operators, for files that other programs shall read.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod

import numpy as np

from penult.graph.ops import add, multiply, reshape, transpose
from penult.graph.values import Array, Constant, Value, rebuilt

_HIDDEN = -10_000.0  # what ONNX Runtime adds to products with keys that aren't seen


def to_tokens(x: Value) -> Value:
    """Turn a map (c, h, w) into tokens (h · w, c), row by row."""
    channels, *places = x.shape
    return transpose(reshape(x, -1, channels, prod(places), layout="NCL"), "NLC")


def prepend(x: Value, tokens: int) -> Value:
    """Put so many tokens of zeros before those of `x`."""
    pads = _integers(0, tokens, 0, 0, 0, 0)
    length, channels = x.shape
    return Value("Pad", (x, pads), (tokens + length, channels), layout="NLC")


def slice_tokens(x: Value, start: int, stop: int) -> Value:
    """Take the tokens from `start` to before `stop`."""
    inputs = (x, _integers(start), _integers(stop), _integers(1))
    return Value("Slice", inputs, (stop - start, *x.shape[1:]), layout=x.layout)


def slice_channels(x: Value, start: int, stop: int) -> Value:
    """Take the channels, which are last, from `start` to before `stop`."""
    axis = len(x.shape)
    inputs = (x, _integers(start), _integers(stop), _integers(axis))
    return Value("Slice", inputs, (*x.shape[:-1], stop - start), layout=x.layout)


def join_vectors(*vectors: Value) -> Value:
    """Join vectors (c,) end to end."""
    channels = sum(vector.shape[0] for vector in vectors)
    return Value("Concat", vectors, (channels,), {"axis": 1}, layout="NC")


def join_tokens(*parts: Value) -> Value:
    """Put tokens (tokens, channels) one after another."""
    length = sum(part.shape[0] for part in parts)
    return Value("Concat", parts, (length, parts[0].shape[1]), {"axis": 1}, layout="NLC")


def layer_norm(x: Value, scale: Constant, bias: Constant, *, epsilon: float) -> Value:
    """Normalise each token, or vector, by its own mean and deviation (arXiv:1607.06450)."""
    attributes = {"axis": -1, "epsilon": epsilon}
    return Value("LayerNormalization", (x, scale, bias), x.shape, attributes, layout=x.layout)


def attention(
    q: Value,
    k: Value,
    v: Value,
    *,
    heads: int,
    scale: float | None = None,
    causal: bool = False,
    keys: Value | None = None,
) -> Value:
    """Let each query take of the values what its keys let it (arXiv:1706.03762, section 3.2.2).

    Args:
        q: Queries, (tokens, channels).
        k: Keys, which may be of another number of tokens.
        v: Values, one a key.
        heads: Into so many parts channels are divided.
        scale: Products are multiplied with it; by default 1 / sqrt(channels of a head).
        causal: Whether a token sees itself and those before it only.
        keys: int32 (keys,), 0 for those that no query sees; by default all are seen.

    Returns:
        (tokens, channels), the heads side by side.
    """
    (queries, channels), (length, values) = q.shape, v.shape
    products = queries * length * (channels + values)
    attributes = {"num_heads": heads, "scale": scale or (channels / heads) ** -0.5}
    if causal:
        attributes["unidirectional"] = 1
    inputs: tuple[Value | Constant, ...] = (q, k, v)
    if keys:  # stands after the biases of all three
        biases = Constant((2 * channels + values,), (), lambda: np.zeros(2 * channels + values))
        inputs = (*inputs, biases, keys)
    return Value("MultiHeadAttention", inputs, (queries, values), attributes, products, "NLC")


def rotate(x: Value, cosines: Constant, sines: Constant, *, heads: int) -> Value:
    """Turn each token's pairs of channels by angles of its place (arXiv:2104.09864).

    A pair is a channel of a head's first half and the one of its second half; the tables are
    (tokens, channels of a head / 2).
    """
    places = Constant((1,), (), lambda: np.zeros(1), "int64")
    inputs = (x, places, cosines, sines)
    return Value("RotaryEmbedding", inputs, x.shape, {"num_heads": heads}, layout="NLC")


def gelu(x: Value) -> Value:
    """Return x · Φ(x) with the normal distribution's Φ (arXiv:1606.08415)."""
    return Value("Gelu", (x,), x.shape, layout=x.layout)


def gelu_tanh(x: Value) -> Value:
    """Return the approximation x / 2 · (1 + tanh(sqrt(2 / π) · (x + 0.044715 · x³)))."""
    return Value("FastGelu", (x,), x.shape, layout=x.layout)


def quick_gelu(x: Value) -> Value:
    """Return x · sigmoid(1.702 · x), as OpenAI's CLIP does."""
    return Value("QuickGelu", (x,), x.shape, {"alpha": 1.702}, layout=x.layout)


def portable(outputs: Mapping[str, Value]) -> dict[str, Value]:
    """Say in ONNX's own operators what stands there in ONNX Runtime's."""
    return rebuilt(outputs, _said_portably)


def _said_portably(value: Value) -> Value:
    say = _PORTABLE.get(value.op)
    return say(value, *value.inputs) if say else value


def _attention(value: Value, q: Value, k: Value, v: Value, *masks: Value) -> Value:
    q, k, v = (_heads(each, value.attributes["num_heads"]) for each in (q, k, v))
    heads, queries, _ = q.shape
    keys = k.shape[1]
    scaled = multiply(q, _number(value.attributes["scale"]))
    turned = Value("Transpose", (k,), (heads, k.shape[2], keys), {"perm": [0, 1, 3, 2]})
    shares = Value("MatMul", (scaled, turned), (heads, queries, keys))
    if "unidirectional" in value.attributes:
        shares = add(shares, _hidden_after(queries))
    for seen in masks[1:]:
        hidden = multiply(add(_cast(seen), _number(-1)), _number(-_HIDDEN))
        shares = add(shares, reshape(hidden, -1, 1, 1, keys))
    shares = Value("Softmax", (shares,), shares.shape, {"axis": -1})
    return _unheads(Value("MatMul", (shares, v), (heads, queries, v.shape[2])))


def _hidden_after(tokens: int) -> Constant:
    """What hides the tokens after each, (tokens, tokens)."""

    def compute() -> Array:
        hidden: Array = np.triu(np.full((tokens, tokens), _HIDDEN), 1)
        return hidden

    return Constant((tokens, tokens), (), compute)


def _cast(x: Value) -> Value:
    return Value("Cast", (x,), x.shape, {"to": 1}, layout=x.layout)


def _rotation(value: Value, x: Value, _: Constant, cosines: Constant, sines: Constant) -> Value:
    split = _heads(x, value.attributes["num_heads"])
    half = split.shape[2] // 2
    left, right = (_last(split, start, start + half) for start in (0, half))
    turned = Value("Concat", (_opposite(right), left), split.shape, {"axis": 3})
    whole = add(multiply(split, _twice(cosines)), multiply(turned, _twice(sines)))
    return _unheads(whole)


def _gelu(_: Value, x: Value) -> Value:
    error = _same("Erf", multiply(x, _number(0.5**0.5)))
    return multiply(multiply(x, _number(0.5)), add(error, _number(1)))


def _gelu_tanh(_: Value, x: Value) -> Value:
    cubed = multiply(multiply(x, x), x)
    inner = multiply(add(x, multiply(cubed, _number(0.044715))), _number((2 / np.pi) ** 0.5))
    return multiply(multiply(x, _number(0.5)), add(_same("Tanh", inner), _number(1)))


def _quick_gelu(value: Value, x: Value) -> Value:
    return multiply(x, _same("Sigmoid", multiply(x, _number(value.attributes["alpha"]))))


_PORTABLE: Mapping[str, Callable[..., Value]] = {
    "MultiHeadAttention": _attention,
    "RotaryEmbedding": _rotation,
    "Gelu": _gelu,
    "FastGelu": _gelu_tanh,
    "QuickGelu": _quick_gelu,
}


def _heads(x: Value, heads: int) -> Value:
    """(tokens, channels) to (heads, tokens, channels of a head)."""
    tokens, channels = x.shape
    split = reshape(x, -1, tokens, heads, channels // heads)
    shape = (heads, tokens, channels // heads)
    return Value("Transpose", (split,), shape, {"perm": [0, 2, 1, 3]})


def _unheads(x: Value) -> Value:
    heads, tokens, width = x.shape
    joined = Value("Transpose", (x,), (tokens, heads, width), {"perm": [0, 2, 1, 3]})
    return reshape(joined, -1, tokens, heads * width, layout="NLC")


def _last(x: Value, start: int, stop: int) -> Value:
    inputs = (x, _integers(start), _integers(stop), _integers(3))
    return Value("Slice", inputs, (*x.shape[:-1], stop - start))


def _opposite(x: Value) -> Value:
    return _same("Neg", x)


def _twice(table: Constant) -> Constant:
    tokens, half = table.shape
    return Constant(
        (tokens, 2 * half), table.variables, lambda *arrays: np.tile(table.compute(*arrays), 2)
    )


def _same(op: str, x: Value) -> Value:
    return replace(Value(op, (x,), x.shape), layout=x.layout)


def _number(value: float) -> Constant:
    return Constant((), (), lambda: np.array(value))


def _integers(*values: int) -> Value:
    return Value("Constant", (), (len(values),), {"value_ints": [*values]}, dtype="int64")
