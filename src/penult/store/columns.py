"""Columns that were added to a table: labels, places on a map, whatever was found out about rows.

They lie beside the rows in files of their own and aren't part of the table's kind: a row that is
written later, or anew, has nulls there, and one that moves to another key takes its values along.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from penult.errors import UsageError
from penult.store.layout import RESERVED, Kind, column
from penult.util.text import quoted

if TYPE_CHECKING:
    import pyarrow as pa

Values: TypeAlias = NDArray[np.int32] | NDArray[np.float32] | Sequence[str | None]

TYPES = ("int32", "float", "string")  # Arrow's names; "float" has 32 bits
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")  # conditions in SQL need no quotes, nor mind case


def names(kind: Kind, schema: "pa.Schema") -> list[str]:
    """Columns of a table that were added to it."""
    own = set(kind.schema().names)
    return [name for name in schema.names if name not in own]


def described(kind: Kind, schema: "pa.Schema") -> dict[str, str]:
    """Arrow's types of the added columns, by name; what others may have added is passed over."""
    types = {name: str(schema.field(name).type) for name in names(kind, schema)}
    return {name: each for name, each in types.items() if each in TYPES}


def checked(kind: Kind, keys: Sequence[str], columns: Mapping[str, Values]) -> "pa.Table":
    """Values to add, a row a key.

    Raises:
        UsageError: A name can't be a column's, values are of another type, there aren't as many as
            keys, or a key occurs twice.
    """
    import pyarrow as pa

    if len(set(keys)) != len(keys):
        raise UsageError(f"{len(keys) - len(set(keys))} keys occur twice, expected each once")
    for name in columns:
        require_name(kind, name)
    return pa.table({name: _array(name, values, len(keys)) for name, values in columns.items()})


def _array(name: str, values: Values, count: int) -> "pa.Array":
    import pyarrow as pa

    try:
        array = pa.array(values, None if isinstance(values, np.ndarray) else pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError) as exc:
        raise UsageError(f"column {quoted(name)} can't be stored: {quoted(exc)}") from exc
    if str(array.type) not in TYPES:
        raise UsageError(f"column {quoted(name)} is {array.type}, expected int32, float32 or texts")
    if len(array) != count:
        raise UsageError(
            f"column {quoted(name)} has {len(array)} values, expected {count}, one a key"
        )
    return array


def require_name(kind: Kind, name: str) -> None:
    """Raise a UsageError if no column of this name can be added."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{quoted(name)} can't be a column's name: use up to 63 of a-z, 0-9 and _, first a-z"
        )
    layers = {column(layer).lower() for layer in kind.layers}
    if name in RESERVED | layers:
        raise UsageError(f"column {quoted(name)} is the table's own: choose another name")


def beside(there: "pa.Table", keys: Sequence[str], values: "pa.Table") -> tuple["pa.Table", int]:
    """Lay values beside the rows of a table.

    Args:
        there: Column `key` of the rows, and the added columns that stay unless `values` has them.
        keys: The keys that `values` are of, in its order.
        values: Their values.

    Returns:
        The added columns in the order of `there`, and how many rows got values.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    places = pc.index_in(there["key"], value_set=pa.array(keys, pa.string()))
    columns = {name: there[name] for name in there.column_names if name != "key"}
    columns |= {name: values[name].take(places) for name in values.column_names}
    return pa.table(columns), len(places) - places.null_count


def completed(batch: "pa.Table", schema: "pa.Schema") -> "pa.Table":
    """Rows with nulls in the added columns that they lack, columns in the table's order."""
    import pyarrow as pa

    for field in schema:
        if field.name not in batch.column_names:
            batch = batch.append_column(field, pa.nulls(len(batch), field.type))
    return batch.select(schema.names)
