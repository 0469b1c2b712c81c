"""What a person looks for, as a vector: keys of a table, images, addresses, vectors."""

from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast
from weakref import WeakKeyDictionary

import numpy as np

from penult.analysis.vectors import Floats
from penult.analysis.words import inherit_tower, text_vectors
from penult.errors import ImageError, UsageError
from penult.extraction.wordlists import Templates
from penult.images import ImageLike
from penult.store import TableReader
from penult.util.text import quoted, similar

if TYPE_CHECKING:
    from penult.model.model import Model

Query: TypeAlias = ImageLike | Floats
Queries: TypeAlias = Query | Sequence[Query]

ADDRESS_BYTES = 64 << 20  # of an image from the net: ten times a large photo
NEGLIGIBLE = 1e-6  # a mean of so much of the longest vector is one of rounding

_models: "WeakKeyDictionary[TableReader, tuple[object, Model]]" = WeakKeyDictionary()


class Sought(NamedTuple):
    """What is looked for, or what isn't wanted.

    Attributes:
        images: Keys, images, addresses and vectors.
        texts: Words, each a text of its own.
    """

    images: Sequence[Query]
    texts: Sequence[str]


class Reader:
    """Makes vectors of queries; the model that made the table is loaded when it is first needed.

    Args:
        features: The table.
        layer: The layer that is searched.
        weights: Where the model's weights are, if not where they were.
    """

    def __init__(
        self, features: TableReader, layer: str, weights: str | Path | None = None
    ) -> None:
        self._features = features
        self._layer = layer
        self._weights = weights

    def combine(
        self,
        wanted: Sought,
        unwanted: Sought,
        metric: str,
        template: Templates | None = None,
    ) -> Floats:
        """Return one vector of all that is sought, less what isn't wanted: (values,).

        Raises:
            UsageError: There is nothing wanted, or nothing left of it; or as of `text_vectors`.
            ImageError, DownloadError, NetworkError: As of `vector` and `text_vectors`.
        """
        texts = [*wanted.texts, *unwanted.texts]
        if not wanted.images and not wanted.texts:
            raise UsageError(
                "nothing to search for: give a key, an image, an address or a text (-t)"
            )
        if texts and metric != "cosine":
            raise UsageError(f"words are compared by cosine, not by {metric}: leave out --metric")
        words = self._text_vectors(texts, template) if texts else []
        vector = combine(
            [*map(self.vector, wanted.images), *words[: len(wanted.texts)]],
            [*map(self.vector, unwanted.images), *words[len(wanted.texts) :]],
            unit=metric == "cosine",
        )
        if metric != "l2" and not vector.any():
            raise UsageError(
                "nothing is left to search for: the vectors are zeros or cancel each other"
            )
        return vector

    def _text_vectors(self, texts: Sequence[str], template: Templates | None) -> Sequence[Floats]:
        return [*text_vectors(self._features, self._layer, texts, template, self._weights)]

    def key(self, query: Query) -> str | None:
        """The key of the table that a query is, if it is one."""
        keys = self._features.keys
        if not isinstance(query, str):
            return None
        place = bisect_left(keys, query)
        return query if keys[place : place + 1] == [query] else None

    def vector(self, query: Query) -> Floats:
        """Return a query's vector: (values,).

        Raises:
            ImageError: It is an image that gives no pixels.
            DownloadError: It is an address, and no image comes from there.
            UsageError: It is an array that isn't like the table's vectors.
        """
        width = int(np.prod(self._features.layers[self._layer]))
        if isinstance(query, np.ndarray) and query.dtype != np.uint8:
            if query.shape != (width,):
                raise UsageError(f"a vector to search has {width} values, not {query.shape}")
            if not np.isfinite(query).all():
                raise UsageError("a vector to search has values that are NaN or infinite")
            return query.astype(np.float32)
        if (key := self.key(query)) is not None:
            return self._read_stored(key)
        if isinstance(query, str | Path) and not _is_address(query) and not Path(query).exists():
            raise self._name_query(ImageError("unreadable", "No such file or directory"), query)
        try:
            (outcome,) = self._model().stream([_image(query)])
            if outcome.error:
                raise outcome.error
            return outcome.vectors[self._layer].ravel()
        except ImageError as exc:
            raise self._name_query(exc, query) from exc

    def _read_stored(self, key: str) -> Floats:
        place = bisect_left(self._features.keys, key)
        (piece,) = self._features.tables([], [self._layer], np.array([place]))
        vector: Floats = piece.column(0).combine_chunks().flatten().to_numpy()
        return vector

    def _model(self) -> "Model":
        from penult.extraction.verification import rebuild_model  # which few searches need

        weights, model = _models.get(self._features, (None, None))
        if model is None or weights != self._weights:
            model = rebuild_model(self._features, self._weights)
            _models[self._features] = self._weights, model
        return model

    def _name_query(self, exc: ImageError, query: Query) -> ImageError:
        """Say which query it was; a word that is no file may have been meant as a key."""
        if not isinstance(query, str | Path):
            return exc
        hint = ""
        if exc.code == "unreadable":
            near = similar(str(query), self._features.keys)
            hint = f"; nor is it a key of {quoted(self._features.path)}{near}"
            hint += "; words are given as -t (text=)" if _is_like_words(query) else ""
        return ImageError(exc.code, f"{quoted(query)}: {exc.detail}{hint}")


def inherit(features: TableReader, older: TableReader) -> bool:
    """Let a newer version of a table have the networks that are loaded for an older one.

    Returns:
        Whether it may have them: the features of both were made alike.
    """
    alike = features.is_alike(older)
    if alike and older in _models:
        _models[features] = _models[older]
    if alike:
        inherit_tower(features, older)
    return alike


def combine(wanted: Sequence[Floats], unwanted: Sequence[Floats], *, unit: bool) -> Floats:
    """The mean of what is wanted less the mean of what isn't; zeros if they cancel each other.

    Args:
        wanted: Vectors, at least one.
        unwanted: Vectors.
        unit: Whether each is made of length 1 first, so that all count the same.
    """
    scaled = _unit if unit else np.asarray
    mean = np.mean([scaled(vector) for vector in wanted], axis=0)
    if unwanted:
        mean = mean - np.mean([scaled(vector) for vector in unwanted], axis=0)
    longest = max(np.linalg.norm(scaled(vector)) for vector in (*wanted, *unwanted))
    if np.linalg.norm(mean) <= NEGLIGIBLE * longest:
        mean = np.zeros_like(mean)
    return np.asarray(mean, np.float32)


def as_list(queries: Queries) -> Sequence[Query]:
    """Queries as a sequence, a single one too."""
    return queries if isinstance(queries, list | tuple) else [queries]  # type: ignore[list-item]  # one


def _image(query: Query) -> ImageLike:
    """An image to read: of an address its bytes."""
    if isinstance(query, str) and _is_address(query):
        from penult.util.http import fetch_bytes

        return fetch_bytes(query, ADDRESS_BYTES)
    return cast("ImageLike", query)


def _is_like_words(query: str | Path) -> bool:
    return isinstance(query, str) and not set("./\\") & {*query}


def _is_address(query: str | Path) -> bool:
    return isinstance(query, str) and query.startswith(("http://", "https://"))


def _unit(vector: Floats) -> Floats:
    length = np.linalg.norm(vector)
    return vector / length if length else vector
