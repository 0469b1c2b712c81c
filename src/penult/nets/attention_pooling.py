"""Pooling by attention: what tokens answer to a learned query."""

from typing import Literal

import numpy as np

from penult.graph import (
    Constant,
    Value,
    Variable,
    add,
    attention,
    dense,
    first_token,
    multiply,
    plain,
    slice_tokens,
)
from penult.graph.values import Array
from penult.nets import pytorch

Packing = Literal["kv", "qkv"]  # what stands in one matrix: timm's, or transformers'

_COCA_HEADS = 8  # open_clip's default, which all published ones have
_ZERO = Constant((), (), lambda: np.zeros(()))


def siglip(
    x: Value,
    name: str,
    packing: Packing,
    *,
    heads: int,
    hidden: int,
    activation: pytorch.Activation,
    epsilon: float,
) -> Value:
    """One query, then an MLP beside it (SigLIP; arXiv:2106.04560, section 3.4): (channels,)."""
    width = x.shape[-1]
    if packing == "kv":
        query = _query(f"{name}.latent", *_linear(f"{name}.q", width, width))
        kernel, bias = _linear(f"{name}.kv", 2 * width, width)
        at, out, norm = (0, width), f"{name}.proj", f"{name}.norm"
    else:
        inner = f"{name}.attention"
        kernel = Variable(f"{inner}.in_proj_weight", (3 * width, width))
        bias = Variable(f"{inner}.in_proj_bias", (3 * width,))
        query = _query(f"{name}.probe", kernel, bias)
        at, out, norm = (width, 2 * width), f"{inner}.out_proj", f"{name}.layernorm"
    k, v = (
        dense(x, pytorch.rows(kernel, i, i + width), pytorch.rows(bias, i, i + width)) for i in at
    )
    y = pytorch.linear(attention(_each(query, x), k, v, heads=heads), out, width)
    z = pytorch.layer_norm(y, norm, epsilon=epsilon)
    z = activation(pytorch.linear(z, f"{name}.mlp.fc1", hidden))
    return first_token(add(y, pytorch.linear(z, f"{name}.mlp.fc2", width)))


def coca(x: Value, name: str, width: int, *, epsilon: float) -> Value:
    """The first of 256 queries, which is the image's (arXiv:2205.01917, section 3.2): (width,)."""
    inner, inputs = f"{name}.attn", x.shape[-1]
    bias = Variable(f"{inner}.in_proj_bias", (3 * width,))
    normalised = pytorch.layer_norm(x, f"{name}.ln_k", epsilon=epsilon)
    parts = []
    for index, part in enumerate("kv", start=1):
        kernel = plain(Variable(f"{inner}.{part}_proj_weight", (width, inputs)))
        shift = pytorch.rows(bias, index * width, (index + 1) * width)
        parts.append(dense(normalised, kernel, shift))
    variables = (
        Variable(f"{name}.query", (256, width)),
        Variable(f"{name}.ln_q.weight", (width,)),
        Variable(f"{name}.ln_q.bias", (width,)),
        Variable(f"{inner}.q_proj_weight", (width, width)),
        bias,
    )

    def compute(queries: Array, scale: Array, shift: Array, kernel: Array, bias: Array) -> Array:
        first = queries[:1].astype(np.float64)
        centred = first - first.mean()
        normal = centred / np.sqrt(first.var() + epsilon) * scale + shift
        query: Array = normal @ kernel.T + bias[:width]
        return query

    query = _each(Constant((1, width), variables, compute), parts[0])
    y = attention(query, *parts, heads=_COCA_HEADS)
    return first_token(pytorch.linear(y, f"{inner}.out_proj", width))


def _linear(name: str, outputs: int, inputs: int) -> tuple[Variable, Variable]:
    return Variable(f"{name}.weight", (outputs, inputs)), Variable(f"{name}.bias", (outputs,))


def _query(name: str, kernel: Variable, bias: Variable) -> Constant:
    """A learned token through its dense layer, the first rows of what may be packed."""
    width = kernel.shape[1]

    def compute(token: Array, kernel: Array, bias: Array) -> Array:
        query: Array = token[0].astype(np.float64) @ kernel[:width].T + bias[:width]
        return query

    return Constant((1, width), (Variable(name, (1, 1, width)), kernel, bias), compute)


def _each(query: Constant, x: Value) -> Value:
    """One query for each image of the batch that tokens are of."""
    return add(multiply(slice_tokens(x, 0, 1), _ZERO), query)
