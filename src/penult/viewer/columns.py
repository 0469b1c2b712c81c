"""Columns as the page takes them: arrays of numbers, and what these mean where they are words."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_ARRAYS = {np.dtype("<i4"): "Int32Array", np.dtype("<f4"): "Float32Array"}


class Column(NamedTuple):
    """Values of all rows.

    Attributes:
        array: The array of JavaScript whose bytes `data` are.
        data: Numbers, NaN where a row has none; for words, the place of each row's word in `words`.
        words: Each word once, after None; None if the column has numbers.
    """

    array: str
    data: bytes
    words: list[str | None] | None = None


def column(values: Any) -> Column:  # noqa: ANN401 -- pyarrow has no types
    """Make a column of an Arrow array: numbers, times, which become seconds, or texts."""
    kind = str(values.type)
    if kind == "string":
        encoded = values.dictionary_encode()
        places = np.asarray(encoded.indices.fill_null(-1)) + np.int32(1)
        return _numbers(places)._replace(words=[None, *encoded.dictionary.to_pylist()])
    if kind.startswith("timestamp"):
        return _numbers(values.cast("int64").to_numpy(zero_copy_only=False) / 1e9)
    return _numbers(values.to_numpy(zero_copy_only=False))  # of whole numbers and nulls, floats


def _numbers(values: NDArray[Any]) -> Column:
    if values.dtype not in _ARRAYS:
        values = values.astype("<f8")
    return Column(_ARRAYS.get(values.dtype, "Float64Array"), values.tobytes())
