"""One version of a table as the page has it: its rows are numbered in the order of its keys."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penult.errors import ImageError
from penult.extraction.row_files import COLUMNS, RowFile, out_of_reach, row_files
from penult.images import Readable
from penult.images.containers import is_gone
from penult.store import TableReader
from penult.version import __version__
from penult.viewer.columns import Column, column

FILES = 256  # rows whose files are looked up at a time
_MEASURED = ("width", "height", "bytes", "mtime")


class Edition:
    """A table as it is at a time; nothing in it changes.

    Attributes:
        features: The table.
        number: Tells it from earlier and later ones, to the page too.
    """

    def __init__(self, features: TableReader, layer: str, number: int) -> None:
        self.features = features
        self.number = number
        self._layer = features.layer(layer)
        names = dict.fromkeys([*COLUMNS, *_MEASURED, *features.columns])
        self._facts = features.facts([*names])
        self.keys = features.keys

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def columns(self) -> dict[str, Column]:
        """What is known of each row, by name, in the order of keys."""
        names = [*_MEASURED, *self.features.columns]
        return {name: column(self._facts[name].combine_chunks()) for name in names}

    def meta(self) -> dict[str, Any]:
        """What the page has to know before all else."""
        features = self.features
        return {
            "table": features.path.name,
            "rows": len(features),
            "failed": len(features.failures),
            "out_of_reach": out_of_reach(self._facts["path"]),
            "layer": self._layer,
            "layers": {name: list(shape) for name, shape in features.layers.items()},
            "columns": [
                {"name": name, "array": column.array, "words": column.words is not None}
                for name, column in self.columns.items()
            ],
            "provenance": {
                name: str(value)
                for name, value in features.provenance.items()
                if name != "transform"  # its text is there too
            },
            "version": __version__,
        }

    def failures(self) -> list[tuple[str, str]]:
        """Keys of images without features, each with the reason."""
        return list(self.features.failures.items())

    def files(self, rows: NDArray[np.int64]) -> Iterator[tuple[str, RowFile]]:
        """Keys of rows, and their files as the table records them."""
        for start in range(0, len(rows), FILES):
            some = rows[start : start + FILES]
            yield from zip(
                (self.keys[row] for row in some), row_files(self._facts.take(some)), strict=True
            )

    def image(self, row: int) -> Readable:
        """Where a row's image is, if it's the file that the features are of: any other isn't shown.

        A table may come from others, and must not name files to look at.
        """
        (file,) = row_files(self._facts.slice(row, 1))
        if file.refusal:
            raise ImageError("unreadable", file.refusal)
        image = file.image()
        if image is None and is_gone(file.place):
            raise ImageError("unreadable", "the file is gone from where it was")
        if image is None:
            raise ImageError("changed", "the file isn't the one that the features are of")
        return image
