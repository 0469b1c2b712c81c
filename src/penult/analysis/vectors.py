"""A layer's vectors for products with many others: kept in memory, or in blocks from the disk."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from penult.errors import StoreError
from penult.store import TableReader
from penult.store.messages import wrap_errors
from penult.util.text import quoted

Floats = NDArray[np.float32]
Scalar = TypeVar("Scalar", np.float32, np.uint8, np.int8)

HELD_BYTES = 1 << 30  # a layer of up to so many stays in memory from one search to the next
PIECE = 4096  # rows that are compared with many others in one product
FEW = 4  # of a layer not in memory, one row in so many at most is read without the others


class Block(NamedTuple):
    """Some rows, in the order of keys."""

    start: int  # place of the first
    vectors: Floats  # (rows, values)
    lengths: Floats  # (rows,), 1 for zeros

    def pieces(self, count: int) -> "Iterator[Block]":
        """The same rows, `count` at a time."""
        for at in range(0, len(self.vectors), count):
            part = slice(at, at + count)
            yield Block(self.start + at, self.vectors[part], self.lengths[part])

    def at(self, places: NDArray[np.int64]) -> "Iterator[Block]":
        """The rows at some places, a piece at a time, each a copy."""
        for start in range(0, len(places), PIECE):
            part = places[start : start + PIECE]
            yield Block(start, self.vectors[part], self.lengths[part])


_held: "WeakKeyDictionary[TableReader, tuple[int, dict[str, Block]]]" = WeakKeyDictionary()


def blocks(
    features: TableReader, layer: str, places: NDArray[np.int64] | None = None
) -> Iterator[Block]:
    """All vectors of a layer: in one block that is read once, or in many if it is large.

    Args:
        features: The table.
        layer: The layer.
        places: Those of some rows instead; a block's `start` is a place among them. A few are read
            alone, unless all are in memory.

    Raises:
        StoreError: There are values among them that are no finite numbers.
    """
    if places is not None and _are_few(features, layer, places):
        yield from _read(features, layer, places)
        return
    if _bytes(features, layer) > HELD_BYTES:
        yield from _read(features, layer)
        return
    held = _held_layers(features)
    if layer not in held:
        held[layer] = _check(features, layer, _block(0, features.numpy(layer)))
    yield from [held[layer]] if places is None else held[layer].at(places)


def _held_layers(features: TableReader) -> dict[str, Block]:
    """The layers of an open table that are in memory."""
    version, held = _held.get(features, (0, {}))
    if version != features.version:
        held = {}
        _held[features] = features.version, held
    return held


def _are_few(features: TableReader, layer: str, places: NDArray[np.int64]) -> bool:
    """Whether to read these rows alone."""
    if _bytes(features, layer) > HELD_BYTES:
        return True
    return layer not in _held_layers(features) and FEW * len(places) <= len(features)


@contextmanager
def preloading(features: TableReader, layer: str, *, wanted: bool) -> Iterator[None]:
    """Read a layer that is to stay in memory while something else is done, such as a network."""
    if not wanted or _bytes(features, layer) > HELD_BYTES:
        yield
        return
    with ThreadPoolExecutor(1) as beside:
        reading = beside.submit(next, blocks(features, layer))
        yield
        reading.result()


def _bytes(features: TableReader, layer: str) -> int:
    return 4 * int(np.prod(features.layers[layer])) * len(features)


def unit_matrix(features: TableReader, layer: str, order: NDArray[np.int64]) -> Floats:
    """Vectors of length 1, to be overwritten; a large matrix lies in a file that has no name.

    Args:
        features: An open table.
        layer: One of its layers.
        order: Places in the order of keys, in the order of the rows to return.
    """
    shape = (len(features), int(np.prod(features.layers[layer])))
    matrix = scratch(shape, np.float32)
    row = np.empty_like(order)
    row[order] = np.arange(len(order))
    for block in _read(features, layer):
        unit = block.vectors / block.lengths[:, None]
        matrix[row[block.start : block.start + len(unit)]] = unit
    return matrix


def rows(
    features: TableReader, layer: str, places: NDArray[np.int64], *, unit: bool = True
) -> Floats:
    """Vectors of some rows, made of length 1 unless told not to: (places, values)."""
    matrix = scratch((len(places), int(np.prod(features.layers[layer]))), np.float32)
    start = 0
    for piece in features.tables([], [layer], places):
        flat: Floats = piece.column(0).combine_chunks().flatten().to_numpy()
        block = _check(features, layer, _block(start, flat.reshape(len(piece), -1)))
        matrix[start : start + len(piece)] = scaled(block, unit=unit)
        start += len(piece)
    return matrix


def scaled(block: Block, *, unit: bool) -> Floats:
    """A block's vectors, of length 1 if asked for."""
    return block.vectors / block.lengths[:, None] if unit else block.vectors


def pieces(features: TableReader, layer: str, *, unit: bool) -> Iterator[tuple[slice, Floats]]:
    """All vectors of a layer, some at a time, with their places in the order of keys."""
    for block in blocks(features, layer):
        for piece in block.pieces(PIECE):
            yield slice(piece.start, piece.start + len(piece.vectors)), scaled(piece, unit=unit)


def sample_places(count: int, limit: int, seed: int = 0) -> NDArray[np.int64]:
    """Places of all of `count` rows, or of a random sample of `limit` if there are more; sorted."""
    if count <= limit:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, limit, replace=False))


def scratch(shape: tuple[int, ...], dtype: type[Scalar]) -> NDArray[Scalar]:
    """Zeros to work with, in memory; if they take much, in a file here that has no name.

    Raises:
        StoreError: The disk has no room for it.
    """
    size, folder = int(np.prod(shape)) * np.dtype(dtype).itemsize, Path.cwd()  # /tmp may be memory
    if size <= HELD_BYTES:
        return np.zeros(shape, dtype)
    where = f"can't write {size:,} bytes to work with in {quoted(folder)}"
    with wrap_errors(where, "work in another folder"), TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):  # else a full disk is met too late, and ends the process
            os.posix_fallocate(file.fileno(), 0, size)
        return np.memmap(file, dtype, "w+", shape=shape)


def _read(
    features: TableReader, layer: str, places: NDArray[np.int64] | None = None
) -> Iterator[Block]:
    start = 0
    for vectors in features.blocks(layer, places):
        yield _check(features, layer, _block(start, vectors))
        start += len(vectors)


def _check(features: TableReader, layer: str, block: Block) -> Block:
    """The block, whose vectors have lengths that are numbers; `extract` stores no others."""
    if not np.isfinite(block.lengths).all():
        raise not_finite(features, layer)
    return block


def not_finite(features: TableReader, layer: str) -> StoreError:
    """An error to raise of a layer that can't be computed with."""
    return StoreError(
        f"{quoted(features.path)}: layer {quoted(layer)} has values that are no finite numbers: "
        "extract it again"
    )


def _block(start: int, vectors: Floats) -> Block:
    flat = vectors.reshape(len(vectors), int(np.prod(vectors.shape[1:])))
    lengths = np.sqrt(np.einsum("ij,ij->i", flat, flat))
    return Block(start, flat, np.where(lengths, lengths, np.float32(1)))
