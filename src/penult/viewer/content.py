"""What the page asks of a table: its keys and columns, pictures of its rows, what is near."""

from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from penult.analysis.neighbours import Match, search
from penult.analysis.queries import Queries
from penult.analysis.words import Texts, phrases, require_words, text_vectors
from penult.errors import ImageError, PenultError, UsageError
from penult.extraction.row_files import COLUMNS, row_files
from penult.images import Readable
from penult.images.containers import is_gone
from penult.images.thumbnails import Thumbnails
from penult.store import TableReader
from penult.version import __version__
from penult.viewer.columns import Column, column

NEAR = 100  # rows that a search finds
LARGE = 1600  # pixels of the longer side of an image that is looked at alone
_LARGE_CACHE = 32 << 20  # bytes, of some 100
_MEASURED = ("width", "height", "bytes", "mtime")


class Content:
    """Answers about an open table; may be asked from many threads at once.

    Args:
        features: The table.
        layer: The layer that searches compare, by default the first.
        weights: Where the weights of the table's model are, if not where they were.
    """

    def __init__(
        self, features: TableReader, layer: str | None = None, weights: str | Path | None = None
    ) -> None:
        self._features = features
        self._layer = features.layer(layer)
        self._weights = weights
        names = dict.fromkeys([*COLUMNS, *_MEASURED, *features.columns])
        self._facts = features.facts([*names])
        self._searching = Lock()  # the first search reads all vectors, or loads the model
        self._words = ""
        self._tower = Thread(target=self._load_tower, daemon=True)  # which takes a second
        try:
            require_words(features, self._layer)
            self._tower.start()
        except PenultError as error:
            self._words = str(error)
        self._small = Thumbnails()
        self._large = Thumbnails(LARGE, count=2, cache_bytes=_LARGE_CACHE)

    def _load_tower(self) -> None:
        """Load the text tower, so that words find something at once; it stays loaded."""
        try:
            with self._searching:
                text_vectors(self._features, self._layer, ["a photo"], weights=self._weights)
        except PenultError as error:
            self._words = str(error)

    @cached_property
    def columns(self) -> dict[str, Column]:
        """What is known of each row, by name, in the order of keys."""
        names = [*_MEASURED, *self._features.columns]
        return {name: column(self._facts[name].combine_chunks()) for name in names}

    def meta(self) -> dict[str, Any]:
        """What the page has to know before all else."""
        features = self._features
        return {
            "table": features.path.name,
            "rows": len(features),
            "failed": len(features.failures),
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

    def keys(self) -> list[str]:
        """All keys, in order."""
        return self._features.keys

    def failures(self) -> list[tuple[str, str]]:
        """Keys of images without features, each with the reason."""
        return list(self._features.failures.items())

    def thumbnail(self, row: int) -> bytes:
        """A small JPEG of a row's image; ImageError if there is none."""
        return self._small.of(self._image(row))

    def image(self, row: int) -> bytes:
        """A large JPEG of a row's image; ImageError if there is none."""
        return self._large.of(self._image(row))

    def near(self, row: int) -> dict[str, list[Any]]:
        """The rows nearest to one, with their cosines."""
        return self._found(self._features.keys[row])

    def like(self, data: bytes) -> dict[str, list[Any]]:
        """The rows nearest to an image in a file's bytes.

        It is decoded by a process, which it may take down; the model gets the reduced pixels, and
        makes nearly the same features of them: cosine 0.994 at least, of photos of 4000 pixels.
        """
        return self._found(self._large.pixels(data))

    def words(self) -> dict[str, str]:
        """Why no words can be searched for; nothing if they can."""
        if self._tower.ident:
            self._tower.join()
        return {"without": self._words}

    def text(self, data: bytes) -> dict[str, list[Any]]:
        """The rows nearest to words in UTF-8, less those behind a minus: "beach -people"."""
        wanted, unwanted = phrases(data.decode("utf-8", "replace"))
        if not wanted:
            raise UsageError("say first what is wanted, then what isn't: beach -people")
        return self._found((), text=wanted, not_text=unwanted)

    def _found(
        self, queries: Queries, *, text: Texts = (), not_text: Texts = ()
    ) -> dict[str, list[Any]]:
        with self._searching:
            matches = search(
                self._features,
                queries,
                NEAR,
                text=text,
                not_text=not_text,
                layer=self._layer,
                weights=self._weights,
            )
        return {"rows": self._rows(matches), "scores": [round(each.score, 4) for each in matches]}

    def _rows(self, matches: Sequence[Match]) -> list[int]:
        return [bisect_left(self._features.keys, each.key) for each in matches]

    def _image(self, row: int) -> Readable:
        """Where a row's image is, if it's the file that the features are of: any other isn't shown.

        A table may come from others, and must not name files to look at.
        """
        (file,) = row_files(self._facts.slice(row, 1))
        image = file.image()
        if image is None and is_gone(file.place):
            raise ImageError("unreadable", "the file is gone from where it was")
        if image is None:
            raise ImageError("changed", "the file isn't the one that the features are of")
        return image

    def close(self) -> None:
        """End the processes that make pictures."""
        for thumbnails in (self._small, self._large):
            thumbnails.close()
