"""Which layers of which tables stand beside each other, and the images that all of them have."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from penult.analysis.vectors import Floats, not_finite
from penult.errors import UsageError
from penult.store import Table, TableReader, open_table
from penult.util.text import quoted

Tables: TypeAlias = Table | Sequence[Table]
Places: TypeAlias = NDArray[np.int64]


class Side(NamedTuple):
    """A layer of a table.

    Attributes:
        features: The table.
        layer: The layer's full name.
        name: What tells it from the others: the layer, the table's name, or both.
    """

    features: TableReader
    layer: str
    name: str = ""

    @property
    def path(self) -> Path:
        """Where the table is."""
        return self.features.path

    def vectors(self, places: Places) -> Floats:
        """Vectors of rows, in the order of `places`, maps as one vector each: (rows, values).

        Raises:
            StoreError: There are values among them that are no numbers.
        """
        pieces = self.features.tables([], [self.layer], places)
        flat = [piece.column(0).combine_chunks().flatten().to_numpy() for piece in pieces]
        vectors: Floats = np.concatenate(flat).reshape(len(places), -1)
        if not np.isfinite(vectors).all():
            raise not_finite(self.features, self.layer)
        return vectors


class Aligned(NamedTuple):
    """Images that several sides have.

    Attributes:
        keys: Their names, sorted.
        places: Where they are, one array a side.
    """

    keys: list[str]
    places: list[Places]


def sides(tables: Tables, layers: str | Sequence[str] = ()) -> list[Side]:
    """Each table's layers, with names that tell them apart.

    Args:
        tables: One or several, open or by their paths; `TABLE:LAYER` is one layer of a table.
        layers: The layers of those that don't name one themselves; by default all of theirs.

    Raises:
        UsageError: The same layer of a table is named twice, or there is none.
        StoreError: A table can't be read, or doesn't have a layer.
    """
    asked = [layers] if isinstance(layers, str) else list(layers)
    unnamed = [side for table in several(tables) for side in _sides(table, asked)]
    if not unnamed:
        raise UsageError("no tables: name at least one")
    names = _names(unnamed)
    return [side._replace(name=name) for side, name in zip(unnamed, names, strict=True)]


def several(tables: Tables) -> Sequence[Table]:
    """Tables as a sequence, a single one too."""
    return tables if isinstance(tables, list | tuple) else [tables]  # type: ignore[list-item]  # one


def align(chosen: Sequence[Side]) -> Aligned:
    """The images that all sides have, and where each side has them."""
    keys = sorted(set.intersection(*(set(side.features.keys) for side in chosen)))
    places = []
    for side in chosen:
        at = {key: place for place, key in enumerate(side.features.keys)}
        places.append(np.array([at[key] for key in keys], np.int64))
    return Aligned(keys, places)


def _sides(table: Table, layers: Sequence[str]) -> list[Side]:
    path, own = _split(table) if isinstance(table, str) else (table, None)
    features = open_table(path)
    names = [own] if own else layers or list(features.layers)
    return [Side(features, features.layer(name)) for name in names]


def _names(sides: Sequence[Side]) -> list[str]:
    """The shortest names that tell sides apart."""
    full = [f"{side.path}:{side.layer}" for side in sides]
    repeated = [name for place, name in enumerate(full) if name in full[:place]]
    if repeated:
        raise UsageError(f"{quoted(repeated[0])} is named twice: name it once")
    if len({side.path for side in sides}) == 1:
        return [side.layer for side in sides]
    tables = [side.path.stem for side in sides]
    both = [f"{side.path.stem}:{side.layer}" for side in sides]
    return next(names for names in (tables, both, full) if len(set(names)) == len(names))


def _split(text: str) -> tuple[str, str | None]:
    """Table and layer of `TABLE:LAYER`; either may have colons in its name."""
    for place in (place for place, letter in enumerate(text) if letter == ":"):
        if not Path(text).exists() and Path(text[:place]).is_dir():
            return text[:place], text[place + 1 :] or None
    return text, None
