"""The weights of an ONNX file, as they go to an engine: small ones in the model, others beside."""

from collections.abc import Mapping

import numpy as np

from penult.graph import Constant
from penult.graph.values import Array
from penult.onnx.messages import external, tensor
from penult.onnx.reader import Tensor
from penult.onnx.writer import to_array
from penult.util.protobuf import encode

SMALL = 1024  # bytes of an initializer that stays in the model: shapes, scales and the like
_BESIDE = {"float32": "<f4", "float16": "<f2", "int8": "i1", "uint8": "u1"}  # NumPy's names


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
    """The numbers of a tensor that has them as bytes, of a type that NumPy knows."""
    array = np.frombuffer(tensor.raw, _BESIDE[tensor.dtype]).reshape(tensor.shape)
    return np.require(array, array.dtype, "A")  # aligned: the file needn't have it so


def _is_large(tensor: Tensor) -> bool:
    return tensor.dtype in _BESIDE and len(tensor.raw) >= SMALL


def _embedded(name: str, each: Tensor) -> bytes:
    if not each.is_external:
        return bytes(each.encoded)
    return tensor(name, each.shape, each.dtype) + encode((9, bytes(each.raw)))
