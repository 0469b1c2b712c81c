"""The weights of an ONNX file, as they go to an engine: small ones in the model, others beside."""

from collections.abc import Mapping
from math import prod

import numpy as np

from penult.checkpoints.elements import ELEMENTS, read_array
from penult.graph import Constant
from penult.graph.values import Array
from penult.onnx.messages import external, tensor
from penult.onnx.reader import Tensor
from penult.onnx.writer import to_array
from penult.util.protobuf import MalformedError, Message, encode
from penult.util.text import one_line

MAX_LISTED = 64 << 20  # bytes of numbers that are listed, beyond those that they take there
SMALL = 1024  # bytes of an initializer that stays in the model: shapes, scales and the like
_BESIDE = frozenset({"float32", "float16", "int8", "uint8"})  # no shapes are of these


def encode_initializers(
    tensors: Mapping[str, Tensor], constants: Mapping[str, Constant]
) -> tuple[list[bytes], dict[str, Array]]:
    """Encode tensors of a file and constants of ours; the engine is given the large ones beside.

    Returns:
        Initializers, and the arrays of those that are beside the model: views where possible.
    """
    large = {name: each for name, each in tensors.items() if _is_large(each)}
    small = [_embedded(name, each) for name, each in tensors.items() if name not in large]
    given: dict[str, Tensor | Constant] = {**large, **constants}
    encoded = [external(name, each.shape, each.dtype) for name, each in given.items()]
    weights = {name: read_tensor(each) for name, each in large.items()}
    weights |= {name: to_array(constant) for name, constant in constants.items()}
    return small + encoded, weights


def read_tensor(tensor: Tensor) -> Array:
    """The numbers of a tensor: read-only, a view of the file where they lie there as bytes.

    Raises:
        MalformedError: They are listed one by one, and aren't as many as the shape says.
    """
    if len(tensor.raw) or 0 in tensor.shape:
        return read_array(tensor.raw, tensor.dtype, 0, tensor.shape, None)
    listed = _read_listed(tensor)
    return read_array(listed.data, tensor.dtype, 0, tensor.shape, None)


def _read_listed(tensor: Tensor) -> Array:
    """Numbers one by one, as they would be stored; halves of floats are integers there."""
    message, stored = Message(tensor.encoded), ELEMENTS[tensor.dtype].stored
    if tensor.dtype in {"float32", "float64"}:
        floats = np.frombuffer(message.content(4 if tensor.dtype == "float32" else 10), stored)
        _check_count(tensor, floats.size)
        return floats
    field = {"int64": 7, "uint64": 11, "uint32": 11}.get(tensor.dtype, 5)
    count = prod(tensor.shape)
    if count * stored.itemsize > MAX_LISTED + len(tensor.encoded):
        raise MalformedError(f"a tensor of {count} numbers one by one; save it as raw_data")
    listed = np.empty(count, f"<u{stored.itemsize}")  # of the numbers, the lowest bits
    at = 0
    for numbers in message.unpacked(field):
        listed[at : at + len(numbers)] = numbers[: max(0, count - at)]
        at += len(numbers)
    _check_count(tensor, at)
    return listed


def _check_count(tensor: Tensor, found: int) -> None:
    if found != prod(tensor.shape):
        shape = one_line(str(tensor.shape), 60)
        raise MalformedError(f"a tensor of shape {shape} with {found} numbers")


def _is_large(tensor: Tensor) -> bool:
    return tensor.dtype in _BESIDE and len(tensor.raw) >= SMALL


def _embedded(name: str, each: Tensor) -> bytes:
    if not each.is_external:
        return bytes(each.encoded)
    return tensor(name, each.shape, each.dtype) + encode((9, bytes(each.raw)))
