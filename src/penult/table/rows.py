"""Rows of a table by the names that Python and NumPy have for such things."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from penult.errors import MissingKeyError, UsageError
from penult.store import TableReader
from penult.util.text import one_line, quoted, similar

Floats = NDArray[np.float32]


class Rows(TableReader):
    """A table that is read like a dict from key to vector, and as an array of all vectors.

    Vectors are those of the layer that `numpy` gives too. `len` counts them, iteration goes over
    their keys, in order.
    """

    def __getitem__(self, keys: str | Sequence[str]) -> Floats:
        """Vectors by key: of one image (*shape of the layer), of a list (n, *shape), in its order.

        Raises:
            MissingKeyError: There's no such image, or it failed.
            UsageError: It isn't a key or a list of keys.
            StoreError: The vectors can't be read.
        """
        if isinstance(keys, str):
            vector: Floats = self._vectors([self._place(keys)])[0]
            return vector
        if not isinstance(keys, Iterable):
            raise _not_a_key(keys)
        return self._vectors([self._place(key) for key in keys])

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._find(key) is not None

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("vectors are read from files, which is a copy: leave out copy=False")
        vectors = self.numpy()
        return vectors if dtype is None else vectors.astype(dtype, copy=False)

    def _repr_html_(self) -> str:
        """The first images with their keys, for notebooks."""
        from penult.viewer.notebook import thumbnails

        return thumbnails(self)

    def _vectors(self, places: list[int]) -> Floats:
        layer = self.layer()
        nothing = np.empty((0, *self.layers[layer]), np.float32)
        return np.concatenate([nothing, *self.blocks(layer, np.array(places, np.int64))])

    def _place(self, key: str) -> int:
        if not isinstance(key, str):
            raise _not_a_key(key)
        place = self._find(key)
        if place is not None:
            return place
        if reason := self.failures.get(key):
            failed = f"{quoted(key)} has no features: {one_line(reason)}"
            raise MissingKeyError(f"{quoted(self.path)}: {failed}")
        hint = similar(key, self.keys)
        raise MissingKeyError(f"{quoted(self.path)} has no image {quoted(key)}{hint}")

    def _find(self, key: str) -> int | None:
        place = bisect_left(self.keys, key)
        return place if self.keys[place : place + 1] == [key] else None


def _not_a_key(key: object) -> UsageError:
    return UsageError(
        f"rows are named by keys, not {one_line(repr(key))}: numpy() has all in order"
    )
