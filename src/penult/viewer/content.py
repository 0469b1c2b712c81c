"""What the page asks of a table: searches, pictures of its rows, copies of their files."""

from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penult.analysis.neighbours import nearest
from penult.analysis.queries import Reader, Sought, inherit
from penult.analysis.vectors import Floats
from penult.analysis.words import phrases, require_words, text_vectors
from penult.errors import PenultError, UsageError
from penult.exports.copying import require_folder
from penult.images.thumbnails import Thumbnails
from penult.store import TableReader
from penult.store.versions import stamp
from penult.viewer.copying import Copying
from penult.viewer.edition import Edition
from penult.viewer.requests import Request, written

NEAR = 100  # rows that a search finds
LARGE = 1600  # pixels of the longer side of an image that is looked at alone
_LARGE_CACHE = 32 << 20  # bytes, of some 100


class Content:
    """Answers about a table; may be asked from many threads at once.

    Args:
        features: The table.
        layer: The layer that searches compare, by default the first.
        weights: Where the weights of the table's model are, if not where they were.
        root: A folder below which images may be copied to folders that aren't empty.

    Attributes:
        edition: The table as it was when it was last looked at.
        copying: Images being copied.
    """

    def __init__(
        self,
        features: TableReader,
        layer: str | None = None,
        weights: str | Path | None = None,
        root: str | Path | None = None,
    ) -> None:
        self._layer = features.layer(layer)
        self._weights = weights
        self._root = root
        self._stamp = stamp(features.path)
        self.edition = Edition(features, self._layer, 1)
        self._renewing = Lock()
        self._searching = Lock()  # the first search reads all vectors, or loads the model
        self._words = ""
        self._tower = self._begin_tower(features)
        self._small = Thumbnails()
        self._large = Thumbnails(LARGE, count=2, cache_bytes=_LARGE_CACHE)
        self.copying = Copying()

    def renew(self) -> int:
        """Take the newest version of the table if there is a newer one; the edition's number.

        To look for one takes no more than to list a folder, so the page may ask often.

        Raises:
            StoreError: The table has gone, or no version of it can be read. The edition stays.
        """
        with self._renewing:
            newest = stamp(self.edition.features.path)
            if newest != self._stamp:
                self._renew()
                self._stamp = newest
        return self.edition.number

    def _renew(self) -> None:
        older = self.edition
        features = TableReader(older.features.path)  # whose vectors are read when they are wanted
        edition = Edition(features, self._layer, older.number + 1)
        if not inherit(features, older.features):
            self._tower = self._begin_tower(features)
        self.edition = edition

    def _begin_tower(self, features: TableReader) -> Thread:
        """Load the text tower, which takes a second, so that words find something at once."""
        self._words = ""
        tower = Thread(target=self._load_tower, args=(features,), daemon=True)
        try:
            require_words(features, self._layer)
            tower.start()
        except PenultError as error:
            self._words = str(error)
        return tower

    def _load_tower(self, features: TableReader) -> None:
        try:
            with self._searching:
                text_vectors(features, self._layer, ["a photo"], weights=self._weights)
        except PenultError as error:
            self._words = str(error)

    def thumbnail(self, edition: Edition, row: int) -> bytes:
        """A small JPEG of a row's image; ImageError if there is none."""
        return self._small.of(edition.image(row))

    def image(self, edition: Edition, row: int) -> bytes:
        """A large JPEG of a row's image; ImageError if there is none."""
        return self._large.of(edition.image(row))

    def like(self, data: bytes) -> dict[str, str]:
        """The vector of an image in a file's bytes, to search by.

        It is decoded by a process, which it may take down; the model gets the reduced pixels, and
        makes nearly the same features of them: cosine 0.994 at least, of photos of 4000 pixels.
        """
        return {"vector": written(self._vector(Sought([self._large.pixels(data)], ())))}

    def words(self) -> dict[str, str]:
        """Why no words can be searched for; nothing if they can."""
        if self._tower.ident:
            self._tower.join()
        return {"without": self._words}

    def text(self, data: bytes) -> dict[str, str]:
        """The vector of words in UTF-8, less those behind a minus: "beach -people"."""
        wanted, unwanted = phrases(data.decode("utf-8", "replace"))
        if not wanted:
            raise UsageError("say first what is wanted, then what isn't: beach -people")
        return {"vector": written(self._vector(Sought((), wanted), unwanted))}

    def _vector(self, wanted: Sought, unwanted: Sequence[str] = ()) -> Floats:
        reader = Reader(self.edition.features, self._layer, self._weights)
        with self._searching:
            return reader.combine(wanted, Sought((), unwanted), "cosine")

    def near(self, edition: Edition, request: Request) -> dict[str, list[Any]]:
        """The rows nearest to a row or a vector with their cosines: of all, or among some.

        Raises:
            UsageError: The request isn't of this kind.
        """
        row = request.row(len(edition))
        among = None
        if request.body.get("among") is not None:
            among = request.rows("among", len(edition))
        query: Any = request.vector("vector") if row is None else edition.keys[row]
        reader = Reader(edition.features, self._layer, self._weights)
        with self._searching:
            vector = reader.combine(Sought([query], ()), Sought((), ()), "cosine")
            found = nearest(edition.features, self._layer, vector, NEAR + 1, places=among)
        rows = [(bisect_left(edition.keys, each.key), each.score) for each in found]
        others = [(place, round(score, 4)) for place, score in rows if place != row][:NEAR]
        return {"rows": [place for place, _ in others], "scores": [score for _, score in others]}

    def paths(self, edition: Edition, request: Request) -> list[str | None]:
        """Where the images of some rows are, as the table says."""
        return [file.shown for _, file in edition.files(self._rows(edition, request))]

    def copy(self, edition: Edition, request: Request) -> dict[str, Any]:
        """Begin to copy, or to link, the images of some rows to a folder; `copying` has the rest.

        Raises:
            UsageError: The folder may not be copied to, or others are being copied.
        """
        rows = self._rows(edition, request)
        folder = require_folder(request.text("folder"), edition.features.path, self._root)
        link = request.body.get("link") is True
        return self.copying.begin(edition.files(rows), len(rows), folder, link=link)

    def _rows(self, edition: Edition, request: Request) -> NDArray[np.int64]:
        return request.rows("rows", len(edition))

    def close(self) -> None:
        """End what is at work, and the processes that make pictures."""
        self.copying.close()
        for thumbnails in (self._small, self._large):
            thumbnails.close()
