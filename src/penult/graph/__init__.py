"""The graph of a network: described once, without weights, then written as an ONNX model.

A network is a function that takes `images(size)` and returns its layers, each a `Value` that knows
what it is and what it was made from. Layers, parameters and multiply-adds are read off these
values; only `penult.onnx.writer` asks for weights, and only for those that the layers asked for
depend on.
"""

from penult.graph.ops import (
    BatchNorm,
    add,
    avg_pool,
    concat,
    conv,
    dense,
    embedding,
    first_token,
    flatten,
    fold_batch_norm,
    global_avg_pool,
    global_max_pool,
    hard_sigmoid,
    hard_swish,
    images,
    local_response_norm,
    max_pool,
    multiply,
    placeholder,
    plain,
    relu,
    relu6,
    softmax,
    to_nhwc,
    token_ids,
    transpose,
)
from penult.graph.values import Constant, Value, Variable, multiply_adds, parameters, variables

__all__ = [
    "BatchNorm",
    "Constant",
    "Value",
    "Variable",
    "add",
    "avg_pool",
    "concat",
    "conv",
    "dense",
    "embedding",
    "first_token",
    "flatten",
    "fold_batch_norm",
    "global_avg_pool",
    "global_max_pool",
    "hard_sigmoid",
    "hard_swish",
    "images",
    "local_response_norm",
    "max_pool",
    "multiply",
    "multiply_adds",
    "parameters",
    "placeholder",
    "plain",
    "relu",
    "relu6",
    "softmax",
    "to_nhwc",
    "token_ids",
    "transpose",
    "variables",
]
