"""What the globals in PyTorch's pickles stand for: storages, tensors, dicts, and things not needed.

A storage is a run of elements that the file keeps under a key; a tensor is a view of a storage. The
pickle holds both descriptions, the bytes are elsewhere in the file. Here the descriptions are
checked against each other; whether the file has the bytes is checked by its reader.

Sources: torch/_utils.py (the `_rebuild` functions), torch/storage.py and torch/serialization.py
(persistent ids) of PyTorch 2.13, and of 0.4 for what has gone since.
"""

import math
from dataclasses import dataclass, field
from typing import TypeGuard

from penult.checkpoints.elements import ELEMENTS, MAX_DIMENSIONS, is_possible, item_size
from penult.checkpoints.unpickle import (
    INERT,
    Inert,
    MalformedError,
    Refusal,
    UnsupportedError,
    is_key,
)

MAX_EXPANDED = 1 << 20  # elements a view may have though its storage has fewer: an expanded one


@dataclass(frozen=True, slots=True)
class DType:
    """`torch.float32` and so on."""

    name: str


@dataclass(frozen=True, slots=True)
class StorageType:
    """`torch.FloatStorage` and so on; an UntypedStorage counts bytes."""

    dtype: str


@dataclass(frozen=True, slots=True)
class Block:
    """Elements that the file keeps under `key`."""

    key: str
    dtype: str
    count: int

    @property
    def size(self) -> int:
        """In bytes."""
        return self.count * item_size(self.dtype)


@dataclass(frozen=True, slots=True)
class Storage:
    """A block, or a part of one; in bytes."""

    block: Block
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class TensorView:
    """A tensor: elements of a block, `start` in bytes and `strides` in elements."""

    block: Block
    dtype: str
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many bytes it has, each as often as it is there."""
        return math.prod(self.shape) * item_size(self.dtype)

    @property
    def byte_strides(self) -> tuple[int, ...]:
        """The strides as NumPy wants them."""
        return tuple(stride * item_size(self.dtype) for stride in self.strides)


@dataclass
class Blocks:
    """The blocks that a pickle speaks of, by key; to be told of each persistent id."""

    found: dict[str, Block] = field(default_factory=dict)

    def storage(self, identity: tuple[object, ...]) -> Storage:
        """The storage for `("storage", type, key, location, count[, view])`.

        `view`, of 2018 and before, is None or `(its own key, first element, count)`.
        """
        if len(identity) not in (5, 6) or identity[0] != "storage":
            raise MalformedError("a persistent id that isn't a storage's")
        _, kind, key, _, count, *rest = identity
        if not isinstance(kind, StorageType) or type(key) is not str or not _is_size(count):
            raise MalformedError("a storage without type, key or size")
        block = self.found.setdefault(key, Block(key, kind.dtype, count))
        if (kind.dtype, count) != (block.dtype, block.count):
            raise MalformedError("two storages of one key")
        return _part(block, rest[0] if rest else None)


def _part(block: Block, view: object) -> Storage:
    if view is None:
        return Storage(block, 0, block.size)
    if type(view) is not tuple or len(view) != 3:
        raise MalformedError("a storage's view that isn't (key, first, count)")
    _, first, count = view
    if not _is_size(first) or not _is_size(count) or first + count > block.count:
        raise MalformedError("a view that reaches beyond its storage")
    return Storage(block, first * item_size(block.dtype), count * item_size(block.dtype))


def _is_size(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < 2**63


def _is_sizes(value: object) -> TypeGuard[tuple[int, ...]]:
    return type(value) is tuple and len(value) <= MAX_DIMENSIONS and all(map(_is_size, value))


def _view(
    storage: object, offset: object, shape: object, strides: object, dtype: str | None = None
) -> TensorView:
    if not isinstance(storage, Storage) or not _is_size(offset):
        raise MalformedError("a tensor without storage or offset")
    if not _is_sizes(shape) or not _is_sizes(strides) or len(shape) != len(strides):
        raise MalformedError("a tensor whose shape and strides aren't tuples of sizes")
    dtype = dtype or storage.block.dtype
    available = storage.size // item_size(dtype)
    count = math.prod(shape)
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if (last >= available and count) or offset > available:
        raise MalformedError("a tensor that reaches beyond its storage")
    if count > max(available, MAX_EXPANDED) or not is_possible(shape, dtype):
        raise MalformedError("a tensor larger than its storage accounts for")
    if max(strides, default=0) * item_size(dtype) >= 2**63:  # though only one element be there
        raise MalformedError("a tensor with a stride that no memory has")
    start = storage.start + offset * item_size(dtype)
    return TensorView(storage.block, dtype, start, shape, strides)


def _check_metadata(metadata: list[object]) -> None:
    if any(metadata):
        raise UnsupportedError(
            "a conjugated or negated view isn't supported; save its .resolve_conj().resolve_neg()"
        )


def rebuild_tensor(*view: object) -> TensorView:
    """The tensors of PyTorch 0.3 and before: storage, offset, size and stride."""
    storage, offset, shape, strides = view
    return _view(storage, offset, shape, strides)


def rebuild_tensor_v2(*arguments: object) -> TensorView:
    """A tensor of its storage's type; after the view requires_grad, hooks, perhaps metadata."""
    storage, offset, shape, strides, _, _, *metadata = arguments
    _check_metadata(metadata)
    return _view(storage, offset, shape, strides)


def rebuild_tensor_v3(*arguments: object) -> TensorView:
    """A tensor of its own type on a storage of bytes: the dtype is the seventh argument."""
    storage, offset, shape, strides, _, _, dtype, *metadata = arguments
    _check_metadata(metadata)
    if not isinstance(dtype, DType):
        raise MalformedError("a tensor without dtype")
    return _view(storage, offset, shape, strides, dtype.name)


def rebuild_from_type(rebuild: object, _: object, arguments: object, *__: object) -> TensorView:
    """A tensor with attributes of its own, which aren't needed."""
    if type(arguments) is tuple and rebuild is rebuild_tensor_v2:
        return rebuild_tensor_v2(*arguments)
    if type(arguments) is tuple and rebuild is rebuild_tensor_v3:
        return rebuild_tensor_v3(*arguments)
    raise MalformedError("a tensor of unknown make")


def same_tensor(tensor: object, *_: object) -> TensorView:
    """A parameter, or a tensor brought from another device."""
    if not isinstance(tensor, TensorView):
        raise MalformedError("a parameter that isn't a tensor")
    return tensor


def size(dimensions: object = ()) -> object:
    """`torch.Size`."""
    return dimensions


def mapping(content: object = None, *_: object) -> dict[object, object]:
    """An OrderedDict, Counter or defaultdict; of pairs, if Python 2 made it."""
    if type(content) is dict:
        return content
    if type(content) is not list:
        return {}  # of nothing, or with a default factory
    if not all(type(it) in (list, tuple) and len(it) == 2 and is_key(it[0]) for it in content):
        raise MalformedError("an OrderedDict of other things than pairs")
    return dict(content)


def inert(*_: object) -> Inert:
    """A call whose result isn't needed."""
    return INERT


Table = dict[tuple[str, str], object]


def _each_item(names: str, meaning: object) -> Table:
    """The same meaning for each of some dotted names."""
    return {(name.rpartition(".")[0], name.rpartition(".")[2]): meaning for name in names.split()}


_TENSORS: Table = {
    ("torch._utils", "_rebuild_tensor"): rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor_v2,
    ("torch._utils", "_rebuild_tensor_v3"): rebuild_tensor_v3,
    ("torch._utils", "_rebuild_parameter"): same_tensor,
    ("torch._utils", "_rebuild_parameter_with_state"): same_tensor,
    ("torch._utils", "_rebuild_device_tensor_from_cpu_tensor"): same_tensor,
    ("torch._tensor", "_rebuild_from_type_v2"): rebuild_from_type,
    ("torch.nn.parameter", "Parameter"): same_tensor,
    ("torch", "Size"): size,
}

_STORAGES: Table = {
    ("torch", "DoubleStorage"): StorageType("float64"),
    ("torch", "FloatStorage"): StorageType("float32"),
    ("torch", "HalfStorage"): StorageType("float16"),
    ("torch", "BFloat16Storage"): StorageType("bfloat16"),
    ("torch", "LongStorage"): StorageType("int64"),
    ("torch", "IntStorage"): StorageType("int32"),
    ("torch", "ShortStorage"): StorageType("int16"),
    ("torch", "CharStorage"): StorageType("int8"),
    ("torch", "ByteStorage"): StorageType("uint8"),
    ("torch", "BoolStorage"): StorageType("bool"),
    ("torch", "ComplexFloatStorage"): StorageType("complex64"),
    ("torch", "ComplexDoubleStorage"): StorageType("complex128"),
    ("torch", "UntypedStorage"): StorageType("uint8"),
    ("torch.storage", "UntypedStorage"): StorageType("uint8"),
}

_MAPPINGS: Table = _each_item(
    "collections.OrderedDict collections.Counter collections.defaultdict", mapping
)

# What training scripts save beside the weights: arguments, paths, scores, default factories.
_BUILTINS = "bool bytearray complex dict float frozenset int list range set slice str tuple xrange"
_BESIDE: Table = {
    **{(module, n): inert for module in ("builtins", "__builtin__") for n in _BUILTINS.split()},
    **_each_item("torch.Tensor torch.device argparse.Namespace", inert),
    **_each_item("pathlib.PosixPath pathlib.WindowsPath", inert),
    **_each_item("numpy.dtype numpy.ndarray _codecs.encode", inert),
    **_each_item("numpy.core.multiarray.scalar numpy.core.multiarray._reconstruct", inert),
    **_each_item("numpy._core.multiarray.scalar numpy._core.multiarray._reconstruct", inert),
}

_REFUSED: Table = {
    **_each_item(
        "torch._utils._rebuild_qtensor torch.QInt8Storage torch.QInt32Storage"
        " torch.QUInt8Storage torch.QUInt4x2Storage torch.QUInt2x4Storage",
        Refusal("a quantised tensor isn't supported; save the state_dict of the float model"),
    ),
    **_each_item(
        "torch._utils._rebuild_sparse_tensor",
        Refusal("a sparse tensor isn't supported; save its .to_dense()"),
    ),
    **_each_item(
        "torch._utils._rebuild_nested_tensor",
        Refusal("a nested tensor isn't supported; save the tensors in it one by one"),
    ),
    **_each_item(
        "torch._utils._rebuild_meta_tensor_no_storage",
        Refusal("a meta tensor has no values; load the weights into the model, then save it"),
    ),
    **_each_item(
        "torch._utils._rebuild_wrapper_subclass",
        Refusal("a tensor of a subclass isn't supported; save it as a plain torch.Tensor"),
    ),
    **_each_item(
        "torch.complex32 torch.float8_e4m3fnuz torch.float8_e5m2fnuz torch.float8_e8m0fnu"
        " torch.float4_e2m1fn_x2",
        Refusal("a tensor of this dtype isn't supported; convert it to float32 and save it"),
    ),
}

NAMES: Table = {
    **_TENSORS,
    **_STORAGES,
    **{("torch", dtype): DType(dtype) for dtype in ELEMENTS},
    **_MAPPINGS,
    **_BESIDE,
    **_REFUSED,
}
