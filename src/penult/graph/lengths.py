"""Tokens of any number: texts end where they end, and images of one size all have as many."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from penult.graph.ops import add
from penult.graph.values import Constant, Value, rebuilt

_INTEGERS = "int64"


def add_rows(x: Value, table: Constant) -> Value:
    """Add to tokens (tokens, channels) as many rows of a table (places, channels)."""
    length = Value("Shape", (x,), (1,), {"start": 1, "end": 2}, dtype=_INTEGERS)
    rows = Value("Slice", (table, _integers(0), length, _integers(0)), x.shape)
    return add(x, rows)


def last_token(x: Value) -> Value:
    """Take the last of the tokens (tokens, channels): (channels,)."""
    return Value("Gather", (x, _LAST), x.shape[1:], {"axis": 1}, layout="NC")


def token_at(x: Value, place: Value) -> Value:
    """Take the token at a place, an input of int64 (1,), counted from 0: (channels,)."""
    return Value("GatherND", (x, place), x.shape[1:], {"batch_dims": 1}, layout="NC")


def append(x: Value, token: Constant) -> Value:
    """Put a token (1, channels) after those of `x`."""
    length, channels = x.shape
    first = Value("Slice", (x, _integers(0), _integers(1), _integers(1)), (1, channels))
    each = add(Value("Mul", (first, _NOTHING), first.shape), token)
    return Value("Concat", (x, each), (length + 1, channels), {"axis": 1}, layout="NLC")


def any_length(outputs: Mapping[str, Value]) -> dict[str, Value]:
    """Make a graph of tokens take any number of them, not only as many as it was described for.

    Its inputs may then have other lengths, the same within a batch; what sizes values have doesn't
    say so.
    """
    return rebuilt(outputs, _freed)


def _freed(value: Value) -> Value:
    if value.op == "Input":
        return replace(value, attributes={**value.attributes, "is_free": 1})
    if value.op == "Reshape" and value.layout == "NLC":
        match value.inputs[0]:
            case Value(op="Gemm", inputs=(Value(op="Reshape", inputs=(Value() as tokens, *_)), *_)):
                begin = Value("Shape", (tokens,), (2,), {"start": 0, "end": 2}, dtype=_INTEGERS)
                end = _integers(value.shape[-1])
                target = Value("Concat", (begin, end), (3,), {"axis": 0}, dtype=_INTEGERS)
                return replace(value, inputs=(value.inputs[0], target))
    return value


def _integers(*values: int) -> Value:
    return Value("Constant", (), (len(values),), {"value_ints": [*values]}, dtype=_INTEGERS)


_LAST = Constant((), (), lambda: np.array(-1), _INTEGERS)
_NOTHING = Constant((), (), lambda: np.zeros(()))
