"""`map`: a place in the plane for each image, so that those which are alike lie together.

Of a large table a sample is laid out; every other row goes amidst its nearest rows of the sample.
So memory and the costly part of the time are bounded.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from penult.analysis.extra import needed
from penult.analysis.vectors import Floats, pieces, rows, sample_places
from penult.errors import UsageError
from penult.store import Table, TableReader, annotate, open_table
from penult.util.checks import require_one_of, require_store
from penult.util.machine import cores
from penult.util.notebook import shown
from penult.util.progress import Steps
from penult.util.result import Result, Row
from penult.util.text import plural, quoted

if TYPE_CHECKING:
    from sklearn.decomposition import PCA

MapMethod = Literal["tsne", "pca"]

COLUMNS = ("x", "y")  # by default
LAID_OUT = 50_000  # rows of the sample
MIN_ROWS = 10  # rows that t-SNE can do something with
DIMENSIONS = 50  # what is left of a vector: neighbours stay the same, and are found sooner
PERPLEXITY = 30  # as most maps are made
PARALLEL_ROWS = (
    5_000  # rows that t-SNE takes all cores for: of fewer, a busy one costs more than it adds
)
PLACING_NEIGHBOURS = 5  # rows of the sample that another one is placed by
STEPS = (250, 500)  # of t-SNE: with attraction exaggerated to find the groups, then without
EXAGGERATION = 12
PROGRESS_STEPS = 25  # steps from one call of `progress` to the next


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Map(Result):
    """What `penult.map` found.

    Attributes:
        keys: All images, sorted.
        places: (images, 2), from -1 to 1, with one scale for both directions.
        method: `tsne` or `pca`; of fewer than 10 images it's `pca`.
        laid_out: How many images the map was made of; all others were placed among these.
    """

    keys: list[str]
    places: Floats
    method: MapMethod
    laid_out: int

    def _summary(self) -> str:
        return f"{plural(len(self.keys), 'image')} by {self.method}"

    def _rows(self) -> tuple[Sequence[str], Iterable[Row]]:
        rows = zip(self.keys, self.places, strict=True)
        return ("key", "x", "y"), ((key, float(x), float(y)) for key, (x, y) in rows)


def project(
    table: Table,
    *,
    method: MapMethod = "tsne",
    layer: str | None = None,
    seed: int = 0,
    store: bool = False,
    columns: tuple[str, str] | None = None,
    progress: Steps | None = None,
) -> Map:
    """Give each image a place in the plane, those that are alike together.

    Directions of vectors are compared, not their lengths. The result depends on keys and vectors,
    not on the order in which rows were written.

    Args:
        table: A table, open or by its path.
        method: `tsne` keeps neighbours together, and distances between groups mean little; `pca`
            is a straight projection to where the vectors differ most.
        layer: The layer to compare, by default the table's first.
        seed: Another one draws another sample of a table of more than 50,000 rows.
        store: Whether to store places with the table, which shows them from then on.
        columns: The names of these columns, by default `x` and `y`, which `penult.view` shows.
        progress: Called with the steps done and their number.

    Raises:
        UsageError: The method is unknown, or the table has fewer than 3 rows.
        MissingExtraError: openTSNE or scikit-learn isn't installed.
        StoreError: The table can't be read or written.

    Example:
        >>> import penult
        >>> penult.map("photos.lance").places  # doctest: +SKIP
    """
    features = open_table(table)
    require_one_of(get_args(MapMethod), "method", method)
    if len(features) < 3:
        raise UsageError(
            f"{quoted(features.path)} has {plural(len(features), 'row')}: a map needs 3"
        )
    require_store(store, "columns", columns)
    columns = columns or COLUMNS
    features.require_names(columns if store else ())
    method = method if len(features) >= MIN_ROWS else "pca"
    sample = sample_places(len(features), LAID_OUT, seed)
    with needed("map"):
        reduced = _reduce(features, features.layer(layer), sample, method)
        places = reduced
        if method == "tsne":
            laid_out = _laid_out(reduced[sample], shown(progress))
            places = _place(reduced, sample, laid_out)
    places = _frame(places)
    found = Map(features.keys, places, method, len(sample))
    if store:
        annotate(features, dict(zip(columns, places.T.copy(), strict=True)))
    return found


def _reduce(
    features: TableReader, layer: str, sample: NDArray[np.int64], method: MapMethod
) -> Floats:
    """All rows by the principal components of the sample."""
    model = _components(rows(features, layer, sample), DIMENSIONS if method == "tsne" else 2)
    found = np.zeros((len(features), max(2, model.n_components_)), np.float32)
    for place, vectors in pieces(features, layer, unit=True):
        found[place, : model.n_components_] = model.transform(vectors)
    return found


def _components(vectors: Floats, count: int) -> "PCA":
    from sklearn.decomposition import PCA

    with np.errstate(invalid="ignore"):  # rows that are all the same have no variance to explain
        return PCA(min(count, *vectors.shape), random_state=0).fit(vectors)


def _laid_out(vectors: Floats, progress: Steps) -> Floats:
    """Places by t-SNE, which begins with the first two principal components."""
    from openTSNE import TSNE

    progress(0, sum(STEPS))
    model = TSNE(
        perplexity=min(PERPLEXITY, (len(vectors) - 1) / 3),  # it looks at three times as many
        neighbors="exact",  # of 50 values as fast as the approximate ones, and the same each time
        initialization=_beginning(vectors),
        n_jobs=cores() if len(vectors) >= PARALLEL_ROWS else 1,
        random_state=0,
    )
    places, done = model.prepare_initial(vectors), 0
    for count, exaggeration in zip(STEPS, (EXAGGERATION, None), strict=True):
        for _ in range(0, count, PROGRESS_STEPS):
            places = places.optimize(PROGRESS_STEPS, exaggeration=exaggeration, momentum=0.8)
            done += PROGRESS_STEPS
            progress(done, sum(STEPS))
    return np.asarray(places, np.float32)


def _beginning(vectors: Floats) -> NDArray[np.float64]:
    """Small, so that all rows still attract each other, and no two in one place."""
    first = vectors[:, :2].astype(np.float64)
    first *= 1e-4 / (first[:, 0].std() or 1)
    return first + np.random.default_rng(0).normal(0, 1e-6, first.shape)


def _place(vectors: Floats, sample: NDArray[np.int64], laid_out: Floats) -> Floats:
    """Places of all rows: those outside the sample at the median of their neighbours in it."""
    from sklearn.neighbors import NearestNeighbors

    places = np.empty((len(vectors), 2), np.float32)
    places[sample] = laid_out
    others = np.setdiff1d(np.arange(len(vectors)), sample)
    if len(others):
        index = NearestNeighbors(n_neighbors=PLACING_NEIGHBOURS, algorithm="brute").fit(
            vectors[sample]
        )
        nearest = index.kneighbors(vectors[others], return_distance=False)
        places[others] = np.median(laid_out[nearest], axis=1)
    return places


def _frame(places: Floats) -> Floats:
    """Move places into the square from -1 to 1."""
    low, high = places.min(axis=0), places.max(axis=0)
    half = float((high - low).max()) / 2 or 1.0
    framed: Floats = ((places - (low + high) / 2) / half).astype(np.float32)
    return framed
