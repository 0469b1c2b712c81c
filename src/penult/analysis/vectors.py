"""A layer's vectors for products with many others: kept in memory, or in blocks from the disk."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from penult.store import Features

Floats = NDArray[np.float32]

HELD_BYTES = 1 << 30  # a layer of up to so many stays in memory from one search to the next


class Block(NamedTuple):
    """Some rows, in the order of keys."""

    start: int  # place of the first
    vectors: Floats  # (rows, values)
    lengths: Floats  # (rows,), 1 for zeros


_held: "WeakKeyDictionary[Features, dict[str, Block]]" = WeakKeyDictionary()


def blocks(features: Features, layer: str) -> Iterator[Block]:
    """All vectors of a layer: in one block that is read once, or in many if it is large."""
    width = int(np.prod(features.layers[layer]))
    if 4 * width * len(features) > HELD_BYTES:
        yield from _read(features, layer)
        return
    held = _held.setdefault(features, {})
    if layer not in held:
        held[layer] = _block(0, features.numpy(layer))
    yield held[layer]


def unit_matrix(features: Features, layer: str, order: NDArray[np.int64]) -> Floats:
    """Vectors of length 1, to be overwritten; a large matrix lies in a file that has no name.

    Args:
        features: An open table.
        layer: One of its layers.
        order: Places in the order of keys, in the order of the rows to return.
    """
    shape = (len(features), int(np.prod(features.layers[layer])))
    matrix = _matrix(shape)
    row = np.empty_like(order)
    row[order] = np.arange(len(order))
    for block in _read(features, layer):
        unit = block.vectors / block.lengths[:, None]
        matrix[row[block.start : block.start + len(unit)]] = unit
    return matrix


def _matrix(shape: tuple[int, int]) -> Floats:
    if 4 * shape[0] * shape[1] <= HELD_BYTES:
        return np.empty(shape, np.float32)
    with tempfile.NamedTemporaryFile(dir=Path.cwd()) as file:  # /tmp may be memory
        return np.memmap(file, np.float32, "w+", shape=shape)


def _read(features: Features, layer: str) -> Iterator[Block]:
    start = 0
    for vectors in features.blocks(layer):
        yield _block(start, vectors)
        start += len(vectors)


def _block(start: int, vectors: Floats) -> Block:
    flat = vectors.reshape(len(vectors), -1)
    lengths = np.sqrt(np.einsum("ij,ij->i", flat, flat))
    return Block(start, flat, np.where(lengths, lengths, np.float32(1)))
