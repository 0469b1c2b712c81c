"""What a table of features looks like: its columns, its document of origin, its rows.

A column a layer is named as the layer, with what Lance can't have in a name percent-encoded
(it takes a dot for a nested column): `Mixed_5b.relu` is stored as `Mixed_5b%2Erelu`.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from penult.errors import StoreError
from penult.store.messages import wrap_errors
from penult.util.files import held_time
from penult.util.text import describe, differences, quoted

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 2
MAX_DEPTH = 32  # levels of the document; preprocessing and settings have ten
DOCUMENT = b"penult"  # where the schema's metadata holds the document of origin
RESERVED = {"key", "keys", "path", "width", "height", "bytes", "mtime", "sha256", "error"}

Shape = tuple[int, ...]


@dataclass(frozen=True)
class File:
    """The file of an image as it was when it was listed: later runs compare it.

    Args:
        key: Name of the image, unique in a table.
        bytes: Size of the file.
        mtime_ns: Its last change in nanoseconds since 1970, as `os.stat` gives it.
        path: Where it is, absolute, written like a key.
        sha256: Digest of its content in hexadecimal digits, where that was asked for.
    """

    key: str
    bytes: int
    mtime_ns: int
    path: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, eq=False)
class Row(File):
    """One image in a table: its vectors, or the reason why it has none.

    Args:
        width: Pixels of the decoded image, where known.
        height: As `width`.
        vectors: For each layer of the table a float32 array of the layer's shape.
        error: The reason, if there are no vectors.
    """

    width: int | None = None
    height: int | None = None
    vectors: Mapping[str, npt.NDArray[np.float32]] | None = None
    error: str | None = None


@dataclass(frozen=True)
class Kind:
    """What all rows of a table have in common: the layers, and the document of what made them."""

    layers: dict[str, Shape]
    provenance: dict[str, Any]
    notes: dict[str, Any]  # as of those who made the table, or renewed one since; never compared

    @classmethod
    def of(
        cls,
        layers: Mapping[str, Shape],
        provenance: Mapping[str, Any],
        notes: Mapping[str, Any] = MappingProxyType({}),
    ) -> Self:
        """The kind that a caller asks for.

        Raises:
            StoreError: If a layer's name or shape can't be stored, or a value isn't plain data.
        """
        try:
            return cls._parse(_document(layers, provenance, notes))
        except (TypeError, StoreError) as exc:
            raise StoreError(f"can't describe the features: {exc}") from exc

    @classmethod
    def read(cls, schema: "pa.Schema") -> Self:
        """The kind of an existing table, its columns compared with what its document says.

        Raises:
            StoreError: If Penult didn't write this table, or it was tampered with.
        """
        text = (schema.metadata or {}).get(DOCUMENT)
        if text is None:
            raise StoreError("a Lance table that Penult didn't write: it has no 'penult' metadata")
        kind = cls._parse(text)
        for field in kind.schema():
            found = schema.field(field.name).type if field.name in schema.names else "missing"
            if found != field.type:
                raise StoreError(f"column {quoted(field.name)} is {found}, expected {field.type}")
        return kind

    @classmethod
    def _parse(cls, text: str | bytes) -> Self:
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as exc:
            raise StoreError(f"metadata that isn't JSON: {quoted(exc)}") from exc
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            found = document.get("format") if isinstance(document, dict) else document
            raise StoreError(f"store format {quoted(found)}, expected {FORMAT}: {_remedy(found)}")
        if not _is_shallow(document, MAX_DEPTH):
            raise StoreError(f"metadata of more than {MAX_DEPTH} levels")
        layers, provenance, notes = map(document.get, ("layers", "provenance", "notes"))
        if not isinstance(layers, dict) or not layers:
            raise StoreError("metadata without layers")
        if not isinstance(provenance, dict) or not isinstance(notes, dict):
            raise StoreError("metadata without provenance or notes")
        return cls({name: _shape(name, dims) for name, dims in layers.items()}, provenance, notes)

    @property
    def document(self) -> str:
        """The document of origin as JSON, as it is stored with the features."""
        return _document(self.layers, self.provenance, self.notes)

    @property
    def row_bytes(self) -> int:
        """About what a row takes, in memory as on disk."""
        return 200 + 4 * sum(map(math.prod, self.layers.values()))

    def differences(self, asked: "Kind") -> list[str]:
        """Where features that are asked for aren't of this kind, whatever the order of layers."""
        there, here = (
            {**kind.provenance, "layers": describe(dict(sorted(kind.layers.items())))}
            for kind in (self, asked)
        )
        return differences(there, here)

    def with_layers_of(self, other: "Kind") -> "Kind":
        """This kind with another one's layers; those that both have keep this one's shapes."""
        common = {name: shape for name, shape in self.layers.items() if name in other.layers}
        return replace(self, layers=other.layers | common)

    def schema(self) -> "pa.Schema":
        """Columns as Arrow types, with the document of origin."""
        import pyarrow as pa

        vectors = [
            pa.field(column(name), pa.list_(pa.float32(), math.prod(shape)))
            for name, shape in self.layers.items()
        ]
        fields = [
            pa.field("key", pa.string(), nullable=False),
            pa.field("path", pa.string()),
            *vectors,
            pa.field("width", pa.int32()),
            pa.field("height", pa.int32()),
            pa.field("bytes", pa.int64()),
            pa.field("mtime", pa.timestamp("ns")),
            pa.field("sha256", pa.string()),
            pa.field("error", pa.string()),
        ]
        return pa.schema(fields, metadata={DOCUMENT: self.document})

    def table(self, rows: Sequence[Row]) -> "pa.Table":
        """Rows as an Arrow table.

        Raises:
            StoreError: If a row doesn't fit this kind; the message names it.
        """
        import pyarrow as pa

        for row in rows:
            self._check(row)
        failed = pa.array([row.vectors is None for row in rows])
        columns = file_columns(rows) | {
            "width": [row.width for row in rows],
            "height": [row.height for row in rows],
            "error": [row.error and _encodable(row.error) for row in rows],
        }
        for name, shape in self.layers.items():
            block = _stack(rows, name, shape)  # not by pa.array, which imports numpy.ma
            values = pa.Array.from_buffers(pa.float32(), block.size, [None, pa.py_buffer(block)])
            columns[column(name)] = pa.FixedSizeListArray.from_arrays(
                values, math.prod(shape), mask=failed
            )
        with wrap_errors(f"can't store {len(rows)} rows"):
            return pa.table(columns, schema=self.schema())

    def _check(self, row: Row) -> None:
        if _encodable(row.key) != row.key or "\0" in row.key:
            raise StoreError(f"key {quoted(row.key)} isn't Unicode text without NUL: rename it")
        if (row.vectors is None) == (row.error is None):
            raise StoreError(f"row {quoted(row.key)} needs either vectors or an error")
        if row.vectors is not None and row.vectors.keys() != self.layers.keys():
            raise StoreError(
                f"row {quoted(row.key)} has layers {quoted(', '.join(row.vectors))}, "
                f"expected {quoted(', '.join(self.layers))}"
            )


def file_columns(files: Sequence[File]) -> dict[str, Any]:
    """The columns that tell what a row's file was like."""
    return {
        "key": [file.key for file in files],
        "path": [file.path for file in files],
        "bytes": [file.bytes for file in files],
        "mtime": [held_time(file.mtime_ns) for file in files],
        "sha256": [file.sha256 for file in files],
    }


def _document(
    layers: Mapping[str, Shape], provenance: Mapping[str, Any], notes: Mapping[str, Any]
) -> str:
    facts = {"provenance": dict(provenance), "notes": dict(notes)}
    return json.dumps({"format": FORMAT, "layers": dict(layers), **facts})


def _is_shallow(value: object, levels: int) -> bool:
    """Whether plain data has no more levels, so that it can be compared and shown."""
    if not isinstance(value, dict | list):
        return True
    parts = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_shallow(each, levels - 1) for each in parts)


def _remedy(found: object) -> str:
    if type(found) is int and found < FORMAT:
        return "an earlier Penult made it: extract into another table"
    return "upgrade Penult"


def file_facts(schema: "pa.Schema", files: Sequence[File]) -> "pa.Table":
    """What is known of files, as columns of a table with a schema."""
    import pyarrow as pa

    columns = file_columns(files)
    return pa.table(columns, schema=pa.schema([schema.field(name) for name in columns]))


def with_files(rows: "pa.Table", files: Sequence[File]) -> "pa.Table":
    """Rows of a table as those of other files, in the same order."""
    import pyarrow as pa

    for name, values in file_columns(files).items():
        field = rows.schema.field(name)
        column = pa.array(values, field.type)
        rows = rows.set_column(rows.schema.get_field_index(name), field, column)
    return rows


def column(layer: str) -> str:
    """The column that holds a layer; `urllib.parse.unquote` gives the layer back."""
    return quote(layer, safe="/").replace(".", "%2E")


def _shape(layer: str, dims: object) -> Shape:
    """A layer's shape as a table can hold it; Arrow counts a list's values in 32 bits."""
    if not layer.isprintable() or not 0 < len(layer) <= 200 or layer in RESERVED:
        raise StoreError(f"layer {quoted(layer)} can't be a column's name")
    if not isinstance(dims, list) or not dims or not all(type(d) is int and d > 0 for d in dims):
        raise StoreError(f"layer {quoted(layer)} has shape {quoted(dims)}, expected sizes above 0")
    if math.prod(dims) >= 2**31:
        raise StoreError(f"layer {quoted(layer)} of shape {quoted(dims)} is too large")
    return tuple(dims)


def _stack(rows: Sequence[Row], layer: str, shape: Shape) -> npt.NDArray[np.float32]:
    """Vectors of one layer, zeros where a row has failed: (rows, size of the layer)."""
    block = np.zeros((len(rows), *shape), np.float32)
    for place, row in enumerate(rows):
        if row.vectors is not None:
            vector = row.vectors[layer]
            if vector.shape != shape or vector.dtype != np.float32:
                raise StoreError(
                    f"row {quoted(row.key)}, layer {quoted(layer)}: {vector.dtype} of shape "
                    f"{vector.shape}, expected float32 of shape {shape}"
                )
            block[place] = vector
    return block


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
