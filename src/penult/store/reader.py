"""The reader's side of a table of features: vectors by key, in the order of keys."""

import copy
import math
import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from penult.errors import StoreError, UsageError
from penult.store.columns import described, require_name
from penult.store.layout import Kind, Shape, column
from penult.store.messages import DamageError, wrap_errors
from penult.store.versions import local, newest, require_table, versions
from penult.util.keys import Keys, asked_for
from penult.util.text import matching, quoted

if TYPE_CHECKING:
    import pyarrow as pa
    from lance import LanceDataset

BATCH_BYTES = 8 << 20  # read at a time; Lance reads some of them ahead
PROBES = 64  # parts of an index that a query looks into; benchmarks/search.py
REFINE = 4  # times as many candidates as asked for whose exact distance is computed


class _Index(NamedTuple):
    """Where the rows are: `order[i]` is the place in the table of the i-th key, ok rows only."""

    kind: Kind
    keys: "pa.ChunkedArray"
    order: npt.NDArray[np.int64]
    failures: dict[str, str]
    stored: int
    whole: bool = True  # whether all rows that have features are among them


class TableReader:
    """Features of images, as one version of a table holds them; a process may be writing to it.

    Rows are in the order of their keys, whatever order they were written in. Images that failed
    have no row; `failures` has their reasons.

    Attributes:
        path: Folder of the table.
        recovered: A line to print if newest versions couldn't be read and were passed over.

    Raises:
        StoreError: If it isn't a table that Penult wrote, or no version of it can be read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = local(path)
        self.reload()

    def reload(self) -> None:
        """See the newest version: rows and columns that were written since."""
        require_table(self.path)
        with wrap_errors(f"can't open {quoted(self.path)}"):
            self._dataset, self._index, self.recovered = newest(self.path, _read_index)
        for name in ("keys", "indexes"):
            self.__dict__.pop(name, None)

    @property
    def version(self) -> int:
        """The number of the version that is open."""
        version: int = self._dataset.version
        return version

    @cached_property
    def keys(self) -> list[str]:
        """Names of the images that have features, sorted."""
        keys: list[str] = self._index.keys.to_pylist()
        return keys

    @property
    def layers(self) -> dict[str, Shape]:
        """Shape of each layer's output."""
        return dict(self._index.kind.layers)

    @property
    def columns(self) -> dict[str, str]:
        """Arrow's types of the columns that were added, by name: `{"cluster": "int32"}`."""
        return described(self._index.kind, self._dataset.schema)

    @property
    def failures(self) -> dict[str, str]:
        """Reasons of the images that have no features, by key, sorted."""
        return dict(self._index.failures)

    @property
    def provenance(self) -> dict[str, Any]:
        """What made the features: network, weights, pooling, preprocessing, versions."""
        return self._index.kind.notes | self._index.kind.provenance

    def is_alike(self, other: "TableReader") -> bool:
        """Whether the features of both were made alike."""
        return not self._index.kind.differences(other._index.kind)

    @property
    def document(self) -> str:
        """Layers and provenance as JSON, as exports carry it."""
        return self._index.kind.document

    @property
    def info(self) -> dict[str, Any]:
        """Facts about the table, as plain data."""
        with wrap_errors(f"can't measure {quoted(self.path)}"):
            size = sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())
            fragments = len(self._dataset.get_fragments())
        return {
            "path": str(self.path),
            "rows": len(self),
            "failed": len(self._index.failures),
            "layers": {name: list(shape) for name, shape in self.layers.items()},
            "columns": self.columns,
            "indexes": self.indexes,
            "bytes": size,
            "version": self.version,
            "versions": len(versions(self.path)),
            "fragments": fragments,
            "provenance": self.provenance,
        }

    def numpy(self, layer: str | None = None) -> npt.NDArray[np.float32]:
        """All vectors of a layer, by default the first: (rows, *shape of the layer).

        Raises:
            StoreError: If there's no such layer, or its column can't be read.
        """
        layer = self.layer(layer)
        shape = self.layers[layer]
        matrix = np.empty((len(self), math.prod(shape)), np.float32)
        if self._index.whole:
            self._scan(layer, matrix)
        else:
            start = 0
            for block in self.blocks(layer):
                matrix[start : start + len(block)] = block.reshape(len(block), -1)
                start += len(block)
        return matrix.reshape(-1, *shape)

    def _scan(self, layer: str, matrix: npt.NDArray[np.float32]) -> None:
        """Fill in all vectors of a layer, read in the order in which they lie in the table."""
        place = np.full(self._index.stored, -1)
        place[self._index.order] = np.arange(len(self))
        start = 0
        with wrap_errors(f"{quoted(self.path)}: can't read layer {quoted(layer)}"):
            for batch in self._dataset.to_batches([column(layer)], batch_size=self._batch_rows):
                there = place[start : start + len(batch)]
                matrix[there[there >= 0]] = _values(batch.column(0), there >= 0)
                start += len(batch)

    def layer(self, name: str | None = None) -> str:
        """The name of a layer that exists, the first if none is asked for.

        Raises:
            StoreError: If it doesn't exist; the message lists those that do.
        """
        if name is None:
            return next(iter(self.layers))
        matches = matching(name, self.layers)
        if len(matches) != 1:
            have = ", ".join(self.layers)
            raise StoreError(f"{quoted(self.path)} has no layer {quoted(name)}, it has {have}")
        return matches[0]

    def require_names(self, columns: Sequence[str]) -> None:
        """Raise a UsageError if columns of these names can't be added."""
        for name in columns:
            require_name(self._index.kind, name)

    def tables(
        self,
        columns: Sequence[str],
        layers: Sequence[str],
        places: npt.NDArray[np.int64] | None = None,
    ) -> Iterator["pa.Table"]:
        """Columns and layers of rows, in bounded pieces: all in the order of keys, or some.

        Raises:
            StoreError: They can't be read, or a vector is missing or has gaps.
        """
        names = [*columns, *map(column, layers)]
        order = self._index.order if places is None else self._index.order[places]
        for start in range(0, len(order), self._batch_rows):
            with wrap_errors(f"{quoted(self.path)}: can't read rows"):
                piece = self._dataset.take(order[start : start + self._batch_rows], columns=names)
                for layer in layers:
                    _require_whole(piece[column(layer)])
            yield piece.rename_columns([*columns, *layers])

    def blocks(
        self, layer: str, places: npt.NDArray[np.int64] | None = None
    ) -> Iterator[npt.NDArray[np.float32]]:
        """Vectors of all or some rows in bounded pieces, as of `tables`: (some rows, *shape)."""
        for piece in self.tables([], [layer], places):
            values = piece.column(0).combine_chunks()
            with wrap_errors(f"{quoted(self.path)}: can't read layer {quoted(layer)}"):
                block = _values(values, np.ones(len(values), bool))
            yield block.reshape(-1, *self.layers[layer])

    def facts(self, columns: Sequence[str]) -> "pa.Table":
        """Columns of all rows at once, in the order of keys: `path`, `width`, added ones and so on.

        A row that came after a column was added has null there.
        """
        with wrap_errors(f"{quoted(self.path)}: can't read rows"):
            return self._dataset.to_table(columns=list(columns)).take(self._index.order)

    def where(self, condition: str) -> npt.NDArray[np.int64]:
        """Places, in the order of keys, of the rows that meet a condition in SQL.

        Args:
            condition: For instance `width > 1000 AND key LIKE 'beach/%'`.

        Raises:
            UsageError: It isn't SQL, or names a column that there isn't.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        try:
            with wrap_errors(f"can't select rows where {quoted(condition)}"):
                rows = self._dataset.to_table(columns=["key"], filter=condition)
        except DamageError as exc:
            raise UsageError(str(exc)) from exc
        keys = rows["key"].cast(pa.large_string())
        places = pc.index_in(keys, value_set=self._index.keys).drop_null()
        return np.sort(places.to_numpy().astype(np.int64))

    def chosen(
        self, where: str | None = None, keys: Keys | None = None
    ) -> npt.NDArray[np.int64] | None:
        """Places of the rows that meet a condition and are asked for; None if neither is given.

        Args:
            where: As of `where`.
            keys: Keys; or a file with one a line, `-` for standard input.

        Raises:
            UsageError: The condition can't be used, or no key is given.
            MissingKeyError: Keys that the table lacks are asked for.
            SourceError: The file can't be read.
        """
        places = None if where is None else self.where(where)
        if keys is None:
            return places
        named = self._named(keys)
        return named if places is None else np.intersect1d(places, named)

    def _named(self, keys: Keys) -> npt.NDArray[np.int64]:
        found = asked_for(keys).found(
            lambda names: (self._places(names) >= 0).tolist(), f"{quoted(self.path)}"
        )
        return np.sort(self._places(found))

    def _places(self, keys: Sequence[str]) -> npt.NDArray[np.int64]:
        """Places of keys; -1 for those that there aren't."""
        import pyarrow as pa
        import pyarrow.compute as pc

        names = [key.encode("utf-8", "backslashreplace").decode() for key in keys]
        found = pc.index_in(pa.array(names, pa.large_string()), value_set=self._index.keys)
        places: npt.NDArray[np.int64] = found.fill_null(-1).to_numpy().astype(np.int64)
        return places

    def subset(self, places: npt.NDArray[np.int64]) -> Self:
        """The same version of the table, as if it had the rows at these places alone."""
        some = copy.copy(self)
        order, keys = self._index.order[places], self._index.keys.take(places)
        some._index = self._index._replace(order=order, keys=keys, whole=False)
        some.__dict__.pop("keys", None)
        return some

    def indexed(self, layer: str | None = None) -> str | None:
        """The metric that a layer has an index for: cosine, l2 or dot; None if it has none."""
        return self.indexes.get(self.layer(layer))

    @cached_property
    def indexes(self) -> dict[str, str]:
        """Metrics of the layers that have an index: `{"pooled_features": "cosine"}`."""
        with wrap_errors(f"{quoted(self.path)}: can't read its indexes"):
            found = {
                index.field_names[0]: index.details["metric_type"].lower()
                for index in self._dataset.describe_indices()
            }
        return {name: found[column(name)] for name in self.layers if column(name) in found}

    def nearest(
        self, layer: str, vector: npt.NDArray[np.float32], k: int
    ) -> list[tuple[str, float]]:
        """The likely nearest rows by a layer's index, as keys and Lance's distances, nearest first.

        Lance's distance is 1 - cosine, 1 - dot product, or the square of the Euclidean distance.

        Raises:
            StoreError: The index can't be read.
        """
        wanted = {"column": column(layer), "q": vector, "k": k}
        wanted |= {"nprobes": PROBES, "refine_factor": REFINE, "metric": self.indexed(layer)}
        with wrap_errors(f"{quoted(self.path)}: can't search", "make its index again"):
            found = self._dataset.to_table(columns=["key", "_distance"], nearest=wanted).drop_null()
        return list(zip(found["key"].to_pylist(), found["_distance"].to_pylist(), strict=True))

    @property
    def _batch_rows(self) -> int:
        return max(1, BATCH_BYTES // self._index.kind.row_bytes)

    def __len__(self) -> int:
        return len(self._index.order)

    def __repr__(self) -> str:
        layers = ", ".join(f"{n} {'x'.join(map(str, s))}" for n, s in self.layers.items())
        failed = f", {len(self._index.failures)} failed" if self._index.failures else ""
        made = quoted(self.provenance.get("network", "unknown network"))[1:-1]
        what = f"{type(self).__name__} {quoted(self.path.name)}"
        return f"<{what}: {len(self)} images{failed}, {made}: {layers}>"


Table: TypeAlias = TableReader | str | os.PathLike[str]


def open_table(table: Table) -> TableReader:
    """Return the table itself if it is open, and else open the one at its path."""
    return table if isinstance(table, TableReader) else TableReader(table)


def _read_index(dataset: "LanceDataset") -> _Index:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = Kind.read(dataset.schema)
    table = dataset.to_table(columns=["key", "error"])
    if table["key"].null_count:
        raise DamageError("there are rows without a key: extract into another table")
    # Arrow compares UTF-8 bytes, which gives Python's order; large_string holds more than 2 GiB
    keys = table["key"].cast(pa.large_string())
    by_key = pc.sort_indices(keys)
    ok = table["error"].is_null().take(by_key)
    failed = by_key.filter(pc.invert(ok))
    failures = zip(
        keys.take(failed).to_pylist(), table["error"].take(failed).to_pylist(), strict=True
    )
    order = by_key.filter(ok)
    return _Index(
        kind, keys.take(order), order.to_numpy().astype(np.int64), dict(failures), len(table)
    )


def _require_whole(column: "pa.ChunkedArray") -> None:
    """Refuse a column of vectors in which one is missing, or a number of one."""
    if column.null_count or any(chunk.flatten().null_count for chunk in column.chunks):
        raise ValueError("vectors are missing or have gaps: extract into another table")


def _values(column: "pa.FixedSizeListArray", wanted: npt.NDArray[np.bool]) -> npt.NDArray[Any]:
    """Vectors of the wanted rows, which must be those that have one: (rows, values)."""
    if not np.array_equal(column.is_valid().to_numpy(zero_copy_only=False), wanted):
        raise ValueError("vectors are missing, or failed images have some")
    size = column.type.list_size
    values: npt.NDArray[Any] = column.flatten().to_numpy().reshape(-1, size)
    return values
